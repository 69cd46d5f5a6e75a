"""``dynamo logs TASK``: what a task wrote."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynamo.cli.options import workspace_option
from dynamo.errors import UserError, nearest
from dynamo.graph.units import format_bytes, format_seconds

if TYPE_CHECKING:
    from dynamo.journal import Attempt

__all__ = ["command"]


@click.command("logs")
@click.argument("task", required=False)
@click.option("--run", "-r", help="Of this run (its id or the beginning of it); by default the latest.")
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(task: str | None, run: str | None, workspace: Path, *, as_json: bool) -> int:
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
    one = task is not None and task in graph.tasks
    log = Path(found.log(record.id, chosen[-1].task, chosen[-1].n)) if one and chosen else None
    if as_json:
        facts: dict[str, Any] = {"run": record.id, "attempts": [asdict(a) for a in chosen]}
        if one:
            facts["log"] = log.read_text("utf-8", "replace") if log and log.is_file() else ""
        print(json.dumps(facts, indent=2))
        return 0
    _show(chosen)
    if not chosen:
        what = f"{task} did not run" if one else "nothing ran"
        why = "its result was" if one else "every result was"
        print(f"{what} in {record.id}: {why} reused, or it waits", file=sys.stderr)
    elif log is not None:
        _copy(log)
    return 0


def _show(attempts: Sequence[Attempt]) -> None:
    for a in attempts:
        took = format_seconds(a.ended - a.started) if a.ended else "under way"
        wrote = f", wrote {format_bytes(a.logged)}" if a.logged else ""
        print(
            f"{a.task} attempt {a.n} on {a.worker}: {a.outcome}, {took}{wrote}{': ' if a.error else ''}{a.error}"
        )


def _copy(log: Path) -> None:
    """Write a log as it is, byte by byte, to standard output."""
    if not log.is_file():
        print("it wrote nothing", file=sys.stderr)
        return
    sys.stdout.flush()
    with log.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
