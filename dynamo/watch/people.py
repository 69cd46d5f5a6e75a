"""The people that a run file names: its subscribers, with the rules that the run file gives to the others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from dynamo.alerts.subscriber import Rule, Subscribers
from dynamo.alerts.subscribers_file import Fault, read_subscribers
from dynamo.errors import DataError, DynamoError
from dynamo.graph.units import format_count
from dynamo.runfile.alerts import AlertsRule
from dynamo.runfile.paths import under

__all__ = ["FaultyPeopleError", "People", "read_people"]

log = logging.getLogger(__name__)

#: Faults of a file that are told; more are counted.
TOLD = 20

#: Looks at a file that changes all the time, after which it is read all the same.
RESTLESS = 10

#: Returns longitude and latitude by id of who said where he is, after some time (Unix seconds).
Posted = Callable[[float], Mapping[str, tuple[float, float]]]


class FaultyPeopleError(DataError):
    """A file of subscribers has the `faults` listed, each in the row that it names."""

    def __init__(self, path: Path, faults: Collection[Fault]) -> None:
        self.path, self.faults = path, tuple(faults)
        told = [f"  {path}:{fault}" if fault.line else f"  {path}: {fault}" for fault in self.faults[:TOLD]]
        more = len(self.faults) - TOLD
        told += [f"  and {more:,} more"] if more > 0 else []
        super().__init__("\n".join([f"{path}: {format_count(len(faults), 'fault')} in its rows:", *told]))


class _Known:
    """The subscribers of a file as it was read, and where each id stands among them."""

    def __init__(self, people: Subscribers) -> None:
        self.people = people

    @cached_property
    def rows(self) -> dict[str, int]:
        """Of a million ids it takes a tenth of a gigabyte, so it is made only where somebody moves."""
        return {name: row for row, name in enumerate(self.people.ids.tolist())}


class People:
    """The subscribers of a watched run file: read when it begins, and again when their file has changed.

    So somebody who moves, comes or goes is minded, by a new file in place of the old one once that was looked at twice,
    or from the next cycle on by a position that he posted.

    Parameters
    ----------
    alerts, base
        The section of the run file, and the folder that this is in.
    channels
        Names of all channels; None lets every name pass.
    posted
        Who said where he is.
    label
        What lines of the log begin with.

    Raises
    ------
    UserError
        As `read_people`; later, what is wrong is told and those known before stay.
    """

    def __init__(
        self,
        alerts: AlertsRule,
        base: Path,
        channels: Collection[str] | None,
        posted: Posted = lambda _: {},
        label: str = "",
    ) -> None:
        self._alerts, self._base, self._channels, self._posted = alerts, base, channels, posted
        self._label = label
        self.path = under(base, alerts.subscribers)
        self._state = self._seen = self._look()
        self._restless = 0  # looks in a row at which it was not as it was read
        #: Why the file as it is now is not taken, or that nobody is told; else empty.
        self.wrong = ""
        self.left_out: tuple[Fault, ...] = ()
        self._moved: Mapping[str, tuple[float, float]] = {}
        self._take(self._read())

    @property
    def known(self) -> Subscribers:
        """All as the file has them."""
        return self._known.people

    def now(self) -> Subscribers:
        """Return those who are to be told now, where they are now; the same object while nothing changed."""
        posted = self._posted(time.time() - self._alerts.positions.keep)
        if posted != self._moved:
            self._moved, self._now = posted, self._where(posted)
        return self._now

    def look(self) -> None:
        """Read the file anew where it has changed and rests since the last look; tell what is wrong with it, once.

        Of one that is written in its place, whoever stands in the other half would be told nothing meanwhile.
        """
        state = self._look()
        rests, self._seen = state == self._seen, state
        if state == self._state:
            self._restless = 0
            return
        self._restless += 1
        if rests or self._restless >= RESTLESS:
            self._restless, self._state = 0, state
            self._follow()

    def tell(self) -> None:
        """Tell in the log which rows of the file are left out, and where there is nobody."""
        for fault in self.left_out:
            log.warning("%sleft out: %s:%s", self._label, self.path, fault)
        if self.wrong:
            log.warning("%s%s", self._label, self.wrong)

    def _follow(self) -> None:
        try:
            self._take(self._read())
        except DynamoError as error:
            self.wrong = str(error)
            log.error("%ssubscribers stay as they were: %s", self._label, error)  # noqa: TRY400 - the user's fault
        else:
            told = format_count(len(self.known), "subscriber")
            log.info("%sread %s anew: %s", self._label, self.path, told)
            self.tell()

    def __contains__(self, subscriber: object) -> bool:
        """Whether the file, as it was read last, has this id; from any thread."""
        return subscriber in self._known.rows

    def _take(self, people: Subscribers) -> None:
        known = _Known(people)
        if self._alerts.positions.token:
            known.rows  # noqa: B018 - made here, where nobody waits for an answer
        self._known, self._now, self._moved = known, people, {}
        self.wrong = "" if len(people) else f"there is no subscriber in {self.path}: nobody is told"

    def _where(self, posted: Mapping[str, tuple[float, float]]) -> Subscribers:
        """Return all, those who posted a position at it: one pass over those, one copy of the columns."""
        people, rows = self.known, self._known.rows if posted else {}
        found = {rows[name]: at for name, at in posted.items() if name in rows}
        if not found:
            return people
        places = np.array(list(found.values()))
        lon, lat = people.lon.copy(), people.lat.copy()
        lon[list(found)], lat[list(found)] = places[:, 0], places[:, 1]
        return replace(people, lon=lon, lat=lat, posted=frozenset(people.ids[list(found)].tolist()))

    def _look(self) -> tuple[int, int, int] | None:
        try:
            state = self.path.stat()
        except OSError:
            return None
        return state.st_ino, state.st_size, state.st_mtime_ns

    def _read(self) -> Subscribers:
        known, self.left_out = read_people(self._alerts, self._base, self._channels)
        return known


def read_people(
    alerts: AlertsRule, base: Path, channels: Collection[str] | None
) -> tuple[Subscribers, tuple[Fault, ...]]:
    """Return the subscribers of a run file in the folder `base`, and the rows that were left out.

    `channels` are the names of all channels; None lets every name pass.

    Raises
    ------
    FaultyPeopleError
        The file has rows that are wrong, unless these are to be skipped.
    UserError
        The file cannot be read.
    """
    rules = [
        Rule(r.hazard, r.level, r.within, r.lead / 60 if r.lead is not None else float("inf"), to)
        for r in alerts.rules
        for to in r.to or [""]
    ]
    path = under(base, alerts.subscribers)
    people, faults = read_subscribers(path, rules, channels=channels, strict=False)
    if faults and alerts.faults == "refuse":
        raise FaultyPeopleError(path, faults)
    return people, faults
