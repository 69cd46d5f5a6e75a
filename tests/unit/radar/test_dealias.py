"""Radial velocities without folds: made winds whose truth is known, and a volume that its weather service unfolded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

import h5py
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dynamo.errors import DataError
from dynamo.radar.dealias import dealias, despeckle
from dynamo.radar.polar import Sweep
from dynamo.radar.regions import join
from dynamo.radar.specks import departures, support

AZIMUTHS = np.arange(0.5, 360)
RANGES = 500 + 150.0 * np.arange(200)
TIME = datetime(2017, 3, 29, 7, 30, tzinfo=UTC)


def sweep_of(velocity, nyquist: float | None = 10.0, azimuths=AZIMUTHS) -> Sweep:
    velocity = np.asarray(velocity, "f4")
    ranges = 500 + 150.0 * np.arange(velocity.shape[1])
    return Sweep(
        azimuths, ranges, 2.0, {"velocity": velocity}, np.zeros(velocity.shape, bool), 33.0, -97.0, 200.0,
        TIME, "test.tx", nyquist=nyquist,
    )  # fmt: skip


def folded(velocity, nyquist: float):
    """What a radar with this Nyquist velocity would measure."""
    return ((velocity + nyquist) % (2 * nyquist) - nyquist).astype("f4")


@lru_cache(maxsize=64)
def wind(near: float, far: float, towards: float, turns: float, couplet: float):
    """A wind of `near` m/s that grows to `far` and turns with range, and a vortex of `couplet` m/s; radial part."""
    azimuth, along = np.radians(AZIMUTHS)[:, None], np.linspace(0, 1, RANGES.size)
    v = (near + (far - near) * along) * np.cos(azimuth - np.radians(towards + turns * along))
    # Rankine vortex, core of 2 km, 15 km north-east of the radar
    x, y = RANGES * np.sin(azimuth) - 10600, RANGES * np.cos(azimuth) - 10600
    r = np.hypot(x, y)
    spin = couplet * np.minimum(r / 2000, 2000 / np.maximum(r, 1)) / np.maximum(r, 1)
    return v + spin * (-y * np.sin(azimuth) + x * np.cos(azimuth))


def gaps(seed: int, share: float):
    """Where there is no echo: blobs, about so large a share of all."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(36, 20))
    return np.kron(coarse < np.quantile(coarse, share), np.ones((10, 10), bool))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([8.0, 12.0, 19.2, 26.0, 47.3]), st.floats(0, 15), st.floats(0, 45), st.floats(0, 360),
    st.floats(-90, 90), st.floats(0, 20), st.floats(0, 0.4), st.integers(0, 99),
)  # fmt: skip
@example(8.0, 5.0, 45.0, 30.0, 90.0, 0.0, 0.3, 1)
@example(19.2, 12.0, 40.0, 270.0, -60.0, 20.0, 0.3, 2)
def test_a_wind_is_found_again(nyquist, near, far, towards, turns, couplet, share, seed):
    """Shear, a vortex, gaps and noise: 99.5 % of the gates come back, whatever the Nyquist velocity."""
    rng = np.random.default_rng(seed)
    truth = wind(near, far, towards, turns, min(couplet, nyquist)) + rng.normal(0, 0.8, (360, 200))
    truth[gaps(seed, share)] = np.nan
    found = dealias(sweep_of(folded(truth, nyquist), nyquist)).moments["velocity"]
    there = np.isfinite(truth)
    np.testing.assert_array_equal(np.isfinite(found), there)
    assert (np.abs(found - truth)[there] < 0.01).mean() >= 0.995


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(3, 50), st.floats(0, 0.95))
def test_velocities_change_by_whole_folds_only(seed, nyquist, share):
    """Also of mere noise each gate is a multiple of twice the Nyquist velocity away, and none comes or goes."""
    rng = np.random.default_rng(seed)
    v = rng.uniform(-nyquist, nyquist, (40, 60)).astype("f4")
    v[rng.random(v.shape) < share] = np.nan
    azimuths = np.sort(rng.uniform(0, 360, 40))
    found = dealias(sweep_of(v, nyquist, azimuths)).moments["velocity"]
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(v))
    turns = (found - v)[np.isfinite(v)] / (2 * nyquist)
    np.testing.assert_allclose(turns, np.rint(turns), atol=1e-4)


