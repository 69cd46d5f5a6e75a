"""Lags: of what data alerts are, beside the files of the newest windows.

Enters: how the cycles of a run were judged, the times of its files. Leaves: in words, that window after window brings
no newer data, or that products are of another time than files; in the log where that begins, turns or is over. Goes
wrong: the journal (`WorkspaceError`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from dynamo.alerts.store import AlertStore, Judged
from dynamo.watch.standing import Standing
from dynamo.watch.times import Off, Times, off

__all__ = ["ROW", "Lags", "newest_judged"]

log = logging.getLogger(__name__)

#: Windows in a row without newer data after which that is told as a trouble.
ROW = 3


class Lags:
    """The lags of one feed."""

    def __init__(self) -> None:
        self._newest: dict[str, datetime] = {}
        self._steps: dict[str, float] = {}  # seconds of data time between what was judged last and before
        self._rows: dict[str, int] = {}
        self._behind: dict[str, str] = {}
        self._off: Off | None = None

    @property
    def words(self) -> str:
        """What is wrong now; empty where nothing is."""
        return "; ".join(self._behind.values()) or (self._off.words if self._off else "")

    def take(
        self,
        cycles: Sequence[Judged],
        fresh: Sequence[Judged],
        times: Times,
        standings: Mapping[str, Standing],
        label: str,
    ) -> None:
        """Take the cycles of a run.

        Parameters
        ----------
        cycles, fresh
            All of them; and those but for which are late as their window is.
        times
            Of the files of the run.
        standings
            How their kinds of hazard stand now.
        label
            What lines of the log begin with.
        """
        before, was_off = set(self._behind), self._off
        for one in fresh:
            if one.outcome is not None:
                self._count(one, times, standings)
        # Files of which nothing can be read are of another time than products, too; that is told already.
        apart = {one.cycle.hazard: one.cycle.issued for one in cycles if one.cycle.hazard not in self._behind}
        self._off = off(times, apart) if apart else None
        for kind in sorted(self._behind.keys() - before):
            log.warning("%s%s", label, self._behind[kind])
        for kind in sorted(before - self._behind.keys()):
            log.info("%s%s: newer data are judged again", label, kind)
        if self._off is not None and (was_off is None or was_off.side != self._off.side):
            log.warning("%s%s", label, self._off.words)

    def _count(self, one: Judged, times: Times, standings: Mapping[str, Standing]) -> None:
        kind, issued = one.cycle.hazard, one.cycle.issued
        if one.outcome != "late":
            if kind in self._newest:
                self._steps[kind] = (issued - self._newest[kind]).total_seconds()
            self._newest[kind] = issued
            self._rows.pop(kind, None)
            self._behind.pop(kind, None)
            return
        self._rows[kind] = self._rows.get(kind, 0) + 1
        # Files of another input, which come more often than those with the data, make windows between them.
        if self._rows[kind] >= ROW and times.newest - issued.timestamp() > self._steps.get(kind, 0.0):
            self._behind[kind] = f"{self._rows[kind]} windows in a row: {standings[kind].words}"


def newest_judged(journal: Path, feed: str) -> float | None:
    """Return the time of the newest data of a feed that were judged, as Unix seconds; None without any."""
    with AlertStore(journal) as store:
        times = [one.issued.timestamp() for one in store.newest_cycles() if one.feed == feed]
    return max(times, default=None)
