"""The judge: the products of a run in, alerts out, recorded with their deliveries.

Enters: a run that ended, the paths of its products. Leaves: for each kind of hazard that these speak of, one cycle,
judged. Goes wrong: a product that is none (`DataError`), the journal (`WorkspaceError`).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dynamo.alerts.alert import Alert
from dynamo.alerts.asked import asked
from dynamo.alerts.collection import NoCollectionError
from dynamo.alerts.hazard import HazardField, read_hazards
from dynamo.alerts.judged import Judged
from dynamo.alerts.lifecycle import Cycle
from dynamo.alerts.looked import still_near
from dynamo.alerts.match import match
from dynamo.alerts.policy import Policy
from dynamo.alerts.seen import seen_first
from dynamo.alerts.store import GONE, NOT_READ, AlertStore
from dynamo.alerts.subscriber import Subscribers
from dynamo.errors import DataError
from dynamo.graph.collection import uncollected
from dynamo.watch.beyond import beyond
from dynamo.watch.channels import address
from dynamo.watch.lags import Lags
from dynamo.watch.standing import Standing, news, standings
from dynamo.watch.times import Times
from dynamo.watch.wrote import wrote
from dynamo.worker.store import digest_file

__all__ = ["Judge", "Products", "Verdict"]

log = logging.getLogger(__name__)

#: How far ahead of this clock that of the data may be.
AHEAD = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Products:
    """Of one run: its id, the folder of its products, and their paths; the times of its files, where it has any.

    Lines of the log begin with `label`. `missing` names the products that were not made, or not put in their place:
    None where nobody knows which those are.
    """

    run: str
    folder: str
    paths: Sequence[str]
    times: Times | None = None
    label: str = ""
    missing: Sequence[str] | None = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of judging a run.

    Parameters
    ----------
    cycles
        One for each kind of hazard.
    faults
        What was wrong with products, of whatever kind.
    standings
        How each kind of hazard stands now.
    off
        That products are lately of another time than files, or bring nothing newer, in words.
    whole
        Whether no product is missing that may hold hazards.
    """

    cycles: tuple[Judged, ...] = ()
    faults: tuple[DataError, ...] = ()
    standings: Mapping[str, Standing] = field(default_factory=dict)
    off: str = ""
    whole: bool = True

    @property
    def alerts(self) -> list[Alert]:
        """All that is told."""
        return [alert for one in self.cycles for alert in one.alerts]


