"""Run a request on a pool, show how it goes, and say how it ended; Ctrl-C leaves it running there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamo.cli.execute import exit_code, progress_of, resuming, tell
from dynamo.errors import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamo.cli.progress import Progress
    from dynamo.condor.engine import HTCondorEngine
    from dynamo.engine import Request, Summary
    from dynamo.journal import Workspace

__all__ = ["cancel_afar", "execute_afar", "look_afar"]


def execute_afar(
    workspace: Workspace, request: Request, *, quiet: bool = False, as_json: bool = False
) -> int:
    """Run `request` on the pool that its settings name; return the exit code that `dynamo.errors` documents."""
    runs = _pegasus if request.settings["engine"] == "pegasus" else _htcondor
    slots, run = runs(workspace, request)
    graph = request.selection.restrict(request.graph)
    progress = progress_of(workspace.runs / request.run, graph, slots)
    try:
        with progress.shown(quiet=quiet or as_json):
            summary = run(progress)
    except KeyboardInterrupt:
        command = resuming(request.run, workspace)
        print(f"left: {request.run} goes on without us; follow it with: {command}", file=sys.stderr)
        if request.settings["engine"] == "htcondor":
            print(f"or end it with: {command.replace(' resume ', ' cancel ', 1)}", file=sys.stderr)
        return INTERRUPTED
    tell(summary, workspace, progress, quiet=quiet, as_json=as_json)
    return exit_code(summary)


def _htcondor(workspace: Workspace, request: Request) -> tuple[int, Callable[[Progress], Summary]]:
    """Return how many jobs run side by side, and what runs the request."""
    engine = _engine(workspace, request.settings)

    def run(progress: Progress) -> Summary:
        engine.observer = progress
        return engine.run(request)

    return max(len(engine.slots), 1), run


def _pegasus(workspace: Workspace, request: Request) -> tuple[int, Callable[[Progress], Summary]]:
    """Return how many jobs run side by side, as far as that is known, and what runs the request."""
    from dynamo.pegasus.engine import run

    settings = request.settings
    said = {"workflow": request.graph.name, "runfile": str(settings["runfile"])}
    return 1, lambda progress: run(
        workspace,
        request,
        modules=settings["modules"],
        container=settings["pool"].get("container", ""),
        metadata=said,
        observer=progress,
    )


def look_afar(workspace: Workspace, run: str) -> None:
    """Have the journal know what became of a run meanwhile."""
    from dynamo.engine.again import again
    from dynamo.journal import Journal

    with Journal(workspace.journal) as journal:
        request = again(journal, run)
    _engine(workspace, request.settings).look(request)


def cancel_afar(workspace: Workspace, run: str, settings: Mapping[str, Any]) -> None:
    """Remove a run from its pool; what it has made stays."""
    _engine(workspace, settings).cancel(run)


def _engine(workspace: Workspace, settings: Mapping[str, Any]) -> HTCondorEngine:
    from dynamo.condor.engine import HTCondorEngine
    from dynamo.condor.options import PoolOptions

    _configure()
    return HTCondorEngine(
        workspace, PoolOptions(**settings.get("pool", {})), modules=tuple(settings["modules"])
    )


def _configure() -> None:
    """Have the bindings find the one pool that `dynamo pool up` has started here, where nothing is configured."""
    from dynamo.pool.state import PoolState

    places = ("/etc/condor/condor_config", "/usr/local/etc/condor_config", "~/.condor/condor_config")
    if "CONDOR_CONFIG" in os.environ or any(Path(place).expanduser().exists() for place in places):
        return
    found = sorted(PoolState("any").folder.parent.glob("*/condor_config"))
    if len(found) == 1:
        os.environ["CONDOR_CONFIG"] = str(found[0])
