"""The judge: the products of a run in, alerts out, recorded with their deliveries.

Enters: a run that ended, the paths of its products. Leaves: for each kind of hazard that was or is under way, one
cycle, judged. Goes wrong: a product that is none (`DataError`), the journal (`WorkspaceError`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from dynamo.alerts.alert import Alert
from dynamo.alerts.hazard import HazardField, read_hazards
from dynamo.alerts.lifecycle import Cycle, Policy
from dynamo.alerts.match import Match
from dynamo.alerts.matching import matches
from dynamo.alerts.store import AlertStore
from dynamo.alerts.subscriber import Subscribers
from dynamo.graph.collection import uncollected
from dynamo.watch.channels import address
from dynamo.worker.store import digest_file

__all__ = ["Judge", "Products"]


@dataclass(frozen=True, slots=True)
class Products:
    """Of one run: its id, the folder of its products, and their paths."""

    run: str
    folder: str
    paths: Sequence[str]


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

    def __call__(self, products: Products) -> list[Alert]:
        """Judge a run, and return what is told of it; always in the same thread.

        A run that was judged already gives nothing.
        """
        if self._store is None:
            self._store = AlertStore(self._journal)
        people = self._subscribers()
        fields = self._fields(products, float(people.min_level.min(initial=math.inf)))  # nobody asks for less
        told: list[Alert] = []
        for hazard in dict.fromkeys(field.hazard for field in fields):
            of_it = [field for field in fields if field.hazard == hazard]
            issued = max(field.issued for field in of_it)
            shares = [f.known_share for f in of_it if f.known_share is not None and f.lead_minutes == 0]
            cycle = Cycle(
                self._feed, products.run, hazard, issued, datetime.now(UTC), min(shares, default=1.0)
            )
            found = [self._addressed(match) for match in matches(people, of_it)]
            told += self._store.judge(cycle, found, self._policy)
        return told

    def close(self) -> None:
        """Close the journal; in the thread of the calls."""
        if self._store is not None:
            self._store.close()

    def _fields(self, products: Products, least: float) -> list[HazardField]:
        names = {path: path.removeprefix(f"{products.folder}/") for path in products.paths}
        chosen = [
            path for path, name in names.items() if any(fnmatchcase(name, glob) for glob in self._globs)
        ]
        with uncollected():  # millions of positions, as lists of lists
            return [read_hazards(Path(path), digest_file(path), least) for path in chosen]

    def _addressed(self, match: Match) -> Match:
        names = match.channels or self._channels
        return replace(match, channels=tuple(address(self._feed, name) for name in names))
