"""Which sounding serves a product, what where none does, and what is said of it."""

from __future__ import annotations

import json
import pickle
import random
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given as whatever
from hypothesis import strategies as st

from dynamo.errors import UserError
from dynamo.radar.climatology import climatology
from dynamo.radar.environment import Environment, Rule, environment, given
from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.profile import Profile
from dynamo.radar.sounding import Sounding, read_all_soundings

NOON = datetime(2022, 6, 28, 12, tzinfo=UTC)
PLACE = (33.0, -97.0)
HEIGHTS = np.arange(200.0, 12001, 200)
KM_PER_DEGREE = 111.19


def sounding(
    age_h: float | None, km: float | None = 0.0, *, name: str = "A", ground: float = 26.0, top: float = 12000
) -> Sounding:
    """A straight profile, so old at noon, so far north of the place."""
    heights = HEIGHTS[top >= HEIGHTS]
    return Sounding(
        Profile.of(heights, ground - 6.5e-3 * heights),
        f"/in/{name}.txt",
        name,
        None if age_h is None else NOON - timedelta(hours=age_h),
        None if km is None else PLACE[0] + km / KM_PER_DEGREE,
        None if km is None else PLACE[1],
    )


def at_noon(*soundings: Sounding, **more) -> Environment:
    return environment(soundings, NOON, *PLACE, **more)


def test_the_only_sounding_serves_and_products_say_so():
    """Fresh and near: its heights, age and distance, and no warning."""
    found = at_noon(sounding(1.5, 100))
    assert found.warnings == ()
    assert found.attributes() == {
        "freezing_level_m": 4000.0,
        "minus20_level_m": 7076.9,
        "environment": "sounding",
        "sounding": "A 2022-06-28 10:30 UTC",
        "sounding_age_h": 1.5,
        "sounding_distance_km": 100.0,
    }
    np.testing.assert_allclose(found.temperature_at([[4000.0], [0.0]]), [[0], [26]], atol=1e-9)


@pytest.mark.parametrize(
    ("soundings", "chosen"),
    [
        ([(3, 0), (1, 0)], 1),  # the newer
        ([(1, 200), (1, 50)], 1),  # the nearer
        ([(1, 100), (3, 0)], 1),  # 100 km count as 2.5 h
        ([(1, 60), (3, 0)], 0),
        ([(-0.4, 0), (0.5, 0)], 0),  # the hour of a file is often half an hour to an hour after the launch
        ([(-0.6, 0), (3, 0)], 1),  # never one of later
        ([(-24, 0), (14, 0)], 1),
        ([(None, 0), (14, 0)], 1),  # of no time
        ([(2, None), (3, 400)], 1),  # of no place: as far as any may be
        ([(2, None), (4, 480)], 0),
        ([(2, 501), (30, 0)], 1),  # too far
        ([(37, 0), (2, 499)], 1),  # too old
    ],
)
def test_which_sounding_serves(soundings, chosen):
    """Age against distance, within the limits, in whatever order they come."""
    made = [sounding(age, km, name=f"S{i}") for i, (age, km) in enumerate(soundings)]
    for order in (made, made[::-1]):
        assert at_noon(*order).sounding.startswith(f"S{chosen} ")


def test_of_equal_ones_the_order_does_not_decide():
    """The same time and place twice: always the same one."""
    made = [sounding(2, 10, name=name, ground=ground) for name, ground in (("B", 20), ("A", 22), ("C", 24))]
    for seed in range(6):
        random.Random(seed).shuffle(made)
        assert at_noon(*made).sounding.startswith("A ")


@pytest.mark.parametrize(
    ("one", "warning"),
    [
        (sounding(14.9, 249), None),
        (sounding(15.1, 0), "sounding A 2022-06-27 20:54 UTC is 15.1 h old, more than 15 h"),
        (sounding(36, 0), "sounding A 2022-06-27 00:00 UTC is 36.0 h old, more than 15 h"),
        (sounding(1, 251), "sounding A 2022-06-28 11:00 UTC is 251 km away, more than 250 km"),
        (sounding(1, None), "it is not known where sounding A 2022-06-28 11:00 UTC was made"),
        (
            sounding(1, top=6000),
            "sounding A 2022-06-28 11:00 UTC: ends at 6000 m with -13.0 C: -20 C taken at",
        ),
    ],
)
def test_what_serves_though_not_well_says_so(one, warning):
    """Old, far, of no place or short: it serves, and the warning names it."""
    found = at_noon(one)
    assert found.source == "sounding"
    assert len(found.warnings) == (warning is not None)
    if warning is None:
        assert "warning" not in found.attributes()
    else:
        assert found.warnings[0].startswith(warning)
        assert str(found.attributes()["warning"]).startswith(warning)


