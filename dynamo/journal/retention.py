"""What to remove from a workspace, and removing it without harm to a run that is under way.

What another user made stays where it may not be removed; that is said, and keeps nothing else, but for a run of his
of which it cannot be told that it is not under way: that keeps what is newer.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from dynamo.errors import WorkspaceError
from dynamo.graph.units import format_count
from dynamo.journal.database import DiskFullError
from dynamo.journal.journal import Journal
from dynamo.journal.old_alerts import forget_alerts
from dynamo.journal.records import RunRecord
from dynamo.journal.workspace import UnderWayError, Workspace
from dynamo.worker.store import stored_path

__all__ = ["Freed", "collect"]

#: How many runs are locked and removed at a time: each lock is an open file.
_LOCKS = 64


@dataclass(frozen=True, slots=True)
class Freed:
    """How much was removed (or would be): runs, results, files, bytes, and alerts.

    `left` is what is old and could not be removed, runs by their ids and files by their paths, each with the reason.
    """

    runs: int
    results: int
    files: int
    size: int
    alerts: int = 0
    left: Mapping[str, str] = field(default_factory=dict)

    @property
    def trouble(self) -> str:
        """What could not be removed, in words; empty where all could."""
        if not self.left:
            return ""
        (first, why), more = next(iter(self.left.items())), len(self.left) - 1
        others = f" and {format_count(more, 'other')}" if more else ""
        return f"could not remove {first}{others}: {why}"


def collect(workspace: Workspace, journal: Journal, *, before: float, dry_run: bool = False) -> Freed:
    """Remove runs and alerts that ended, and results and files last used, before the Unix time `before`.

    A run that is under way keeps itself and all that was used since it began: its own results count as used
    when they are made or reused, and a worker marks a stored file as used before it relies on it.
    """
    records = journal.runs()
    left: dict[str, str] = {}
    live = {r.id for r in records if _is_live(workspace, r, before, left)}
    before = min([before, *(r.created for r in records if r.id in live)])
    alerts = forget_alerts(workspace.journal, before=before, dry_run=dry_run)
    old_runs = [r.id for r in records if r.id not in live and _is_old(r, before)]
    # To look at every file takes long, and a run that writes meanwhile must not wait: no transaction is open.
    found = [(digest, path, *_used(path)) for digest, path in _stored(workspace.store)]
    if dry_run:
        old_results, kept = _old_results(journal, before)
    else:
        old_runs = _remove_runs(workspace, journal, old_runs, before, left)
        with journal.change():
            journal.forget(before)  # what this removes can still be told in the next plan
            old_results, kept = _old_results(journal, before)
            for key in old_results:
                journal.remove_result(key)
    files = [(path, size) for digest, path, used, size in found if used < before and digest not in kept]
    if not dry_run:
        files = [(path, size) for path, size in files if _remove(path, before, left)]
    return Freed(len(old_runs), len(old_results), len(files), sum(size for _, size in files), alerts, left)


def _is_live(workspace: Workspace, run: RunRecord, before: float, left: dict[str, str]) -> bool:
    """Whether a run is under way, here or in a pool, or may be, where that cannot be told."""
    if run.state == "running" and run.settings.get("engine", "local") != "local":
        return True
    try:
        return workspace.is_live(run.id)
    except WorkspaceError as error:
        is_open = run.ended is None
        if _is_old(run, before):
            left[run.id] = (
                f"{error.message}; what is newer stays, for it may use it" if is_open else error.message
            )
        return is_open


def _is_old(run: RunRecord, before: float) -> bool:
    return (run.ended or run.created) < before


def _remove_runs(
    workspace: Workspace, journal: Journal, runs: Sequence[str], before: float, left: dict[str, str]
) -> list[str]:
    """Remove these runs, but for those that another process goes on with or went on with; return the removed.

    What cannot be locked, as another user made it, is `left`.
    """
    removed = []
    for first in range(0, len(runs), _LOCKS):
        with ExitStack() as locks:
            locked = set()
            for run in runs[first : first + _LOCKS]:
                try:
                    locks.enter_context(workspace.lock(run))
                    locked.add(run)
                except UnderWayError:
                    continue
                except DiskFullError:
                    raise
                except WorkspaceError as error:
                    left[run] = error.message
            with journal.change():
                gone = [r.id for r in journal.runs() if r.id in locked and _is_old(r, before)]
                for run in gone:
                    journal.remove_run(run)
            for run in gone:
                shutil.rmtree(workspace.runs / run, ignore_errors=True)
            removed += gone
    return removed


def _old_results(journal: Journal, before: float) -> tuple[list[str], set[str]]:
    """Return the keys of the results last used before `before`, and the digests that the others name."""
    old: list[str] = []
    kept: set[str] = set()
    for used, result in journal.results():
        if used < before:
            old.append(result.key)
        else:
            kept.update(made.digest for made in result.made.values())
    return old, kept


def _stored(store: Path) -> Iterator[tuple[str, Path]]:
    for folder in store.iterdir():
        if len(folder.name) == 2:
            with suppress(PermissionError):  # another user's, who lets nobody look
                yield from [(folder.name + path.name, path) for path in folder.iterdir()]


def _used(path: Path) -> tuple[float, int]:
    """Return when a file was last used, and its size; one that is gone, or of which nobody tells, was used just now."""
    try:
        state = path.stat()
    except (FileNotFoundError, PermissionError):
        return float("inf"), 0
    return max(state.st_atime, state.st_mtime), state.st_size


def _remove(path: Path, before: float, left: dict[str, str]) -> bool:
    """Take a file out of the store; put it back where a worker began to use it in the meantime.

    Return whether there is none any more; one that may not be removed is `left`.
    """
    aside = path.with_name(f"{path.name}.gc")
    try:
        os.rename(path, aside)
    except FileNotFoundError:  # another gc took it
        return True
    except PermissionError as error:
        left[str(path)] = f"{error.strerror}: another user made its folder"
        return False
    if _used(aside)[0] >= before and not os.path.exists(
        stored_path(path.parent.parent, path.parent.name + path.name)
    ):
        os.rename(aside, path)
        return False
    aside.unlink(missing_ok=True)
    return True
