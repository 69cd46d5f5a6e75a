"""What to remove from a workspace, and removing it without harm to a run that is under way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dynamo.journal.journal import Journal
from dynamo.journal.workspace import Workspace
from dynamo.worker.store import stored_path

__all__ = ["Freed", "collect"]


@dataclass(frozen=True, slots=True)
class Freed:
    """How much was removed (or would be): runs, results, files, and bytes."""

    runs: int
    results: int
    files: int
    size: int


def collect(workspace: Workspace, journal: Journal, *, before: float, dry_run: bool = False) -> Freed:
    """Remove runs that ended, and results and files last used, before the Unix time `before`.

    A run that is under way keeps itself and all that was used since it began: its own results count as used
    when they are made or reused, and a worker marks a stored file as used before it relies on it.
    """
    records = journal.runs()
    live = [r for r in records if workspace.is_live(r.id)]
    before = min([before, *(r.created for r in live)])
    old_runs = [r.id for r in records if r not in live and (r.ended or r.created) < before]
    with journal.change():
        kept: set[str] = set()
        old_results = []
        for used, result in journal.results():
            if used < before:
                old_results.append(result.key)
            else:
                kept.update(made.digest for made in result.made.values())
        found = [(path, *_used(path)) for digest, path in _stored(workspace.store) if digest not in kept]
        files = [path for path, used, _ in found if used < before]
        size = sum(size for _, used, size in found if used < before)
        freed = Freed(len(old_runs), len(old_results), len(files), size)
        if dry_run:
            return freed
        for key in old_results:
            journal.remove_result(key)
        for run in old_runs:
            journal.remove_run(run)
        journal.remove_digests(before)
    for path in files:
        _remove(path, before)
    for run in old_runs:
        shutil.rmtree(workspace.runs / run, ignore_errors=True)
    return freed


def _stored(store: Path) -> Iterator[tuple[str, Path]]:
    for folder in store.iterdir():
        if len(folder.name) == 2:
            yield from ((folder.name + path.name, path) for path in folder.iterdir())


def _used(path: Path) -> tuple[float, int]:
    """Return when a file was last used, and its size; one that is gone was used just now."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return float("inf"), 0
    return max(state.st_atime, state.st_mtime), state.st_size


def _remove(path: Path, before: float) -> None:
    """Take a file out of the store; put it back where a worker began to use it in the meantime."""
    aside = path.with_name(f"{path.name}.gc")
    try:
        os.rename(path, aside)
    except FileNotFoundError:  # another gc took it
        return
    if _used(aside)[0] >= before and not os.path.exists(
        stored_path(path.parent.parent, path.parent.name + path.name)
    ):
        os.rename(aside, path)
    else:
        aside.unlink(missing_ok=True)