def test_the_order_of_rays_does_not_matter():
    """Rays come in any order in files: each gets what it would have got in another."""
    sweep = sweep_of(folded(wind(5.0, 40.0, 100.0, 60.0, 10.0), 12.0), 12.0)
    mixed = np.random.default_rng(3).permutation(360)
    turned = replace(
        sweep, azimuths=AZIMUTHS[mixed] - 360 * (mixed % 2), moments={"velocity": sweep.moments["velocity"][mixed]}
    )  # fmt: skip
    for way in (dealias, despeckle):
        expected = way(sweep).moments["velocity"][mixed]
        np.testing.assert_array_equal(way(turned).moments["velocity"], expected)


def test_a_gate_is_brought_next_to_the_median_of_those_around():
    """In turbulence of half the Nyquist velocity: 2 of 100 gates are further than that off, without it 8."""
    truth = wind(10.0, 25.0, 45.0, 30.0, 0.0) + np.random.default_rng(1).normal(0, 4, (360, 200))
    truth[gaps(1, 0.3)] = np.nan
    found = dealias(sweep_of(folded(truth, 8.0), 8.0)).moments["velocity"]
    away = departures(found, 8.0, 6)
    assert (np.abs(away[np.isfinite(away)]) > 8).mean() < 0.03


def test_an_echo_by_itself_goes_with_the_wind_of_the_others():
    """An island over an empty sector and far from all is unfolded by the wind that was fitted to the rest."""
    truth = wind(30.0, 30.0, 90.0, 0.0, 0.0).copy()
    island = (slice(80, 100), slice(170, 190))
    alone = np.full(truth.shape, np.nan)
    alone[island] = truth[island]
    truth[30:150] = np.nan
    truth[island] = alone[island]
    found = dealias(sweep_of(folded(truth, 12.0), 12.0)).moments["velocity"]
    np.testing.assert_allclose(found[island], truth[island], atol=0.01)


def test_an_echo_between_two_folds_goes_to_that_nearer_to_no_wind():
    """16 m/s where the others have 30, of a radar that folds at 12: not 40, though 40 is nearer to 30."""
    truth = wind(30.0, 30.0, 90.0, 0.0, 0.0).copy()
    truth[30:150] = np.nan
    truth[85:95, 170:190] = 16.0
    found = dealias(sweep_of(folded(truth, 12.0), 12.0)).moments["velocity"]
    np.testing.assert_allclose(found[85:95, 170:190], 16.0, atol=0.01)


@pytest.mark.parametrize(
    ("rays", "gates", "joined"), [(18, 0, True), (25, 0, False), (0, 55, True), (0, 70, False)]
)
def test_how_far_a_border_reaches(rays, gates, joined):
    """Over 20 rays or 60 gates without an echo: further apart, 9 and 11 m/s are two components."""
    v = np.full((120, 200), np.nan, "f4")
    v[40, 40], v[40 + rays, 40 + gates] = 9.0, -9.0
    component, folds = join(v, 10.0)
    assert (component[40 + rays, 40 + gates] == component[40, 40]) == joined
    assert folds[40 + rays, 40 + gates] - folds[40, 40] == joined


def test_a_border_across_north_joins():
    """Echo on both sides of it only, and a fold between: 9 and 11 m/s at a Nyquist velocity of 10."""
    v = np.full((120, 30), np.nan, "f4")
    v[110:] = 9.0
    v[:10] = -9.0
    component, folds = join(v, 10.0)
    assert (component[110:] == component[0, 0]).all()
    assert folds[0, 0] - folds[115, 0] == 1


