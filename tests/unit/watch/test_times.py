"""Times of files, and products of another time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dynamo.runfile.times import find_time
from dynamo.triggers.arrival import Reading
from dynamo.triggers.window import Window
from dynamo.watch.times import Times, off, times_of

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
UNIX = NOON.timestamp()
READINGS = {"frames": Reading(find_time)}


def window(*names, data=UNIX, of="frames"):
    """Return a window of files."""
    return Window(UNIX, UNIX, {of: tuple(f"/in/{name}" for name in names)}, data=data)


def test_times_of_a_window_are_those_of_the_names_of_its_files():
    """From the newest back to the oldest; a name without a time says nothing, nor an input that is no more."""
    names = ("a-20260601-114500.nc", "a-20260601-120000.nc", "odd.nc")
    assert times_of(window(*names), READINGS) == Times(UNIX, 900.0)
    assert times_of(window("odd.nc"), READINGS) == Times(UNIX)
    assert times_of(window(*names, of="gone"), READINGS) == Times(UNIX)
    assert times_of(window(data=None), READINGS) is None


@pytest.mark.parametrize(
    ("span", "minutes", "side"),
    [
        (0.0, -10, None),
        (0.0, 10, None),
        (0.0, -11, "earlier"),
        (0.0, 11, "later"),
        (1200.0, -20, None),
        (1200.0, -21, "earlier"),
    ],
)
def test_products_are_of_another_time_by_more_than_ten_minutes_and_than_their_files_span(span, minutes, side):
    """A damaged newest frame, or one that a method does without, makes them no other."""
    found = off(Times(UNIX, span), {"STORM": NOON + timedelta(minutes=minutes)})
    assert (found and found.side) == side


def test_it_is_told_of_the_kind_that_is_furthest_off():
    """With both times."""
    found = off(Times(UNIX), {"STORM": NOON, "HAIL": NOON - timedelta(days=1), "RAIN": NOON})
    assert found is not None
    assert found.words == (
        "HAIL: products are of 2026-05-31 12:00:00Z, the newest of their files, by its name or else its time of change,"
        " of 2026-06-01 12:00:00Z; alerts go by the time in products: which one is right?"
    )
