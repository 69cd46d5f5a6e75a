"""``dynamo map [RUN]``: the products and alerts of a run on a map, as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from dynamo.cli.options import workspace_option

__all__ = ["command"]


@click.command("map")
@click.argument("run", required=False)
@workspace_option
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write to FILE; by default map.html in the folder of the run.",
)  # fmt: skip
@click.option(
    "--subscribers", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="GeoJSON points to show beside those who were alerted.",
)  # fmt: skip
def command(run: str | None, workspace: Path, output: Path | None, subscribers: Path | None) -> None:
    """Write a map of RUN (its id or the beginning of it; by default the latest) and print its path.

    One HTML file that needs nothing else: images and polygons on a time slider, borders, and who was alerted.
    """
    from dynamo.journal import Journal, Workspace
    from dynamo.report.map import write_map

    found = Workspace.find(workspace)
    with Journal(found.journal) as journal:
        record = journal.run(run)
    path = output or found.runs / record.id / "map.html"
    print(write_map(found, record.id, path, subscribers=subscribers))
