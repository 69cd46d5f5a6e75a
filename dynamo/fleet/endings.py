"""Jobs that ended, by class: how many, how many of them had a deadline, and how many of these were late."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dynamo.fleet.queue import Done

__all__ = ["CLASSES", "OTHER", "Ended", "Endings"]

#: So many classes are counted by name since the beginning, and all others as one: whoever submits jobs names them.
CLASSES, OTHER = 50, "other"
_MINUTE, _HOUR = 60.0, 3600.0


class Ended(NamedTuple):
    """How many jobs of a class were done, had a deadline, and were done after it."""

    done: int = 0
    due: int = 0
    late: int = 0

    def plus(self, other: Ended) -> Ended:
        """Return both together."""
        return Ended(*(one + more for one, more in zip(self, other, strict=True)))


class Endings:
    """Jobs that ended in the last hour, to the minute, and since the beginning."""

    def __init__(self) -> None:
        self._minutes: dict[int, dict[str, Ended]] = {}
        #: Class to what ended since the beginning; `CLASSES` of them, and `OTHER`.
        self.total: dict[str, Ended] = {}

    def add(self, one: Done) -> None:
        """Count a job."""
        due = one.due < float("inf")
        ended = Ended(1, int(due), int(due and one.ended > one.due))
        minute = self._minutes.setdefault(int(one.ended // _MINUTE), {})
        minute[one.kind] = minute.get(one.kind, Ended()).plus(ended)
        self.expect([one.kind])
        kind = one.kind if one.kind in self.total else OTHER
        self.total[kind] = self.total[kind].plus(ended)

    def expect(self, kinds: Iterable[str]) -> None:
        """Begin to count classes of which no job has ended yet: else nobody sees the first increase."""
        for kind in kinds:
            if kind not in self.total:
                self.total.setdefault(kind if len(self.total) < CLASSES else OTHER, Ended())

    def hour(self, now: float) -> dict[str, Ended]:
        """Return what ended in the hour before `now`, by class."""
        begin = int((now - _HOUR) // _MINUTE)
        self._minutes = {minute: kinds for minute, kinds in self._minutes.items() if minute > begin}
        found: dict[str, Ended] = {}
        for kinds in self._minutes.values():
            for kind, ended in kinds.items():
                found[kind] = found.get(kind, Ended()).plus(ended)
        return found
