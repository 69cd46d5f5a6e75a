"""The share that is known near a place, against counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.alerts.seen import seen_map

ROWS = ["0123", "4567", "8990"]
BOX = (4.0, 52.0, 5.0, 52.6)


@given(
    st.floats(3.5, 5.5),
    st.floats(51.8, 52.8),
    st.floats(0, 60),
    st.sampled_from(((4.0, 52.0, 5.0, 52.6), (-0.5, 52.0, 0.5, 52.6), (179.5, 52.0, 180.5, 52.6))),
)
def test_it_is_what_counting_many_points_gives(lon, lat, within_km, bounds):
    """Of a square around the place, half a cell at least; what is beyond the map is not known."""
    lon += bounds[0] - 4.0
    high = max(within_km / 111.2, 0.1)
    wide = max(within_km / 111.2 / np.cos(np.radians(lat)), 0.125)
    x = lon + (np.arange(400) + 0.5) / 200 * wide - wide
    y = lat + (np.arange(400) + 0.5) / 200 * high - high
    column = np.floor((x - bounds[0]) * 4).astype(int)
    row = np.floor((bounds[3] - y) * 5).astype(int)
    padded = np.zeros((5, 6))
    padded[1:-1, 1:-1] = np.array([[int(one) for one in text] for text in ROWS]) / 9
    counted = padded[np.clip(row + 1, 0, 4)[:, None], np.clip(column + 1, 0, 5)].mean()
    there = lon - 360 if lon > 180 else lon
    assert seen_map(bounds, ROWS).near(there, lat, within_km) == pytest.approx(counted, abs=0.01)


def test_a_map_of_more_than_half_the_earth_is_known_to_its_end():
    """East of it nothing is."""
    seen = seen_map((-100.0, -10.0, 150.0, 10.0), ["9" * 25])
    shares = [round(seen.near(lon, 0, 50.0), 3) for lon in (-99, -20, 149, 170, -179)]
    assert shares == [0.6, 1.0, 0.6, 0.0, 0.0]


@pytest.mark.parametrize(
    ("bounds", "rows"),
    [
        (None, ROWS),
        ((4.0, 52.0, 4.0, 52.6), ROWS),
        (BOX, None),
        (BOX, []),
        (BOX, [""]),
        (BOX, ["01", "2"]),
        (BOX, ["0a"]),
        (BOX, ["0²"]),
        (BOX, [[0, 1]]),
        (BOX, "01"),
    ],
)
def test_what_is_no_map_is_none(bounds, rows):
    """Nobody's alert hangs on it."""
    assert seen_map(bounds, rows) is None