def test_one_side_of_the_circle_is_taken_for_the_weaker_wind():
    """The limit that the module states: a sector alone with a wind along the beam tells of no fold."""
    truth = wind(30.0, 30.0, 90.0, 0.0, 0.0).copy()
    truth[:75] = truth[105:] = np.nan
    found = dealias(sweep_of(folded(truth, 16.0), 16.0)).moments["velocity"]
    np.testing.assert_allclose(found, truth - 32, atol=0.01)


def test_the_two_ends_of_a_sector_are_no_neighbours():
    """A sweep of half a circle: its first ray and its last see opposite winds, and no border joins them."""
    half = slice(45, 225)
    truth = wind(18.0, 34.0, 45.0, 0.0, 0.0)[half]
    sweep = sweep_of(folded(truth, 20.0), 20.0, AZIMUTHS[half])
    np.testing.assert_allclose(dealias(sweep).moments["velocity"], truth, atol=0.01)
    # two rays at each end agree, but do not stand beside each other: too few to be believed
    ends = np.isin(np.arange(180), (0, 1, 178, 179))
    loud = sweep_of(np.where(ends[:, None], 30.0, 5.0) + np.zeros(40), 40.0, AZIMUTHS[half])
    np.testing.assert_array_equal(np.isnan(despeckle(loud).moments["velocity"]).all(axis=1), ends)


def test_what_is_no_number_is_missing():
    """Infinite values that a reader lets through do not stop anything."""
    v = wind(10.0, 10.0, 45.0, 0.0, 0.0).astype("f4").copy()
    v[10, 10] = np.inf
    found = dealias(sweep_of(v, 20.0)).moments["velocity"]
    assert np.isnan(found[10, 10])
    assert np.isfinite(found).sum() == found.size - 1


def test_a_sweep_without_an_echo_stays_empty():
    """Nothing to unfold, and few gates to fit a wind to, are no errors."""
    assert np.isnan(dealias(sweep_of(np.full((360, 30), np.nan))).moments["velocity"]).all()
    few = np.full((20, 30), np.nan)
    few[3, 4:8] = 7.0
    azimuths = np.arange(0, 360, 18.0)
    np.testing.assert_array_equal(dealias(sweep_of(few, 10.0, azimuths)).moments["velocity"][3, 4:8], 7.0)


def test_what_the_weather_service_unfolded(samples):
    """14 tilts of Captains Flat, S band: as the Bureau's own velocities, within 1 m/s at 99.5 % of the gates."""
    same = there = 0
    with h5py.File(samples / "hail" / "40_20181220_060630.pvol.h5") as file:
        for number in range(1, 15):
            sweep, reference = _bureau(file[f"dataset{number}"], float(file["dataset1/how"].attrs["NI"]))
            found = dealias(sweep).moments["velocity"]
            both = np.isfinite(found) & np.isfinite(reference)
            same, there = same + (np.abs(found - reference)[both] <= 1).sum(), there + both.sum()
    assert there > 200_000
    assert same / there >= 0.995


def _bureau(group, nyquist: float):
    """The measured velocities of one tilt as a sweep, and those that the Bureau unfolded."""
    fields = {}
    for data in (group[name] for name in group if name.startswith("data")):
        what, raw = data["what"].attrs, data["data"][...]
        values = (raw * float(what["gain"]) + float(what["offset"])).astype("f4")
        values[(raw == what["nodata"]) | (raw == what["undetect"])] = np.nan
        fields[what["quantity"].decode()] = values
    return sweep_of(fields["VRADH"], nyquist, np.arange(360.0)), fields["VRADDH"]


