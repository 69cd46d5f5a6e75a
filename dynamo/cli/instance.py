"""A WfFormat file of a run file's graph, or of a finished run with what the journal knows of it."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from dynamo.errors import UserError

if TYPE_CHECKING:
    from dynamo.graph import Graph
    from dynamo.journal import Journal
    from dynamo.journal.records import Attempt, RunRecord
    from dynamo.runfile import Prepared
    from dynamo.targets.wfformat import Execution, Machine, Went

__all__ = ["write_instance"]

_SYSTEMS = {"Linux": "linux", "Darwin": "macos", "Windows": "windows"}


def write_instance(
    prepared: Prepared | None, run: str | None, workspace: Path, to: Path, version: str
) -> Path:
    """Write the graph of `prepared`, or the run `run` of a workspace, and return the path of the file.

    `to` is a folder, or a file where it ends in ``.json``. Raises `UserError` for a run that is not there or is not
    over, and where nothing can be written.
    """
    from dynamo import __version__
    from dynamo.targets.wfformat import to_wfformat

    if prepared is not None:
        graph, execution = prepared.graph, None
        sizes = _sizes_outside(graph)
    else:
        graph, sizes, execution = _finished(run, workspace)
    data = to_wfformat(graph, sizes, execution, version=version, dynamo=__version__)
    path = to if to.suffix == ".json" else to / f"{graph.name}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    return path


def _sizes_outside(graph: Graph) -> dict[str, int]:
    """Return the bytes of those files from outside that are still there."""
    there = {name: Path(path) for name, path in graph.sources.items() if path}
    return {name: path.stat().st_size for name, path in there.items() if path.is_file()}


def _finished(run: str | None, root: Path) -> tuple[Graph, dict[str, int], Execution]:
    from dynamo.journal import Journal, Workspace
    from dynamo.targets.wfformat import Execution

    with Journal(Workspace.find(root).journal) as journal:
        record = journal.run(run)
        if record.ended is None or record.state == "running":
            raise UserError(f"run {record.id} is not over: its times are not known yet")
        graph = journal.graph(record.id)
        went, sizes = _went(journal, record), _sizes_outside(graph)
        for known in journal.tasks(record.id, live=False).values():
            result = journal.result(known.key) if known.key else None
            sizes |= {name: made.size for name, made in result.made.items()} if result else {}
    started = min((w.started for w in went.values()), default=record.created)
    seconds = max(record.ended - started, 0.0)
    return graph, sizes, Execution(started, seconds, went, (_machine(),))


def _went(journal: Journal, record: RunRecord) -> dict[str, Went]:
    """Return how each task went that ran in this run and ended well."""
    local = record.settings.get("engine", "local") == "local"
    ok = {a.task: a for a in journal.attempts(record.id) if a.outcome == "ok" and a.ended is not None}
    return {task: _one(attempt, local=local) for task, attempt in ok.items()}


def _one(attempt: Attempt, *, local: bool) -> Went:
    from dynamo.targets.wfformat import Went

    assert attempt.ended is not None
    machine = platform.node() if local else attempt.worker.rpartition("@")[2]
    return Went(attempt.started, attempt.ended - attempt.started, attempt.cpu, attempt.peak, machine)


def _machine() -> Machine:
    """Return what this machine is."""
    import psutil

    from dynamo.targets.wfformat import Machine

    return Machine(
        platform.node(),
        _SYSTEMS.get(platform.system(), ""),
        platform.machine(),
        platform.release(),
        os.cpu_count() or 0,
        psutil.virtual_memory().total,
    )
