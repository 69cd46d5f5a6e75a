"""Room on the disk: when what found none is tried again, and how often a run may find none.

Enters: what a full disk ended or failed of it. Leaves: whether there is room to try again, and requests to go on. Goes
wrong: a run that is at work whenever the disk is full is given up (`UserError`): it may be what fills it.
"""

from __future__ import annotations

import errno
import math
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from dynamo.engine.request import Request
from dynamo.engine.source import Source
from dynamo.engine.workers import Gone, Reported
from dynamo.errors import UserError
from dynamo.graph.units import format_count
from dynamo.journal.database import DiskFullError
from dynamo.worker.limits import RETRIES

__all__ = ["Room"]

#: Seconds between looks whether there is room.
AGAIN = 1.0
#: Bytes that can be written where there is: a run that needs more is begun, and counted where it finds none.
ENOUGH = 1 << 20


class Room:
    """What waits for room, of one engine that works in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._probe = folder / "room"
        self._next = -math.inf
        self._waits = self._opened = False
        self._found = True
        self._ended: dict[str, int] = {}

    def may_begin(self) -> bool:
        """Whether anything may be begun: nothing waits for room, or there is some."""
        if self._waits and time.monotonic() >= self._next:
            before, self._found = self._found, self._look()
            self._opened |= self._found and not before
            self._next = time.monotonic() + AGAIN
        return self._found

    def opened(self) -> bool:
        """Whether there has come to be room since this was asked last."""
        opened, self._opened = self._opened, False
        return opened

    def wait(self, error: DiskFullError, source: Source, pause: float | None = None) -> None:
        """Begin nothing until there is room, which is looked for after a pause (seconds)."""
        self._next = time.monotonic() + (AGAIN if pause is None else pause)
        self._waits, self._found = True, False
        source.waits(error)

    def look_at(self, happened: Iterable[Reported | Gone], source: Source) -> None:
        """Wait where a task has found the disk full and `source` outlasts that; what it wrote is removed already."""
        for event in happened:
            if isinstance(event, Reported) and event.report.outcome == "full" and source.outlasts:
                said = f"the disk is full: {event.report.task}: {event.report.error}"
                self.wait(DiskFullError(said), source, 0.0)

    def over(self, source: Source) -> None:
        """Tell `source` that nothing waits any more, if anything did and there is room."""
        if self._waits and self._found:
            self._waits = False
            source.waits(None)

    def again(self, ended: Iterable[Request], at_work: Collection[str], source: Source) -> Iterator[Request]:
        """Yield the requests to go on with runs that were ended; give up those that were at work too often."""
        for request in ended:
            times = self._ended[request.run] = self._ended.get(request.run, 0) + (request.run in at_work)
            if times > RETRIES:
                self.forget(request.run)
                error = (
                    f"run {request.run}: the disk of the workspace was full {format_count(times, 'time')} while it "
                    "ran; make room, or have its tasks write less"
                )
                source.refused(request, UserError(error))
            else:
                yield replace(request, resume=True)

    def forget(self, run: str) -> None:
        """Note that a run is over."""
        self._ended.pop(run, None)

    def _look(self) -> bool:
        """Whether there is room, also of the user's share (quota), which no figure tells of every file system."""
        try:
            self._probe.write_bytes(bytes(ENOUGH))
        except OSError as error:  # any other is for those to tell who meet it
            return error.errno not in (errno.ENOSPC, errno.EDQUOT)
        finally:
            with suppress(OSError):
                self._probe.unlink()
        return True
