"""Positions that were posted: the newest of each counts, across restarts."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.alerts.positions import Position, positions_since, record_positions
from dynamo.errors import UserError
from dynamo.journal.old_alerts import forget_alerts


def at(time, lon=-97.0, subscriber="car", feed="a.yaml"):
    """A position."""
    return Position(feed, subscriber, lon, 32.5, time)


def test_the_newest_by_its_own_time_counts(tmp_path):
    """In whatever order they come; what is older is told with the time of what is known."""
    journal = tmp_path / "journal.db"
    assert record_positions(journal, [at(100.0, 1), at(90.0, 2)]) == [None, 100.0]
    assert record_positions(journal, [at(95.0, 3)]) == [100.0]
    assert positions_since(journal, "a.yaml", 0.0) == {"car": (1, 32.5)}
    assert record_positions(journal, [at(101.0, 4)]) == [None]
    assert positions_since(journal, "a.yaml", 0.0) == {"car": (4, 32.5)}


def test_one_that_is_posted_again_is_taken_again(tmp_path):
    """Who got no answer may ask once more; with the same time the last one counts."""
    journal = tmp_path / "journal.db"
    assert record_positions(journal, [at(100.0), at(100.0), at(100.0, 5)]) == [None, None, None]
    assert positions_since(journal, "a.yaml", 99.0) == {"car": (5, 32.5)}


def test_feeds_and_subscribers_are_kept_apart_and_old_positions_do_not_count(tmp_path):
    """Several run files may share a workspace."""
    journal = tmp_path / "journal.db"
    record_positions(journal, [at(100.0), at(50.0, subscriber="bus"), at(100.0, 7, feed="b.yaml")])
    assert positions_since(journal, "a.yaml", 50.0) == {"car": (-97, 32.5)}
    assert positions_since(journal, "b.yaml", 0.0) == {"car": (7, 32.5)}


def test_one_of_the_future_is_not_gone_by_and_is_overwritten_by_any_later_post(tmp_path):
    """Recorded while the clock of the host was a day ahead: nobody is there, and who posts again is heard."""
    journal, now = tmp_path / "journal.db", time.time()
    assert record_positions(journal, [at(now + 86_400, 1)]) == [None]
    assert positions_since(journal, "a.yaml", now - 60) == {}
    assert record_positions(journal, [at(now, 2)]) == [None]
    assert positions_since(journal, "a.yaml", now - 60) == {"car": (2, 32.5)}


def test_a_clock_may_be_a_little_ahead(tmp_path):
    """Half a minute is no other time: it counts, and what is older is older."""
    journal, now = tmp_path / "journal.db", time.time()
    assert record_positions(journal, [at(now + 30, 1), at(now, 2)]) == [None, now + 30]
    assert positions_since(journal, "a.yaml", now - 60) == {"car": (1, 32.5)}


def test_old_ones_go_with_old_alerts(tmp_path):
    """So that the journal stays small."""
    journal = tmp_path / "journal.db"
    record_positions(journal, [at(100.0), at(50.0, subscriber="bus")])
    forget_alerts(journal, before=100.0, dry_run=True)
    assert set(positions_since(journal, "a.yaml", 0.0)) == {"car", "bus"}
    forget_alerts(journal, before=100.0)
    assert set(positions_since(journal, "a.yaml", 0.0)) == {"car"}


@given(st.floats(), st.floats())
def test_a_position_is_on_earth(lon, lat):
    """Or it is refused in words."""
    if abs(lon) <= 180 and abs(lat) <= 90:
        assert Position("f", "s", lon, lat, 0.0).lon == lon
    else:
        with pytest.raises(UserError, match="out of range"):
            Position("f", "s", lon, lat, 0.0)


def test_numbers_that_may_be_swapped_are_told_so():
    """Else the range is."""
    with pytest.raises(UserError, match="are they swapped"):
        Position("f", "s", 32.5, -97.0, 0.0)
    with pytest.raises(UserError, match="expected -180 to 180"):
        Position("f", "s", math.nan, 0.0, 0.0)
