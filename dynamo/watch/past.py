"""Past: matches that are over by the time at which they are judged; nobody's siren must ring for what has gone.

Enters: the matches of a cycle, its fields, and the time. Leaves: the matches that are worth a first alert. Pure;
nothing can go wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

import numpy as np

from dynamo.alerts.hazard import HazardField
from dynamo.alerts.match import Match
from dynamo.alerts.subscriber import Subscribers
from dynamo.alerts.words import REPLAY

__all__ = ["present"]

#: For how long a place must have been clear. A cell that is unknown has no polygon either: just after a time at which
#: a storm is overhead, where air comes in from beyond the radar, it would be taken for clear.
PASSED = timedelta(minutes=10)


def present(
    found: list[Match],
    people: Subscribers,
    fields: Sequence[HazardField],
    now: datetime,
    told: Callable[[], Collection[str]],
) -> list[Match]:
    """Leave out the matches that are over: a later field that the rule looks at, of a time that has come, is clear.

    That field is `PASSED` later at least. Where the last field that has come still shows the hazard, nobody knows, and
    it is told. Of old data that is played again all is told.

    Parameters
    ----------
    found
        All of one kind of hazard.
    people, fields
        Of whom they were found in what.
    now
        When they are judged.
    told
        Returns who was told of it already, asked only where it matters: an update, or the all clear, is theirs.
    """
    come = [(one.valid_time, one.lead_minutes) for one in fields if one.valid_time <= now]
    if not come or now - max(one.issued for one in fields) > REPLAY:
        return found
    last = max(time for time, _ in come)
    late = {match.subscriber for match in found if match.ends + PASSED <= last}
    late -= set(told()) if late else set()
    if not late:
        return found
    leads = _leads(people, found[0].hazard, late)

    def is_over(match: Match) -> bool:
        if match.subscriber not in late:
            return False
        lead = leads[match.subscriber]
        return any(time >= match.ends + PASSED and minutes <= lead for time, minutes in come)

    return [match for match in found if not is_over(match)]


def _leads(people: Subscribers, hazard: str, names: Collection[str]) -> dict[str, float]:
    """Return the lead time, in minutes, up to which every rule of these looks for a kind of hazard."""
    wanted = frozenset(names)
    places = np.fromiter(map(wanted.__contains__, people.ids), bool, len(people))
    codes = [n for n, name in enumerate(people.hazards) if name in {hazard, ""}]
    rows = (places[people.owner] & np.isin(people.hazard, codes)).nonzero()[0]
    least = dict.fromkeys(wanted, float("inf"))
    for name, lead in zip(
        people.ids[people.owner[rows]].tolist(), people.max_lead_minutes[rows].tolist(), strict=True
    ):
        least[name] = min(least[name], lead)
    return least
