"""Run a request with the local engine, show how it goes, and say how it ended; shared by run and resume."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from dynamo.cli.alike import alike, some
from dynamo.errors import INTERRUPTED, InfrastructureError, UserError
from dynamo.graph.units import format_count, format_seconds

if TYPE_CHECKING:
    from dynamo.cli.progress import Progress
    from dynamo.engine import Event, Failure, LocalEngine, Request, Summary
    from dynamo.engine.spawn import Spawned
    from dynamo.graph import Graph
    from dynamo.journal import Workspace

__all__ = ["execute", "exit_code", "progress_of", "resuming", "tell"]

#: How a disk that is full, or over its quota, is told.
_NO_ROOM = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))
#: How a hold of HTCondor is told, whose words say who must act.
_HELD = "(hold code"


def execute(
    workspace: Workspace,
    request: Request,
    *,
    cores: int | None = None,
    memory: int | None = None,
    modules: tuple[str, ...] = (),
    inline: bool = False,
    first: Spawned | None = None,
    quiet: bool = False,
    as_json: bool = False,
) -> int:
    """Run `request` and return the exit code that `dynamo.errors` documents.

    `first` is a worker process that was started before.
    """
    if request.settings.get("engine", "local") != "local" and not inline:
        from dynamo.cli.afar import execute_afar

        if first is not None:
            first.end()  # nothing runs here: it would compete with what does, where the pool is on this machine
        return execute_afar(workspace, request, quiet=quiet, as_json=as_json)
    from dynamo.engine import LocalEngine

    with LocalEngine(
        workspace, cores=cores, memory=memory, modules=modules, inline=inline, first=first
    ) as engine:
        graph = request.selection.restrict(request.graph)
        if not request.images:  # those in containers the engine starts, once it knows the images
            engine.warm(sum(1 for task in graph.tasks.values() if not graph.parents(task)))
        progress = progress_of(workspace.runs / request.run, graph, engine.cores)
        engine.observer = progress if request.images else _warming(engine, graph, progress)
        try:
            with progress.shown(quiet=quiet or as_json):
                summary = engine.run(request)
        except KeyboardInterrupt:
            print(f"interrupted; go on with: {resuming(request.run, workspace)}", file=sys.stderr)
            return INTERRUPTED
    tell(summary, workspace, progress, quiet=quiet, as_json=as_json)
    return exit_code(summary)


def _warming(engine: LocalEngine, graph: Graph, progress: Progress) -> Callable[[Event], None]:
    """Return what shows how a run goes, and has the other workers started once the first tasks have theirs."""

    def begun(event: Event) -> None:
        progress(event)
        if event.kind == "started":
            engine.observer = progress
            engine.warm(len(graph.tasks), _calls(graph))

    return begun


def progress_of(folder: Path, graph: Graph, cores: int) -> Progress:
    """Return the display of a run whose log is in `folder`."""
    from dynamo.cli.progress import Progress

    folder.mkdir(parents=True, exist_ok=True)
    return Progress({step: len(ids) for step, ids in graph.steps.items()}, cores, folder / "run.log")


def tell(summary: Summary, workspace: Workspace, progress: Progress, *, quiet: bool, as_json: bool) -> None:
    """Print how the run ended."""
    if as_json:
        print(json.dumps({**asdict(summary), "ok": summary.ok}, indent=2))
        return
    if not sys.stderr.isatty() and not quiet:
        print(progress.text(), file=sys.stderr, end="")
    print(words(summary, workspace))


def _calls(graph: Graph) -> list[str]:
    """Every function of the graph, in the order in which it is first called."""
    return list(dict.fromkeys(task.call for task in graph.tasks.values() if task.kind == "python"))


def exit_code(summary: Summary) -> int:
    """0 where all is well, 130 where somebody ended it, 3 where only the infrastructure failed, else 2."""
    if summary.ok:
        return 0
    if summary.interrupted:
        return INTERRUPTED
    only_machine = bool(summary.failures) and all(f.infrastructure for f in summary.failures)
    return InfrastructureError.exit_code if only_machine else UserError.exit_code


def words(summary: Summary, workspace: Workspace) -> str:
    """Say how a run ended: failures first, then what it made and how long it took."""
    lines = [_failure(group) for group in alike(summary.failures, lambda f: (f.step, f.error))]
    lines += [f"warning: {w}" for w in summary.warnings]
    if summary.unpublished:
        others = len(summary.unpublished) - 1
        more = f" (and {format_count(others, 'more product')})" if others else ""
        lines.append(f"failed: {summary.unpublished[0]}{more}")
    counts = f"{summary.ran} ran, {summary.reused} reused"
    if summary.failures or summary.blocked:
        counts += f", {len(summary.failures)} failed, {summary.blocked} could not run"
    if summary.left:
        counts += f", {summary.left} left out"
    state = "done" if summary.ok else "cancelled" if summary.interrupted else "FAILED"
    lines.append(f"{summary.run}: {state}: {counts}, in {format_seconds(summary.seconds)}")
    lines += _products(summary)
    if summary.ok:
        from dynamo.journal.written import written

        lines += [f"tasks wrote: {line}" for line in written(workspace, summary.run)]
    else:
        when = "" if summary.interrupted else "when it is mended, "
        lines.append(f"{when}go on with: {resuming(summary.run, workspace)}")
    return "\n".join(lines)


def resuming(run: str, workspace: Workspace) -> str:
    """Return the command that goes on with a run, from the folder one is in."""
    elsewhere = (
        "" if workspace.root == Path.cwd() / ".dynamo" else f" --workspace {_near(str(workspace.root))}"
    )
    return f"dynamo resume {run}{elsewhere}"


def _products(summary: Summary) -> list[str]:
    if not summary.products:
        return []
    kinds: dict[str, int] = {}
    for path in summary.products:
        suffix = Path(path).suffix or "without a suffix"
        kinds[suffix] = kinds.get(suffix, 0) + 1
    counted = ", ".join(f"{n} {suffix}" for suffix, n in sorted(kinds.items()))
    return [f"products: {_near(summary.folder)} ({counted})"]


def _near(path: str) -> str:
    """The path as seen from here, where that is shorter."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _failure(group: Sequence[Failure]) -> str:
    """Tell the first of some like failures in full, and name the others."""
    failure, *others = group
    lines = [f"failed: {failure.task} ({failure.place}): {failure.error}"]
    if failure.infrastructure and any(words in failure.error for words in _NO_ROOM):
        lines.append("  its disk is full: make room, then dynamo resume tries it again")
    elif failure.infrastructure and _HELD not in failure.error:
        lines.append(
            "  its worker was lost; unless the task itself is to blame, dynamo resume tries it again"
        )
    tail = failure.tail.rstrip().removesuffix(f"error: {failure.error}")  # it was told above
    lines += [f"  | {line}" for line in tail.splitlines()]
    if failure.log:
        lines.append(f"  full log: {failure.log}")
    if failure.sandbox:
        lines.append(f"  its folder was kept: {failure.sandbox}")
    if others:
        lines.append(f"  failed alike: {some([f.task for f in others])}")
    blocked = [task for f in group for task in f.blocked]
    if blocked:
        lines.append(f"  could not run because of it: {some(blocked)}")
    return "\n".join(lines)
