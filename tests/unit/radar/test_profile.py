"""Heights of 0 C and -20 C, against profiles worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.errors import DataError
from dynamo.radar.profile import LAPSE, Profile

HEIGHTS = np.arange(0.0, 15001, 250)


def straight(ground: float = 26.0, lapse: float = LAPSE, heights=HEIGHTS) -> np.ndarray:
    return ground - lapse * np.asarray(heights)


def test_heights_between_levels_are_linear():
    """26 C at the ground and 6.5 K/km: 0 C at 4000 m, -20 C at 7077 m; nothing needs to be said."""
    heights = [0, 3000, 5000, 6500, 9000]
    found = Profile.of(heights, straight(heights=heights)).levels()
    assert found.freezing_level == pytest.approx(4000)
    assert found.minus20_level == pytest.approx(46 / LAPSE)
    assert found.marks == ()


@given(
    st.randoms(use_true_random=False), st.floats(-15, 35), st.lists(st.sampled_from(range(61)), max_size=20)
)
def test_the_order_of_levels_and_repeated_ones_do_not_matter(random, ground, again):
    """Shuffled, with some twice and some without temperature: the same heights."""
    temperatures = straight(ground)
    plain = Profile.of(HEIGHTS, temperatures).levels()
    rows = [*zip(HEIGHTS, temperatures, strict=True), *((HEIGHTS[i], temperatures[i]) for i in again)]
    rows += [(h + 60, np.nan) for h in HEIGHTS[::3]] + [(np.nan, 4.0)]
    random.shuffle(rows)
    found = Profile.of(*np.array(rows).T).levels()
    assert found.freezing_level == pytest.approx(plain.freezing_level)
    assert found.minus20_level == pytest.approx(plain.minus20_level)
    assert [mark[:20] for mark in found.marks] == [mark[:20] for mark in plain.marks]


def test_of_levels_at_one_height_the_mean_is_taken():
    """Two temperatures at 1000 m: what lies between them."""
    profile = Profile.of([0, 1000, 1000, 2000, 3000, 4000], [20, 10, 14, 4, -2, -12])
    assert profile.temperature_at([1000]) == pytest.approx([12])


def test_of_several_crossings_the_highest_is_taken_and_marked():
    """A warm layer above frost: 0 C at its top, with the number of crossings."""
    heights = [0, 500, 1500, 2500, 4500, 6500, 8500]
    found = Profile.of(heights, [-3, -3, 4, -2, -10, -22, -36]).levels()
    assert found.freezing_level == pytest.approx(1500 + 1000 * 4 / 6)
    assert found.minus20_level == pytest.approx(4500 + 2000 * 10 / 12)
    assert found.marks == ("0 C crossed 2 times: the highest taken, at 2167 m",)


def test_minus_20_may_be_crossed_several_times_too():
    """An inversion at 6 km: the upper crossing, with a mark."""
    found = Profile.of([0, 2000, 4000, 6000, 6500, 9000, 10000], [20, 10, 0, -22, -18, -28, -40]).levels()
    assert found.minus20_level == pytest.approx(7000)
    assert found.marks == ("-20 C crossed 3 times: the highest taken, at 7000 m",)


def test_a_warm_stratosphere_does_not_count():
    """Above 12 km a profile may be warmer than -20 C again, and cold once more."""
    heights = [*HEIGHTS[HEIGHTS <= 12000], 13000, 35000, 38000, 40000]
    temperatures = [*straight()[HEIGHTS <= 12000], -58, -15, -10, -30]
    found = Profile.of(heights, temperatures).levels()
    assert found.minus20_level == pytest.approx(46 / LAPSE)
    assert found.marks == ()


@pytest.mark.parametrize("ground", [0.0, -4.0, -30.0])
def test_cold_at_the_ground_puts_the_level_below_it(ground):
    """Below 0 C all the way: 0 C at 6.5 K/km below the lowest level, marked; exactly 0 C: at it."""
    heights = HEIGHTS + 300
    found = Profile.of(heights, straight(ground)).levels()
    assert found.freezing_level == pytest.approx(300 + ground / LAPSE)
    assert found.minus20_level == pytest.approx(300 + (ground + 20) / LAPSE)
    assert len(found.marks) == (2 if ground < -20 else 1)
    assert found.marks[0].startswith("colder than 0 C from the ground (300 m) up")
    assert ("6.5 K/km" in found.marks[0]) == (ground < 0)


def test_a_profile_that_ends_before_minus_20_is_extended_and_marked():
    """The last level has -12 C at 5846 m: -20 C is 8 K, or 1231 m, above it."""
    heights = np.linspace(0, 38 / LAPSE, 9)
    found = Profile.of(heights, straight(heights=heights)).levels()
    assert found.minus20_level == pytest.approx(46 / LAPSE)
    assert found.marks == ("ends at 5846 m with -12.0 C: -20 C taken at 6.5 K/km above that",)


@pytest.mark.parametrize(("last", "level"), [(-9.5, "-20"), (3.0, "-20"), (12.0, "0")])
def test_a_profile_that_ends_too_warm_is_refused(last, level):
    """More than 10 K above the level there is nothing to go by."""
    heights = np.linspace(0, (26 - last) / LAPSE, 9)
    with pytest.raises(
        DataError, match=rf"ends at \d+ m with {last:.1f} C, too warm to tell the height of {level} C"
    ):
        Profile.of(heights, straight(heights=heights)).levels()


def test_a_profile_that_cannot_be_is_refused():
    """Upside down it is warm aloft; in Fahrenheit 0 degrees lie at -18 C, higher than 0 C lies anywhere."""
    temperatures = straight(34.0)
    with pytest.raises(
        DataError, match=r"-63\.5 C at 0 m and 14\.5 C at 12000 m: the profile is upside down"
    ):
        Profile.of(HEIGHTS[::-1], temperatures).levels()
    with pytest.raises(DataError, match="0 C at 7966 m is higher than anywhere"):
        Profile.of(HEIGHTS, temperatures * 1.8 + 32).levels()
    inversion = np.where(HEIGHTS < 2000, -45 + HEIGHTS / 80, -20 - LAPSE * (HEIGHTS - 2000))
    assert Profile.of(HEIGHTS, inversion).levels().freezing_level < 0, "a great cold with an inversion can be"


def test_a_winter_s_day_in_fahrenheit_is_too_steep():
    """0 C at 1538 m: in F no number is above 60, and 0 is at 4276 m. A hot day over dry ground is not too steep."""
    with pytest.raises(DataError, match=r"0 C at 4274 m and -20 C at 5983 m are closer than 1900 m"):
        Profile.of(HEIGHTS, straight(10.0) * 1.8 + 32).levels()
    inverted = straight(10.0) * 1.8 + 32
    inverted[(HEIGHTS > 4500) & (HEIGHTS < 6500)] = -3.0
    with pytest.raises(
        DataError, match=r"it becomes \d+ K colder from \d+ m to 2000 m above that, more than air can"
    ):
        Profile.of(HEIGHTS, inverted).levels()
    desert = np.where(HEIGHTS < 4000, 38.0 - 9.8e-3 * HEIGHTS, -1.2 - LAPSE * (HEIGHTS - 4000))
    desert[0] += 3
    assert Profile.of(HEIGHTS, desert).levels().freezing_level == pytest.approx(3878, abs=1)


def test_a_wide_gap_is_marked():
    """No level from 3 to 7 km: the heights in it stand, and say so."""
    heights = HEIGHTS[(HEIGHTS <= 3000) | (HEIGHTS >= 7000)]
    found = Profile.of(heights, straight(heights=heights)).levels()
    assert found.freezing_level == pytest.approx(4000)
    assert found.marks == ("no levels from 3000 to 7000 m, between which 0 C lies",)


def test_heights_that_do_not_fit_together_are_refused():
    """20 K within 600 m is no air."""
    with pytest.raises(DataError, match=r"0 C at 3600 m and -20 C at 4200 m are closer than 1900 m"):
        Profile.of([0, 3000, 3600, 4200, 8000], [20, 1, 0, -20, -40]).levels()


@pytest.mark.parametrize(
    ("heights", "message"),
    [
        (
            [0, 1000, 5000, 9000],
            "levels with height and temperature: 4 from 0 to 9000 m, expected at least 5",
        ),
        (
            [0, 100, 200, 300, 400],
            "levels with height and temperature: 5 from 0 to 400 m, expected .* over 2000 m",
        ),
        ([], "levels with height and temperature: 0, expected"),
        ([5500, 6000, 7000, 8000, 9000], "the lowest level with a temperature is at 5500 m"),
    ],
)
def test_what_is_no_profile_is_refused(heights, message):
    """Too few levels, no depth, nothing, or no lower part."""
    with pytest.raises(DataError, match=message):
        Profile.of(heights, straight(heights=heights))


@given(st.floats(-40, 35), st.floats(-2000, 15000))
def test_temperature_is_that_of_the_levels_and_goes_on_beyond_them(ground, height):
    """A straight profile from 200 m to 8 km goes on straight, down to -56.5 C; shapes are kept."""
    heights = np.linspace(200, 8000, 20)
    profile = Profile.of(heights, straight(ground, heights=heights))
    last = straight(ground, heights=[8000])[0]
    expected = max(ground - LAPSE * height, min(last, -56.5))
    found = profile.temperature_at(np.full((3, 2), height))
    assert found.shape == (3, 2)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_profile_that_reaches_the_stratosphere_is_not_extended():
    """Above its last level, at 33 km, temperature stays as it is."""
    profile = Profile.of([*HEIGHTS, 33000], [*straight(), -31.9])
    np.testing.assert_allclose(profile.temperature_at([33000, 40000]), -31.9)


def test_a_height_between_the_last_level_below_12_km_and_the_next():
    """-20 C lies above 11 km here: found, with a mark for the gap."""
    found = Profile.of([0, 2000, 4000, 6000, 8000, 10900, 14000], [40, 30, 15, 0, -5, -12, -43]).levels()
    assert found.minus20_level == pytest.approx(10900 + 3100 * 8 / 31)
    assert found.marks == ("no levels from 10900 to 14000 m, between which -20 C lies",)


def test_temperature_and_heights_agree():
    """At the height of 0 C it is 0 C, also where that is an extension."""
    for profile in (
        Profile.of(HEIGHTS, straight()),
        Profile.of(HEIGHTS + 300, straight(-8)),
        Profile.of(HEIGHTS[HEIGHTS < 6000], straight()[HEIGHTS < 6000]),
    ):
        found = profile.levels()
        np.testing.assert_allclose(
            profile.temperature_at([found.freezing_level, found.minus20_level]), [0, -20], atol=1e-9
        )