class Judge:
    """Judges the runs of one feed.

    Parameters
    ----------
    journal
        The file.
    feed
        The feed's name.
    subscribers
        Returns who is told of what, asked in each cycle.
    channels
        Names of all channels; who names none is told on all of them.
    globs
        Names of products that hold hazards.
    policy
        What is worth an alert.
    """

    def __init__(
        self,
        journal: Path,
        feed: str,
        subscribers: Callable[[], Subscribers],
        channels: Sequence[str],
        globs: Sequence[str],
        policy: Policy,
    ) -> None:
        self._journal, self._feed, self._subscribers = journal, feed, subscribers
        self._channels, self._globs, self._policy = tuple(sorted(channels)), tuple(globs), policy
        self._store: AlertStore | None = None
        self._standings: dict[str, Standing] = {}
        self._apart: tuple[Subscribers, Subscribers] | None = None
        self._lags = Lags()
        self._looked: dict[str, tuple[Any, set[Any]]] = {}  # whose ids, and which bounds, by hazard
        self._silent: set[str] = set()  # kinds of which it was told that their products say no share

    def __call__(self, products: Products) -> Verdict:
        """Judge a run; always in the same thread.

        A run that was judged already gives nothing. Raises `DataError` where no product can hold a hazard.
        """
        if self._store is None:
            self._store = AlertStore(self._journal)
        people = self._people()
        fields, faults = self._fields(products, float(people.min_level.min(initial=math.inf)))
        is_made = products.missing is not None and not any(map(self._holds, products.missing))
        if not fields and not faults and not is_made:
            return self._verdict(whole=False)
        if not fields and not faults:
            globs = ", ".join(map(repr, self._globs))
            raise DataError(f"no product has a name like {globs}, so nobody can be told of anything")
        cycles: list[Judged] = []
        # Where a file is missing or cannot be read, nothing counts as clear: it may have held any hazard. What is wrong
        # with one kind, found below, says nothing of the others.
        whole = is_made and not faults
        for hazard in sorted({one.hazard for one in fields}):
            of_it = [one for one in fields if one.hazard == hazard]
            try:
                cycles.append(self._judge(products.run, people, of_it, whole=whole))
                self._look_beyond(people, of_it, products.label)
            except DataError as error:
                faults.append(error)
        spoken = {one.hazard for one in fields}
        if faults or not whole:  # what cannot be read may speak of any kind
            spoken |= {kind for feed, kind in self._store.active() if feed == self._feed} | set(
                people.hazards
            )
        self._lapse(cycles, is_told=not faults and whole)
        if cycles:
            self._stand(people, spoken, cycles, products)
        return self._verdict(cycles, faults, whole=is_made)

    def _verdict(
        self, cycles: Sequence[Judged] = (), faults: Sequence[DataError] = (), *, whole: bool
    ) -> Verdict:
        return Verdict(tuple(cycles), tuple(faults), self._standings, self._lags.words, whole)

    def _judge(self, run: str, people: Subscribers, fields: list[HazardField], *, whole: bool) -> Judged:
        """Judge the fields of one hazard."""
        assert self._store is not None
        now, issued = datetime.now(UTC), max(one.issued for one in fields)
        if issued > now + AHEAD:
            raise DataError(
                f"hazards of kind {fields[0].hazard!r} are of {issued:%Y-%m-%d %H:%M:%SZ}, which is to come; "
                "is a clock wrong?"
            )
        known = self._known(fields) if whole else 0.0
        channels = tuple(address(self._feed, name) for name in self._channels)
        seen = seen_first([(one.lead_minutes, one.seen) for one in fields])
        cycle = Cycle(self._feed, run, fields[0].hazard, issued, now, known, channels=channels, seen=seen)
        return self._store.judge(
            cycle,
            match(people, fields),
            self._policy,
            asking=partial(asked, people, cycle.hazard),
            looking=partial(still_near, people, fields),
        )

    def _known(self, fields: Sequence[HazardField]) -> float:
        """Return the least share that was seen at the first of the lead times that tell one; 1 where none does."""
        shares = [(one.lead_minutes, one.known_share) for one in fields if one.known_share is not None]
        if not shares and (kind := fields[0].hazard) not in self._silent:
            self._silent.add(kind)
            log.warning(
                "products of %s say no known_share: where they show nothing, all counts as seen", kind
            )
        return min(shares, default=(0.0, 1.0))[1]

    def _look_beyond(self, people: Subscribers, fields: Sequence[HazardField], label: str) -> None:
        """Tell in the log who cannot be told, once for each file of subscribers and each field."""
        before, now = self._looked.get(fields[0].hazard), {field.bounds for field in fields}
        # Who moves leaves the ids as they are; a file that is read anew does not.
        if before is None or before[0] is not people.ids or before[1] != now:
            self._looked[fields[0].hazard] = (people.ids, now)
            if said := beyond(people, fields):
                log.warning("%s%s", label, said)

    def _people(self) -> Subscribers:
        """Return those who are told now, with channels named as in the journal; made anew when they change."""
        people = self._subscribers()
        if self._apart is None or self._apart[0] is not people:
            apart = people.apart(self._channels)
            names = tuple(name and address(self._feed, name) for name in apart.channels)
            self._apart = (people, replace(apart, channels=names))
        return self._apart[1]

    def _is_old(self, one: Judged, products: Products) -> bool:
        """Whether a cycle is late as its window is: newer data were judged first, which still stand."""
        assert self._store is not None
        newest = self._store.newest(self._feed, one.cycle.hazard)
        return (
            one.outcome == "late"
            and products.times is not None
            and newest is not None
            and products.times.newest <= newest.timestamp()
        )

    def _lapse(self, cycles: Sequence[Judged], *, is_told: bool) -> None:
        """End what expired of kinds of hazard that were not judged: nobody can clear it.

        Unless all products tell theirs, the next run may speak of them again.
        """
        assert self._store is not None
        if cycles:
            newest = max((one.cycle for one in cycles), key=lambda cycle: cycle.issued)
            judged = {one.cycle.hazard for one in cycles}
            why, after = (GONE, 0.0) if is_told else (NOT_READ, self._policy.forget_after)
            self._store.lapse(self._feed, judged, newest.issued, newest.now, why, after)

    def _stand(
        self, people: Subscribers, spoken: set[str], cycles: Sequence[Judged], products: Products
    ) -> None:
        """Tell how kinds of hazard stand, and of what data they are, where that is news."""
        assert self._store is not None
        active = self._store.active().items()
        missing = {kind: n for (feed, kind), n in active if feed == self._feed and kind not in spoken}
        rules = np.bincount(people.hazard, minlength=len(people.hazards)).tolist()
        asked_for = {kind for kind, n in zip(people.hazards, rules, strict=True) if kind and n}
        never = sorted(asked_for - spoken - self._store.kinds(self._feed))
        fresh = [one for one in cycles if not self._is_old(one, products)]
        is_late = any(one.outcome == "late" for one in fresh)
        why = wrote(self._journal, products.run) if is_late else ""
        after = standings(self._standings, fresh, missing, never, str(products.times or ""), why)
        for one in news(self._standings, after):
            level = logging.INFO if one.state == "judged" else logging.WARNING
            log.log(level, "%s%s", products.label, one.words)
        self._standings = after
        if products.times is not None:
            self._lags.take(cycles, fresh, products.times, after, products.label)

    def close(self) -> None:
        """Close the journal; in the thread of the calls."""
        if self._store is not None:
            self._store.close()

    def _holds(self, name: str) -> bool:
        """Whether a product of this name holds hazards."""
        return any(fnmatchcase(name, glob) for glob in self._globs)

    def _fields(self, products: Products, least: float) -> tuple[list[HazardField], list[DataError]]:
        """Read what can be read, and say what cannot."""
        names = {path: path.removeprefix(f"{products.folder}/") for path in products.paths}
        fields: list[HazardField] = []
        faults: list[DataError] = []
        with uncollected():  # millions of positions, as lists of lists
            for path, name in names.items():
                if self._holds(name):
                    try:
                        fields.append(read_hazards(Path(path), digest_file(path), least))
                    except NoCollectionError as error:
                        said = f"{error.message}; name in `products:` only those that hold hazards"
                        faults.append(DataError(said, place=error.place))
                    except DataError as error:
                        faults.append(error)
        # Of two alike that are told the first, whatever the files are called.
        return sorted(
            fields, key=lambda one: (one.hazard, one.valid_time, one.lead_minutes, one.source)
        ), faults
