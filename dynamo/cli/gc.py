"""``dynamo gc``: remove runs and files that nothing needs any more."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import click

from dynamo.cli.options import kept, workspace_option
from dynamo.cli.standing import catch_up, in_pool
from dynamo.graph.units import format_bytes, format_count

__all__ = ["command"]


@click.command("gc")
@workspace_option
@click.option(
    "--keep",
    default="7 d",
    show_default=True,
    help="Keep what was made or used in this time, like '12 h'; 0: nothing.",
)
@click.option("--dry-run", "-n", is_flag=True, help="Only say what would be removed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(workspace: Path, keep: str, *, dry_run: bool, as_json: bool) -> int:
    """Remove old runs, alerts that are over, and stored results that no run used lately. Published products stay.

    What a run needs that is under way is never removed, nor what it has made.
    """
    from dynamo.journal import Journal, Workspace
    from dynamo.journal.retention import collect
    from dynamo.triggers.store import forget

    age = kept(keep)
    found = Workspace.find(workspace)
    with Journal(found.journal) as journal:
        in_pools = [record.id for record in journal.runs() if in_pool(record)]
    for run in in_pools:  # those that have ended meanwhile hold nothing back
        catch_up(found, run)
    with Journal(found.journal) as journal:
        freed = collect(found, journal, before=time.time() - age, dry_run=dry_run)
    if not dry_run:
        forget(found.journal, time.time() - age)
    if as_json:
        print(json.dumps({**asdict(freed), "dry_run": dry_run}, indent=2))
        return 0
    what = "would remove" if dry_run else "removed"
    print(
        f"{what} {format_count(freed.runs, 'run')}, {format_count(freed.results, 'result')} and "
        f"{format_count(freed.files, 'file')} ({format_bytes(freed.size)})"
        + (f", and {format_count(freed.alerts, 'alert')}" if freed.alerts else "")
    )
    if freed.trouble:
        print(freed.trouble, file=sys.stderr)
    return 0