@pytest.mark.parametrize(
    ("soundings", "reason"),
    [
        ([], None),
        ([sounding(7 * 24)], "sounding A 2022-06-21 12:00 UTC is 7 days old, more than 36 h"),
        ([sounding(-1)], "sounding A 2022-06-28 13:00 UTC is of 1.0 h after the product"),
        ([sounding(1, 600)], "sounding A 2022-06-28 11:00 UTC is 600 km away, more than 500 km"),
        (
            [sounding(None)],
            "sounding A, of unknown time, cannot serve: neither file nor name say when it was made",
        ),
        (
            [sounding(50, name="B"), sounding(40)],
            "sounding A 2022-06-26 20:00 UTC is 40.0 h old, more than 36 h",
        ),
    ],
)
def test_where_none_serves_the_climatology_does_with_a_warning(soundings, reason):
    """Every product says so, and why of the sounding that came closest."""
    found = at_noon(*soundings)
    expected = climatology(PLACE[0], NOON).levels()
    assert (found.freezing_level, found.minus20_level) == (expected.freezing_level, expected.minus20_level)
    assert (found.source, found.age_h, found.distance_km) == ("climatology", None, None)
    assert found.sounding == "none: AFGL reference atmospheres, Anderson et al. 1986"
    assert found.warnings[0].startswith("no sounding serves: heights of 0 C and -20 C are of a climatology")
    assert found.warnings[1:] == (() if reason is None else (reason,))
    assert found.attributes()["warning"] == "; ".join(found.warnings)
    assert found.temperature_at(found.freezing_level) == pytest.approx(0)


def test_a_sounding_without_the_heights_gives_way_to_the_next():
    """The best one burst at 4 km, the next serves and the product says why; alone, the climatology does."""
    burst = sounding(1, name="BURST", top=4000)
    found = at_noon(burst, sounding(9, name="NEXT"))
    assert found.sounding.startswith("NEXT")
    why = "sounding BURST 2022-06-28 11:00 UTC not used: the profile ends at 4000 m with 0.0 C, too warm to tell"
    assert found.warnings[0].startswith(why)
    alone = at_noon(burst)
    assert alone.source == "climatology"
    assert alone.warnings[1].startswith(why)


def test_frost_from_the_ground_up_serves_in_winter_and_says_so():
    """Where and when it can be: at 60 degrees north in January."""
    time = datetime(2022, 1, 15, 12, tzinfo=UTC)
    cold = Sounding(Profile.of(HEIGHTS, -3 - 6.5e-3 * HEIGHTS), "a.txt", "A", time, 60.0, 0.0)
    found = environment([cold], time, 60.0, 0.0)
    (warning,) = found.warnings
    assert warning.startswith("sounding A 2022-01-15 12:00 UTC: colder than 0 C from the ground (200 m) up")


@pytest.mark.parametrize(
    ("ground", "latitude", "month", "says", "serves"),
    [
        (26, 33, 6, "", True),
        (4, 33, 3, "", True),
        (33, 60, 1, "0 C at 5077 m is 4.9 km from the climatology of 60 degrees north in January", False),
        (20, 60, 1, "0 C at 3077 m is 2.9 km from the climatology of 60 degrees north in January", True),
        (
            -35,
            42,
            1,
            "-20 C at -2308 m is 4.6 km from the climatology of 42 degrees north in January, 4",
            True,
        ),
        (
            -10,
            33,
            7,
            "0 C at -1538 m is 4.0 km from the climatology of 33 degrees north in July, 4250 m",
            False,
        ),
        (
            -30,
            33,
            3,
            "-20 C at -1538 m is 6.0 km from the climatology of 33 degrees north in March, 6",
            False,
        ),
        (4, -33, 1, "0 C at 615 m is 3.6 km from the climatology of 33 degrees south in January, 4", True),
    ],
)
def test_heights_that_are_far_from_the_climatology(ground, latitude, month, says, serves):
    """Far off they are told, farther off they are not used; but a great cold is only told."""
    time = datetime(2022, month, 15, 12, tzinfo=UTC)
    profile = Profile.of(HEIGHTS, ground - 6.5e-3 * HEIGHTS)
    found = environment([Sounding(profile, "a.txt", "A", time, latitude, 0.0)], time, latitude, 0.0)
    assert found.source == ("sounding" if serves else "climatology")
    told = "; ".join(found.warnings)
    assert says in told
    assert ("from the climatology of" in told) == bool(says)


def test_files_that_were_not_read_are_told_of():
    """They stand before all else, whatever serves."""
    for soundings in ([sounding(1)], []):
        assert (
            at_noon(*soundings, left_out=["a.txt: is empty"]).warnings[0 if soundings else 1]
            == "not read: a.txt: is empty"
        )


def test_a_rule_of_ones_own():
    """Other limits and weights; a negative `ahead_h` is the time that soundings take to arrive."""
    assert at_noon(sounding(20), rule=Rule(fresh_h=24)).warnings == ()
    assert at_noon(sounding(20), rule=Rule(fresh_h=6, limit_h=12)).source == "climatology"
    assert at_noon(sounding(-3), rule=Rule(ahead_h=6)).age_h == -3
    late = Rule(ahead_h=-2)
    assert at_noon(sounding(1, name="NEW"), sounding(13, name="OLD"), rule=late).sounding.startswith("OLD")
    assert (
        at_noon(sounding(1), rule=late).warnings[1]
        == "sounding A 2022-06-28 11:00 UTC is too new to be known"
    )
    assert (
        at_noon(sounding(1, 100, name="A"), sounding(3, name="B"), rule=Rule(km_per_h=100)).sounding[0] == "A"
    )


