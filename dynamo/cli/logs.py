"""``dynamo logs TASK``: what a task wrote."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynamo.cli.options import workspace_option
from dynamo.cli.standing import catch_up
from dynamo.errors import UserError, nearest
from dynamo.graph.units import format_bytes, format_seconds

if TYPE_CHECKING:
    from dynamo.journal import Attempt, RunRecord, Workspace

__all__ = ["command"]


@click.command("logs")
@click.argument("task", required=False)
@click.option(
    "--run", "-r", help="Of this run (its id or the beginning of it); by default that of the newest data."
)
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(task: str | None, run: str | None, workspace: Path, *, as_json: bool) -> int:
    """Show each attempt of TASK and what the last one wrote; of a step, or without TASK, list the attempts."""
    from dynamo.journal import Journal, Workspace
    from dynamo.watch.newest import newest_run

    found = Workspace.find(workspace)
    catch_up(found, run)
    with Journal(found.journal) as journal:
        record = newest_run(journal) if run is None else journal.run(run)
        attempts = journal.attempts(record.id)
        graph = journal.graph(record.id)
    if task is not None and task not in graph.tasks and task not in graph.steps:
        raise UserError(
            f"no task or step {task!r} in run {record.id}{nearest(task, [*graph.steps, *graph.tasks])}"
        )
    one = task is not None and task in graph.tasks
    wanted = (task,) if one and task else graph.steps.get(task or "", tuple(graph.tasks))
    chosen = [a for a in attempts if a.task in wanted]
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
        print(f"{what} in {record.id}: {_why_not(found, record, wanted)}", file=sys.stderr)
    elif log is not None:
        _copy(log)
    return 0


def _why_not(workspace: Workspace, run: RunRecord, tasks: Sequence[str]) -> str:
    """Say why `tasks` have no attempt in `run`; of one whose result was reused, also where to look."""
    from dynamo.journal import Journal

    live = workspace.is_live(run.id)
    waits = "it waits" if live else "left out by --only, or the run ended before its turn"
    with Journal(workspace.journal) as journal:
        known = journal.tasks(run.id, live=live)
        reasons = Counter(known[t].reason if t in known else waits for t in tasks)
        if len(tasks) > 1:
            return "; ".join(f"{count} {reason}" for reason, count in reasons.items())
        (reason,) = reasons
        key = known[tasks[0]].key if tasks[0] in known else None
        made = journal.result(key) if key else None
        # The result may have been made again since, or its run removed.
        if made is None or made.run not in reason or all(r.id != made.run for r in journal.runs()):
            return reason
    return f"{reason}; see dynamo logs {made.task} --run {made.run}"


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
