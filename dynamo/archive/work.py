"""The work of a range: windows go to the engine, the oldest first and so many at once, and how each ended is kept.

A source of runs for an engine, in its thread. A window that fails stops no other; where the machine fails, as when the
disk is full, all ends, and what is done stays done.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from dynamo.archive.case import Case
from dynamo.archive.index import Entry, Index
from dynamo.engine.events import Summary
from dynamo.engine.request import Request
from dynamo.errors import InfrastructureError, UserError
from dynamo.journal import Journal, Workspace
from dynamo.journal.database import DiskFullError
from dynamo.journal.written import written
from dynamo.triggers.window import Window

__all__ = ["Ended", "Todo", "Work"]

State = Literal["done", "reused", "failed", "passed"]
#: How a task tells a disk that is full, or over its quota.
_NO_ROOM = ("No space left on device", "Disk quota exceeded")
#: Windows one after another that failed of the machine alone, after which the next would as well.
TROUBLE = 3
#: Windows after which Python looks through its memory: large graphs are made past its collector.
_COLLECT = 200


@dataclass(frozen=True, slots=True)
class Ended:
    """How a window ended: with what run, what was wrong, and what its tasks had to say.

    `machine` is whether only the machine failed; `log` where more stands.
    """

    window: Window
    state: State
    run: str = ""
    error: str = ""
    machine: bool = False
    log: str = ""
    wrote: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Todo:
    """A window that is to be run; what it is `asked` to be, and what is known of an earlier run of it."""

    window: Window
    asked: str
    before: Entry | None = None


class Work:
    """What is to be done of a range.

    Parameters
    ----------
    case
        Makes requests.
    todo
        The windows, in the order in which they are begun.
    at_once
        How many are under way at one time, at most.
    workspace, journal, index
        Where runs are known.
    tell
        Is called with each window that ended.
    """

    outlasts = False  # somebody waits

    def __init__(
        self,
        case: Case,
        todo: Iterable[Todo],
        at_once: int,
        workspace: Workspace,
        journal: Journal,
        index: Index,
        tell: Callable[[Ended], None],
    ) -> None:
        self._case, self._at_once, self._workspace = case, at_once, workspace
        self._journal, self._index, self._tell = journal, index, tell
        self._todo = deque(todo)
        self._running: dict[str, tuple[Todo, Request]] = {}
        self._begun = self._troubles = 0

    def fileno(self) -> int:
        """Nobody calls."""
        return -1

    def take(self, running: Sequence[str]) -> Sequence[Request] | None:
        """Give the next windows while there is room for them."""
        wanted: list[Request] = []
        while self._todo and len(running) + len(wanted) < self._at_once:
            one = self._todo.popleft()
            try:
                wanted.append(self._order(one))
            except UserError as error:
                self._tell(Ended(one.window, "failed", error=str(error)))
        return wanted if wanted or running else None

    def _order(self, one: Todo) -> Request:
        """Return the request for a window, and record it: with the run that was begun for the same, if any."""
        self._begun += 1
        if self._begun % _COLLECT == 0:
            gc.collect()
        before, request = one.before, None
        if before is not None and before.asked == one.asked:
            request = self._case.resumed(self._journal, before.run, -self._begun)
        if request is None:
            request = self._case.request(
                one.window, -self._begun
            )  # what is older goes first in the engine too
            self._index.begin(one.window.time, one.asked, request.run)
        self._running[request.run] = one, request
        return request

    def ended(self, summary: Summary) -> None:
        """Record how a run ended."""
        one, request = self._running.pop(summary.run)
        wrote = "\n".join(written(self._workspace, summary.run))
        if summary.ok:
            self._keep(one, request, summary, wrote)
            self._troubles = 0
            self._tell(Ended(one.window, "done", summary.run, wrote=wrote, warnings=summary.warnings))
            return
        failures = summary.failures
        machine = bool(failures) and all(failure.infrastructure for failure in failures)
        error, log = _root(summary)
        self._tell(Ended(one.window, "failed", summary.run, error, machine, log, wrote))
        self._troubles = self._troubles + 1 if machine else 0
        _check_room([*(f"{f.task}: {f.error}" for f in failures if f.infrastructure), *summary.unpublished])
        if self._troubles >= TROUBLE:
            raise InfrastructureError(f"{TROUBLE} windows one after another failed of this machine: {error}")

    def _keep(self, one: Todo, request: Request, summary: Summary, wrote: str) -> None:
        """Record that a window is done as it was asked to be."""
        if self._case.is_edited():
            return  # it is not: the next command finds out by content keys
        known = {path for paths in one.window.files.values() for path in paths}
        others = [path for path in request.graph.sources.values() if path and path not in known]
        self._index.end(one.window.time, summary.run, summary.folder, summary.products, others, wrote)

    def refused(self, request: Request, error: UserError) -> None:
        """Note that a run could not begin."""
        one, _ = self._running.pop(request.run)
        self._tell(Ended(one.window, "failed", request.run, str(error)))

    def full(self, error: DiskFullError) -> None:
        """End everything: somebody waits."""
        raise error

    def waits(self, error: DiskFullError | None) -> None:
        """Let it wait for what runs."""


def _root(summary: Summary) -> tuple[str, str]:
    """Return why a run did not end well, and the path of a log."""
    if summary.failures:
        failure = summary.failures[0]
        return f"{failure.task}: {failure.error}", failure.log
    return (summary.unpublished[0] if summary.unpublished else "not all could run"), ""


def _check_room(errors: Iterable[str]) -> None:
    for error in errors:
        if any(said in error for said in _NO_ROOM):
            raise DiskFullError(error)