@pytest.mark.parametrize(
    "limits",
    [
        {"fresh_h": 40},
        {"near_km": 600},
        {"near_km": -1},
        {"km_per_h": 0},
        {"ahead_h": -40},
        {"limit_h": float("nan")},
    ],
)
def test_a_rule_that_cannot_be_meant(limits):
    """The message has the rule and what was expected."""
    with pytest.raises(UserError, match=r"Rule\(.*expected -ahead_h <= limit_h"):
        Rule(**limits)


@pytest.mark.parametrize(
    ("time", "latitude"), [(NOON.replace(tzinfo=None), 33.0), (NOON, 91.0), (NOON, float("nan"))]
)
def test_a_product_of_no_time_or_place(time, latitude):
    """A naive time or a latitude that is none is the caller's fault."""
    with pytest.raises(UserError, match="needs an aware time and a place in degrees"):
        environment([], time, latitude, 0)


def test_time_zones_and_the_date_line():
    """Hours and km are those of the globe."""
    east = Sounding(sounding(0).profile, "x", "E", NOON.astimezone(timezone(timedelta(hours=9))), 0.0, 179.5)
    found = environment([east], NOON, 0.0, -179.5)
    assert found.age_h == 0
    assert found.distance_km == pytest.approx(KM_PER_DEGREE, abs=0.1)


def test_heights_by_hand():
    """Taken as they are; temperature is a straight line through both, and no colder than the tropopause."""
    found = given(4000, 7000)
    assert found.attributes() == {
        "freezing_level_m": 4000.0,
        "minus20_level_m": 7000.0,
        "environment": "given",
        "sounding": "none: heights given by hand",
    }
    np.testing.assert_allclose(
        found.temperature_at([1000, 4000, 5500, 7000, 15000]), [20, 0, -10, -20, -56.5]
    )
    levels = found.profile.levels()
    assert (levels.freezing_level, levels.minus20_level) == pytest.approx((4000, 7000))
    for zero, twenty in ((7000, 4000), (4000, 4050), (float("nan"), 7000), (4000, float("inf"))):
        with pytest.raises(
            UserError, match=r"expected 0 C at least 100 m below -20 C, both in m above sea level"
        ):
            given(zero, twenty)


@whatever(st.floats(-90, 90), st.floats(-180, 180), st.datetimes(timezones=st.just(UTC)))
def test_there_is_an_environment_everywhere_and_always(latitude, longitude, time):
    """Of the climatology at the least: 0 C below -20 C by 2 to 6 km."""
    found = environment([], time, latitude, longitude)
    assert 2000 < found.minus20_level - found.freezing_level < 6000
    assert found.warnings


def test_the_climatology_has_the_heights_of_its_source():
    """At 15, 45 and 60 degrees in the middle of July: worked out by hand from the tables of the report."""
    july, january = datetime(2021, 7, 15, tzinfo=UTC), datetime(2021, 1, 13, tzinfo=UTC)
    for latitude, zero, twenty in ((15, 4574.6, 7574.6), (45, 4008.3, 7238.5), (60, 2583.3, 5992.9)):
        found = climatology(latitude, july).levels()
        assert (found.freezing_level, found.minus20_level) == pytest.approx((zero, twenty), abs=0.1)
    assert climatology(45, january).temperature_at([0.0, 5000.0]) == pytest.approx([-0.95, -23.45], abs=0.01)
    assert climatology(52.5, july).temperature_at([4000.0]) == pytest.approx(
        [(273.2 + 265.5) / 2 - 273.15], abs=0.01
    )
    np.testing.assert_allclose(
        climatology(-45, january).temperatures, climatology(45, july).temperatures, atol=0.01
    )


def test_the_stored_soundings_and_a_product(samples: Path):
    """For the storms of 3 May 1999 near Oklahoma City the evening's sounding of Norman; the grid carries it along."""
    soundings, left_out = read_all_soundings(sorted((samples / "sounding").iterdir()))
    assert [Path(what.partition(": ")[0]).name for what in left_out] == [
        "radiosonde_10410_20140610_1200.json"
    ]
    found = environment(soundings, datetime(1999, 5, 3, 23, 30, tzinfo=UTC), 35.33, -97.28)
    assert found.sounding in ("KOUN 1999-05-03 23:02 UTC", "KOUN 1999-05-04 00:00 UTC")
    assert found.freezing_level == pytest.approx(3803, abs=10)
    assert found.distance_km == pytest.approx(22, abs=1)
    assert json.loads(json.dumps(found.attributes())) == found.attributes()
    geometry = Geometry(0, 0, 1000, -1000, 2, 2, "EPSG:3857")
    grid = Grid.from_values(np.ones((2, 2)), geometry, NOON, attributes=found.attributes())
    assert Grid.from_xarray(grid.to_xarray()).attributes == found.attributes()
    again = pickle.loads(pickle.dumps(found))
    assert again.attributes() == found.attributes()
