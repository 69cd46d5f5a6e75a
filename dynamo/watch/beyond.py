"""Beyond: who lies so far from the field that products are about that no alert can reach him.

Enters: subscribers, and the fields of one kind of hazard. Leaves: that in words, or nothing. It is a slip of the file
as a rule, like swapped coordinates or a lost sign, and nothing else would tell of it. Pure; nothing can go wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dynamo.alerts.globe import near
from dynamo.graph.units import format_count

if TYPE_CHECKING:
    from dynamo.alerts.hazard import HazardField
    from dynamo.alerts.subscriber import Subscribers

__all__ = ["beyond"]

#: Names that are told.
_TOLD = 5


def beyond(people: Subscribers, fields: Sequence[HazardField]) -> str:
    """Say who of those that ask for this hazard is farther from its field than he looks; empty where nobody is.

    Nobody is where a product does not say its bounds, nor who posts where he is: he may well be on a journey.
    """
    bounds = {field.bounds for field in fields}
    hazard = fields[0].hazard
    if None in bounds:
        return ""
    codes = [n for n, name in enumerate(people.hazards) if name in {hazard, ""}]
    rows = np.isin(people.hazard, codes).nonzero()[0]
    owner = people.owner[rows]
    is_beyond = np.zeros(len(people), bool)
    is_beyond[owner] = True
    for box in bounds:
        reached = near(np.array(box), people.lon[owner], people.lat[owner], people.within_km[rows] * 1000)
        is_beyond[owner[reached]] = False
    if people.posted:
        is_beyond &= ~np.fromiter(map(people.posted.__contains__, people.ids), bool, len(people))
    count, names = int(np.count_nonzero(is_beyond)), people.ids[is_beyond][:_TOLD].tolist()
    if not count:
        return ""
    more = f" and {count - _TOLD:,} more" if count > _TOLD else ""
    west, south, east, north = next(box for box in bounds if box is not None)
    whom = format_count(count, "subscriber")
    return (
        f"{whom} cannot be told of {hazard} by this run file, farther from the field of its products (longitude"
        f" {west:g} to {east:g}, latitude {south:g} to {north:g}) than the distance asked for:"
        f" {', '.join(map(repr, names))}{more}"
    )
