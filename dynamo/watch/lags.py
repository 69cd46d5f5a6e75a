"""Lags: of what data alerts are, beside the files of the newest windows.

Enters: how the cycles of a run were judged, the times of its files. Leaves: in words, that window after window brings
no newer data for longer than usual, or that products are of another time than files; in the log where that begins,
turns or is over. Goes wrong: the journal (`WorkspaceError`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from dynamo.alerts.judged import Judged
from dynamo.alerts.store import AlertStore
from dynamo.watch.standing import Standing
from dynamo.watch.times import APART, Off, Times, off

__all__ = ["ROW", "Lags", "newest_judged"]

log = logging.getLogger(__name__)

#: Windows in a row without newer data before which that is no trouble.
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
        spoken = {one.cycle.hazard for one in cycles}
        # Where nothing is known products may be missing, which may speak of more.
        if any(one.cycle.known_share for one in cycles):
            for held in (self._newest, self._rows, self._behind):
                for kind in held.keys() - spoken:
                    del held[kind]
        # Data that are not newer are of another time than the newest files, too; how long that may be is known here.
        apart = {one.cycle.hazard: one.cycle.issued for one in cycles if one.cycle.hazard not in self._rows}
        if apart:
            self._off = off(times, apart)
        for kind in sorted(self._behind.keys() - before):
            log.warning("%s%s", label, self._behind[kind])
        for kind in sorted(before - self._behind.keys()):
            why = "newer data are judged again" if kind in spoken else "no product speaks of it any more"
            log.info("%s%s: %s", label, kind, why)
        if self._off is not None and (was_off is None or was_off.side != self._off.side):
            log.warning("%s%s", label, self._off.words)

    def _count(self, one: Judged, times: Times, standings: Mapping[str, Standing]) -> None:
        kind, issued = one.cycle.hazard, one.cycle.issued
        if one.outcome != "late":
            step = (issued - self._newest.get(kind, issued)).total_seconds()
            if step > 0:  # a run may be judged again
                self._steps[kind] = step
            self._newest[kind] = issued
            self._rows.pop(kind, None)
            self._behind.pop(kind, None)
            return
        self._rows[kind] = self._rows.get(kind, 0) + 1
        # Files of another input, which come more often than those with the data, make windows between them. Just before
        # the next data come, the last are as old as a step and the time that data take to come.
        lag = times.newest - issued.timestamp()
        if self._rows[kind] >= ROW and lag > 2 * self._steps.get(kind, 0.0) + APART:
            self._behind[kind] = f"{self._rows[kind]} windows in a row: {standings[kind].words}"


def newest_judged(journal: Path, feed: str) -> float | None:
    """Return the time of the newest data of a feed that were judged, as Unix seconds; None without any."""
    with AlertStore(journal) as store:
        times = [store.newest(feed, kind) for kind in store.kinds(feed)]
    return max((one.timestamp() for one in times if one is not None), default=None)