def test_specks_go_and_a_vortex_stays():
    """Errors of the dual-PRF technique and gates with few around them are taken out; a vortex of 40 m/s is not."""
    rng = np.random.default_rng(5)
    truth = wind(10.0, 20.0, 200.0, 0.0, 20.0).astype("f4")
    v = truth.copy()
    specks = rng.random(v.shape) < 0.02
    v[specks] += np.float32(18.9) * rng.choice([-1, 1], specks.sum())
    v[:, 190:] = np.nan
    v[100, 195] = 3.0
    found = despeckle(sweep_of(v, 40.0)).moments["velocity"]
    assert np.isnan(found[specks]).all()
    assert np.isnan(found[100, 195])
    kept = np.isfinite(found)[:, :190][~specks[:, :190]].mean()
    assert kept > 0.999
    np.testing.assert_array_equal(found[np.isfinite(found)], truth[np.isfinite(found)])


def test_a_departure_is_from_the_median_of_the_gates_that_are_there():
    """Held against NumPy, around the circle and at both ends of the rays."""
    rng = np.random.default_rng(7)
    v = rng.normal(size=(12, 15)).astype("f4")
    v[rng.random(v.shape) < 0.4] = np.nan
    found = departures(v, 0.7, 6)
    wide = np.pad(np.pad(v, ((2, 2), (0, 0)), mode="wrap"), ((0, 0), (2, 2)), constant_values=np.nan)
    expected = np.full(v.shape, np.nan, "f4")
    for i, j in np.argwhere(np.isfinite(v)):
        near = np.sort(wide[i : i + 5, j : j + 5][np.isfinite(wide[i : i + 5, j : j + 5])])
        if near.size >= 6:
            away = near[near.size // 2] - v[i, j]
            expected[i, j] = away if abs(away) > 0.7 else 0.0
    np.testing.assert_array_equal(found, expected)
    assert (expected == 0).any()
    assert (np.abs(expected) > 0.7).any()


def test_noise_does_not_stay():
    """Of velocities at random hardly any has enough gates around that go with it; of a wind nearly all have."""
    rng = np.random.default_rng(2)
    noise = sweep_of(rng.uniform(-22, 22, (360, 100)), 22.0)
    assert np.isfinite(despeckle(noise).moments["velocity"]).mean() < 0.01
    storm = sweep_of(wind(10.0, 35.0, 80.0, 40.0, 20.0) + rng.normal(0, 1, (360, 200)), 60.0)
    assert np.isfinite(despeckle(storm).moments["velocity"]).mean() > 0.98


def test_support_is_how_many_of_the_gates_around_agree():
    """Held against NumPy, around the circle and at both ends of the rays."""
    rng = np.random.default_rng(8)
    v = rng.normal(size=(9, 11)).astype("f4")
    v[rng.random(v.shape) < 0.3] = np.nan
    wide = np.pad(np.pad(v, ((2, 2), (0, 0)), mode="wrap"), ((0, 0), (2, 2)), constant_values=np.nan)
    expected = [(np.abs(wide[i : i + 5, j : j + 5] - v[i, j]) <= 0.5).sum() for i, j in np.ndindex(v.shape)]
    np.testing.assert_array_equal(support(v, 0.5).ravel(), expected)


@pytest.mark.parametrize(
    ("sweep", "says"),
    [
        (sweep_of(np.zeros((360, 20)), None), "test.tx: the Nyquist velocity is None, expected .* registry"),
        (sweep_of(np.zeros((360, 20)), -3.0), "the Nyquist velocity is -3.0, expected m/s above 0"),
        (replace(sweep_of(np.zeros((360, 20))), moments={}), "test.tx: holds no velocity; its moments: none"),
    ],
)
def test_what_cannot_be_unfolded_is_told(sweep, says):
    """Without a Nyquist velocity, or without velocities, nothing is guessed."""
    with pytest.raises(DataError, match=says):
        dealias(sweep)


def test_a_nyquist_velocity_that_is_given_counts():
    """The registry's, where the file has none."""
    truth = wind(5.0, 35.0, 45.0, 20.0, 0.0)
    found = dealias(sweep_of(folded(truth, 12.0), None), 12.0).moments["velocity"]
    np.testing.assert_allclose(found, truth, atol=0.01)
