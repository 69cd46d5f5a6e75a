"""Positions the wrong way round: refused only where that is beyond doubt."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dynamo.alerts.subscriber import Subscribers
from dynamo.watch.swapped import Whereabouts

ZURICH = [("a", 8.2, 47.1), ("b", 8.9, 47.9)]
LON, LAT = st.floats(-180, 180), st.floats(-90, 90)


def wrong(places, lon, lat):
    return Whereabouts(Subscribers.of(places, [])).wrong(lon, lat)


@pytest.mark.parametrize(
    ("lon", "lat", "refused"),
    [(47.5, 8.5, True), (8.5, 47.5, False), (2.3, 48.9, False), (48.9, 2.3, False), (-97.0, 32.7, False)],
)
def test_only_what_would_be_among_the_subscribers_is_taken_for_swapped(lon, lat, refused):
    """Who travels far is where he says; so is who is far the other way round as well."""
    assert bool(wrong(ZURICH, lon, lat)) == refused


@given(st.lists(st.tuples(LON, LAT), min_size=1, max_size=9), st.data())
def test_nobody_among_the_subscribers_is_refused(places, data):
    """Wherever on earth they are, at its edges, too."""
    people = [(str(n), *place) for n, place in enumerate(places)]
    lon, lat = data.draw(st.sampled_from(places))
    assert wrong(people, lon, lat) == ""


@given(LON, LAT)
def test_where_there_is_nobody_nobody_is_refused(lon, lat):
    """Nothing is known."""
    assume(abs(lon) <= 90)
    assert wrong([], lon, lat) == ""
