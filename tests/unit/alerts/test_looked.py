"""Places where subscribers were told and are no more."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from dynamo.alerts.hazard import HazardField
from dynamo.alerts.looked import still_near
from dynamo.alerts.match import match
from dynamo.alerts.subscriber import Rule, Subscribers

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
STORM = HazardField("STORM", "dBZ", NOW, NOW, 0, np.array([45.0]), np.array([shapely.box(4, 52, 5, 53)]))
RULES = [Rule("STORM", 45, 10.0, channel="phone"), Rule("STORM", 45, 50.0), Rule("HAIL", within_km=500.0)]


@pytest.mark.parametrize(("lon", "said"), [(4.5, {"phone", "desk"}), (5.5, {"phone", "desk"}), (7, set())])
def test_it_is_near_by_the_rules_of_now(lon, said):
    """Those of the way, and those that name none; of who is in the file."""
    people = Subscribers.of([("a", 0, 0), ("b", 9, 9)], RULES)
    places = {("b", "phone"): (lon, 52.5), ("b", "desk"): (lon, 52.5), ("gone", "desk"): (4.5, 52.5)}
    assert still_near(people, [STORM], places) == {("b", way) for way in said}
    assert still_near(people, [STORM], {("gone", ""): (4.5, 52.5)}) == set()


@given(st.lists(st.tuples(st.floats(3, 6), st.floats(51, 54)), min_size=1, max_size=6))
def test_it_is_near_where_it_would_match(places):
    """As if the subscribers were there."""
    there = Subscribers.of([(str(n), *place) for n, place in enumerate(places)], [RULES[0]])
    elsewhere = Subscribers.of([(str(n), 0, 0) for n in reversed(range(len(places)))], [RULES[0]])
    looked = still_near(elsewhere, [STORM], {(str(n), "phone"): at for n, at in enumerate(places)})
    assert looked == {(one.subscriber, one.way) for one in match(there, [STORM])}
