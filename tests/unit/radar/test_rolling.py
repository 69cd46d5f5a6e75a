"""The rolling composite: it comes whatever becomes of a radar, and says what it is made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.errors import DataError
from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.rolling import DAMAGED, REASON, roll_call, rolling

PLACE = Geometry(-98.0, 33.4, 0.005, -0.005, 6, 4)
NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
NOW = NOON + timedelta(seconds=20)
MINUTE = timedelta(minutes=1)


def sweep(radar: str, second: float, value: float = 1.0, elevation: float = 2.0, **attributes) -> Grid:
    """Return a sweep that ended so many seconds after noon; NaN everywhere where `value` is NaN."""
    return Grid.from_values(
        np.full(PLACE.shape, value), PLACE, NOON + timedelta(seconds=second), quantity="hail_class",
        source=radar, attributes={"radar": radar, "elevation": elevation, **attributes},
    )  # fmt: skip


#: When the newest of these ended.
LAST = NOON - timedelta(seconds=10)
THREE = [sweep("a", -10, 1), sweep("b", -30, 4), sweep("c", -50, 2)]


def test_it_takes_the_worst_of_all_radars_and_says_when_each_was():
    """The cell-wise maximum, at the time of the newest sweep: nothing is told of a time to come."""
    made = rolling(THREE, NOW)
    assert (made.time, made.quantity, made.source) == (LAST, "hail_class", "a, b, c")
    assert (made.values == 4).all()
    assert made.attributes == {
        "radars": "a 11:59:50, b 11:59:30, c 11:59:10", "sweeps": 3.0, "oldest_sweep_s": 40.0,
    }  # fmt: skip


def test_a_radar_that_is_missing_holds_nothing_up():
    """One that never came, and one whose last sweep is too old, are both named."""
    made = rolling([*THREE[:2], sweep("c", -400)], NOW, expected=["a", "b", "c", "d"])
    assert made.time == LAST
    assert made.attributes["absent_radars"] == "c 11:53:20, d"
    assert made.attributes["radars"] == "a 11:59:50, b 11:59:30"


def test_a_radar_just_out_of_the_window_is_told():
    """What is not used is absent, to the second."""
    assert rolling([sweep("a", -50), sweep("c", -349)], NOW).attributes["radars"] == "a 11:59:10, c 11:54:11"
    assert rolling([sweep("a", -50), sweep("c", -350)], NOW).attributes["absent_radars"] == "c 11:54:10"


def test_a_radar_whose_clock_is_ahead_takes_no_others_out():
    """Its sweeps of a time to come are named; those whose time has come are used, as if they were a little newer."""
    fast = [sweep("c", 170, 5), sweep("c", 110, 5), sweep("c", -10, 3)]
    made = rolling([*THREE[:2], *fast], NOW)
    assert made.time == LAST
    assert made.attributes["ahead_radars"] == "c 12:02:50"
    assert "absent_radars" not in made.attributes
    assert made.values.max() == 4


def test_a_radar_whose_clock_is_behind_is_used_as_old_as_it_says():
    """Three minutes are within the window of five; the age of the oldest sweep tells."""
    made = rolling([*THREE[:2], sweep("c", -190, 5)], NOW)
    assert (made.values == 5).all()
    assert made.attributes["oldest_sweep_s"] == 180


def test_an_empty_sweep_does_not_take_the_place_of_the_one_before():
    """Nothing is known from it; the last sweep that knows something is used, and the empty one is told."""
    made = rolling([*THREE, sweep("b", -1, np.nan)], NOW)
    assert (made.values == 4).all()
    assert made.attributes["empty_sweeps"] == "b 11:59:59"


def test_why_a_sweep_is_empty_is_told_though_others_make_the_composite():
    """Its warning is the only word of what to do."""
    blind = sweep("b", -1, np.nan, warning="the layer was not covered")
    assert rolling([*THREE, blind], NOW).attributes["warning"] == "the layer was not covered"


def test_a_sweep_without_echo_is_not_empty():
    """Where a radar looked and found nothing, the hail is over: the newer sweep of the same tilt decides."""
    seen = Grid.from_values(
        np.full(PLACE.shape, np.nan), PLACE, NOON, undetect=np.ones(PLACE.shape, bool), quantity="hail_class",
        source="b", attributes={"radar": "b", "elevation": 2.0},
    )  # fmt: skip
    assert rolling([*THREE, seen], NOW).values.max() == 2


def test_a_new_scan_strategy_is_used_at_once_and_the_old_tilt_until_its_time_is_over():
    """Each tilt counts for itself."""
    early = [sweep("b", -200, 5, elevation=4.5), sweep("b", -30, 1, elevation=2.0)]
    late = [*early, sweep("b", 200, 2, elevation=3.0)]
    assert rolling(early, NOW).values.max() == 5
    later = rolling(late, NOW + timedelta(seconds=240))
    assert (later.values.max(), later.attributes["sweeps"]) == (2, 2.0)


def test_files_that_could_not_be_read_are_named_and_take_no_part():
    """What stands for them has no time of its own that could move the composite."""
    damaged = sweep("", 20, 5, **{DAMAGED: "cut.nc"})
    made = rolling([*THREE, damaged], NOW)
    assert made.time == LAST
    assert made.attributes["damaged_files"] == "cut.nc"
    assert (made.source, made.values.max()) == ("a, b, c", 4)


def test_what_all_sweeps_say_is_kept_and_every_warning():
    """A climatology that stood in for one sweep is told for the whole."""
    same = {"freezing_level_m": 4100.0, "hail_scheme": "x"}
    made = rolling([sweep("a", -10, **same), sweep("b", -20, **{**same, "warning": "climatology"})], NOW)
    assert made.attributes["freezing_level_m"] == 4100
    assert made.attributes["warning"] == "climatology"
    apart = rolling([sweep("a", -10, **same), sweep("b", -20, freezing_level_m=3900.0)], NOW)
    assert "freezing_level_m" not in apart.attributes


def test_with_nothing_usable_it_says_why():
    """Of each kind, so that the operator knows where to look."""
    bad = [
        sweep("a", 400),
        sweep("b", -1, np.nan),
        sweep("", 0, **{DAMAGED: "cut.nc", REASON: "cut.nc is truncated"}),
    ]
    with pytest.raises(DataError) as caught:
        rolling(bad, NOW, expected=["d"])
    said = str(caught.value)
    assert "ahead_radars: a 12:06:40" in said
    assert "empty_sweeps: b 11:59:59" in said
    assert "damaged_files: cut.nc; " in said
    assert "cut.nc is truncated" in said
    assert "absent_radars: d; " in said  # one that sent what cannot be used is told once
    with pytest.raises(DataError, match="there is none"):
        rolling([], NOW)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.integers(-600, 200), st.sampled_from([1.0, 3.0, 5.0, np.nan]),
            st.sampled_from([2.0, 4.5]),
        ),
        min_size=1, max_size=12,
    ),
    st.randoms(),
)  # fmt: skip
def test_the_order_and_doubles_of_sweeps_change_nothing(drawn, random):
    """Sweeps come in any order, and some twice."""
    sweeps = [sweep(radar, second, value, elevation) for radar, second, value, elevation in drawn]
    sweeps = list({(g.source, g.time, g.attributes["elevation"]): g for g in sweeps}.values())
    shuffled = [*sweeps, *random.sample(sweeps, len(sweeps) // 2)]
    random.shuffle(shuffled)
    if not roll_call(sweeps, NOW, window=5 * MINUTE).used:
        with pytest.raises(DataError):
            rolling(shuffled, NOW)
        return
    one, other = rolling(sweeps, NOW), rolling(shuffled, NOW)
    np.testing.assert_array_equal(one.values, other.values)
    assert (one.time, one.attributes) == (other.time, other.attributes)
    assert one.attributes["oldest_sweep_s"] < 300


def test_radars_of_one_name_at_two_places_are_two():
    """Neither takes the other's place, and the map says which is which."""
    north, south = sweep("x", -10, 1, site="33.0 -97.0"), sweep("x", -20, 5, site="32.0 -97.0")
    made = rolling([north, south], NOW, expected=["x"])
    assert made.values.max() == 5
    assert made.attributes["radars"] == "x at 32.0 -97.0 11:59:40, x at 33.0 -97.0 11:59:50"
    assert "absent_radars" not in made.attributes


def test_tilts_that_differ_by_more_than_a_turn_varies_are_two():
    """What the lower one sees is not lost to the newer one above it; 4.46 and 4.5 degrees are one."""
    low, high = sweep("a", -30, 5, elevation=0.3), sweep("a", -10, 1, elevation=0.7)
    assert rolling([low, high], NOW).values.max() == 5
    before, after = sweep("a", -30, 5, elevation=4.46), sweep("a", -10, 1, elevation=4.5)
    assert rolling([before, after], NOW).values.max() == 1


def test_files_of_several_sweeps_count_them_and_their_oldest():
    """A volume of five minutes whose last sweep is new is not new."""
    made = rolling([sweep("a", -10), sweep("b", -30, sweeps=5.0, span_s=200.0)], NOW)
    assert (made.attributes["sweeps"], made.attributes["oldest_sweep_s"]) == (6, 220)
    assert "span_s" not in made.attributes
