"""``dynamo map [RUN]``: the products and alerts of a run on a map, as one HTML file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from dynamo.cli.options import workspace_option
from dynamo.cli.page import output_option, write_page

__all__ = ["command"]


@click.command("map")
@click.argument("run", required=False)
@workspace_option
@output_option("map.html")
@click.option(
    "--subscribers", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="GeoJSON or CSV of those to show beside those who were alerted; by default that of the run file.",
)  # fmt: skip
def command(run: str | None, workspace: Path, output: Path | None, subscribers: Path | None) -> None:
    """Write a map of RUN (its id or the beginning of it; by default of the newest data done) and print its path.

    One HTML file that needs nothing else: images and polygons on a time slider, borders, and who was alerted.
    """
    from dynamo.report.map import write_map

    write_page(partial(write_map, subscribers=subscribers), run, workspace, output, "map.html", ["done"])
