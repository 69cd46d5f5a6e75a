"""``dynamo runs``: list the runs of a workspace."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from dynamo.cli.options import workspace_option
from dynamo.cli.standing import state_of
from dynamo.graph.units import format_seconds

__all__ = ["command"]


@click.command("runs")
@workspace_option
@click.option(
    "--limit", "-n", type=click.IntRange(min=1), default=20, show_default=True, help="At most this many."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(workspace: Path, limit: int, *, as_json: bool) -> int:
    """List the runs of this workspace, the latest first."""
    from dynamo.journal import Journal, Workspace

    found = Workspace.find(workspace)
    with Journal(found.journal) as journal:
        records = journal.runs(limit=limit)
    rows = [
        {
            "run": r.id,
            "workflow": r.workflow,
            "state": state_of(found, r),
            "began": datetime.fromtimestamp(r.created, UTC).isoformat(timespec="seconds"),
            "seconds": round(r.ended - r.created, 3) if r.ended else None,
        }
        for r in records
    ]
    if as_json:
        print(json.dumps(rows, indent=2))
    for row in () if as_json else rows:
        seconds = row["seconds"]
        took = format_seconds(seconds) if isinstance(seconds, float) else ""
        print(f"{row['run']:40}  {row['state']:11}  {row['began']}  {took}")
    return 0
