"""``dynamo logs TASK``: what a task wrote."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from dynamo.cli.options import workspace_option
from dynamo.errors import UserError, nearest
from dynamo.graph.units import format_bytes, format_seconds

__all__ = ["command"]


@click.command("logs")
@click.argument("task", required=False)
@click.option("--run", "-r", help="Of this run (its id or the beginning of it); by default the latest.")
@workspace_option
def command(task: str | None, run: str | None, workspace: Path) -> int:
    """Show each attempt of TASK and what the last one wrote; of a step, or without TASK, list the attempts."""
    from dynamo.journal import Journal, Workspace

    found = Workspace.find(workspace)
    with Journal(found.journal) as journal:
        record = journal.run(run)
        attempts = journal.attempts(record.id)
        graph = journal.graph(record.id)
    if task is not None and task not in graph.tasks and task not in graph.steps:
        raise UserError(
            f"no task or step {task!r} in run {record.id}{nearest(task, [*graph.steps, *graph.tasks])}"
        )
    wanted = {task} if task in graph.tasks else set(graph.steps.get(task or "", graph.tasks))
    chosen = [a for a in attempts if a.task in wanted]
    for a in chosen:
        took = format_seconds(a.ended - a.started) if a.ended else "under way"
        wrote = f", wrote {format_bytes(a.logged)}" if a.logged else ""
        print(
            f"{a.task} attempt {a.n} on {a.worker}: {a.outcome}, {took}{wrote}{': ' if a.error else ''}{a.error}"
        )
    if task is None or task not in graph.tasks:
        if not chosen:
            print(f"nothing ran in {record.id}: every result was reused, or it waits", file=sys.stderr)
        return 0
    if not chosen:
        print(f"{task} did not run in {record.id}: its result was reused, or it waits", file=sys.stderr)
        return 0
    log = Path(found.log(record.id, task, chosen[-1].n))
    if log.is_file():
        sys.stdout.flush()
        with log.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
    else:
        print("it wrote nothing", file=sys.stderr)
    return 0
