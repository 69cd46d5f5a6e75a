"""``dynamo report [RUN]``: the report of a run as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from dynamo.cli.options import workspace_option

__all__ = ["command"]


@click.command("report")
@click.argument("run", required=False)
@workspace_option
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write to FILE; by default report.html in the folder of the run.",
)  # fmt: skip
def command(run: str | None, workspace: Path, output: Path | None) -> None:
    """Write the report of RUN (its id or the beginning of it; by default the latest) and print its path.

    One HTML file that needs nothing else: what failed and why, the graph, who did what when, the products, time
    and memory of each step, and why each ran.
    """
    from dynamo.journal import Journal, Workspace
    from dynamo.report import write_report

    found = Workspace.find(workspace)
    with Journal(found.journal) as journal:
        record = journal.run(run)
    print(write_report(found, record.id, output or found.runs / record.id / "report.html"))
