"""Matching: subscribers and all hazards of one cycle in, one `Match` for each subscriber and kind near it out.

What can go wrong: polygons of one kind in different units (`DataError`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.alerts.drawn import drawn
from dynamo.alerts.match import Match
from dynamo.alerts.nearness import KNOWN, TILE, TILES, Rules, hold
from dynamo.alerts.outlines import Outlines, outlines
from dynamo.alerts.told import Table, told
from dynamo.errors import DataError
from dynamo.graph.collection import uncollected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.alerts.hazard import HazardField
    from dynamo.alerts.subscriber import Subscribers

__all__ = ["matches"]

# Rules that a thread takes at a time.
_SHARE = TILES * TILE


def matches(subscribers: Subscribers, fields: Sequence[HazardField]) -> list[Match]:
    """Return the matches, by hazard and then in the order of the subscribers."""
    found: list[Match] = []
    for hazard in sorted({field.hazard for field in fields}):
        own = sorted((f for f in fields if f.hazard == hazard), key=lambda f: (f.valid_time, f.lead_minutes))
        if len({field.units for field in own}) > 1:
            units = sorted({field.units for field in own})
            raise DataError(f"hazards of kind {hazard!r} come in several units: {', '.join(units)}")
        numbers = _numbers(subscribers, hazard)
        if not len(numbers) or not sum(len(field.levels) for field in own):
            continue
        rules = Rules(
            numbers,
            subscribers.owner,
            subscribers.within_km * 1000,
            subscribers.min_level,
            subscribers.max_lead_minutes,
            subscribers.lon,
            subscribers.lat,
        )
        table = _table(subscribers, _searched(rules, outlines(own)), own)
        if len(table.owner):
            found += _told(subscribers, table, own)
    return found


def _numbers(subscribers: Subscribers, hazard: str) -> NDArray[np.intp]:
    """Return the numbers of the rules that ask for a kind of hazard, neighbours next to each other: in Morton's order.

    Morton (1966), "A computer oriented geodetic data base": the bits of longitude and latitude by turns.
    """
    codes = [n for n, name in enumerate(subscribers.hazards) if name in {hazard, ""}]
    numbers = np.isin(subscribers.hazard, codes).nonzero()[0]
    owner = subscribers.owner[numbers]
    lon, lat = subscribers.lon[owner], subscribers.lat[owner]
    # Who is nowhere would hide what is near his neighbours.
    somewhere = np.isfinite(lon) & np.isfinite(lat) & ~np.isnan(subscribers.within_km[numbers])
    order = np.argsort(_spread(lon[somewhere] + 180) | _spread(lat[somewhere] + 90) << 1)
    return np.asarray(numbers[somewhere][order])


def _spread(degrees: NDArray[Any]) -> NDArray[np.int64]:
    """Return angles from 0 to 360 degrees as 24 bits, 2 metres each, every second of 48."""
    bits = (degrees * (2**24 / 360)).astype(np.int64) & (2**24 - 1)
    for shift, mask in (
        (16, 0xFF0000FFFF),
        (8, 0xFF00FF00FF),
        (4, 0xF0F0F0F0F0F),
        (2, 0x333333333333),
        (1, 0x555555555555),
    ):
        bits = (bits | bits << shift) & mask
    return bits


def _searched(rules: Rules, shapes: Outlines) -> NDArray[Any]:
    """Return what is known of all rules; the processors share the work."""
    known = np.zeros(len(rules.owner), KNOWN)

    def search(start: int) -> None:
        some = rules._replace(numbers=rules.numbers[start : start + _SHARE])
        hold(some, *shapes, known)

    starts = range(0, len(rules.numbers), _SHARE)
    with ThreadPoolExecutor(min(os.cpu_count() or 1, len(starts))) as pool:
        for _ in pool.map(search, starts):
            pass
    return known


def _table(subscribers: Subscribers, known: NDArray[Any], fields: Sequence[HazardField]) -> Table:
    """Return the rules that matched, ordered by their subscribers."""
    rules = (known["best"] > 0).nonzero()[0]
    rules = rules[np.argsort(subscribers.owner[rules], kind="stable")]
    known = known[rules]
    return Table(
        owner=subscribers.owner[rules],
        rule=rules,
        level=np.concatenate([field.levels for field in fields])[known["polygon"]],
        polygon=known["polygon"],
        onset=known["onset"],
        ends=known["ends"],
        inside=known["metres"] == 0,
        km=known["metres"] / 1000,
        bearing=known["bearing"],
    )


def _told(subscribers: Subscribers, table: Table, fields: Sequence[HazardField]) -> list[Match]:
    """Return the matches of one kind of hazard."""
    polygons = np.concatenate([field.polygons for field in fields])
    sources = [field.source for field in fields for _ in field.levels]
    told_of = np.unique(table.polygon).tolist()
    with uncollected(), ThreadPoolExecutor(os.cpu_count()) as pool:
        pictures = dict(zip(told_of, pool.map(drawn, polygons[told_of]), strict=True))
    return told(subscribers, table, fields, pictures, {n: sources[n] for n in told_of})
