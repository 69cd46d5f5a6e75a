"""``dynamo report [RUN]``: the report of a run as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from dynamo.cli.options import workspace_option
from dynamo.cli.page import output_option, write_page

__all__ = ["command"]


@click.command("report")
@click.argument("run", required=False)
@workspace_option
@output_option("report.html")
def command(run: str | None, workspace: Path, output: Path | None) -> None:
    """Write the report of RUN (its id or the beginning of it; by default of the newest data) and print its path.

    One HTML file that needs nothing else: what failed and why, the graph, who did what when, the products, time
    and memory of each step, and why each ran.
    """
    from dynamo.report import write_report

    write_page(write_report, run, workspace, output, "report.html")
