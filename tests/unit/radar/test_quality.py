"""What is not weather is taken out of sweeps, by the moments that they have."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.radar.polar import Sweep
from dynamo.radar.quality import Limits, clean, phase_texture, specks
from dynamo.radar.readers import read_sweeps

NOW = datetime(2017, 3, 29, 7, 30, tzinfo=UTC)
RAYS, GATES = 36, 40


def sweep(undetect=None, azimuths=None, **moments) -> Sweep:
    full = {name: np.broadcast_to(np.float32(v), (RAYS, GATES)).copy() for name, v in moments.items()}
    nothing = np.zeros((RAYS, GATES), bool) if undetect is None else undetect
    azimuths = np.arange(0.0, 360, 10) if azimuths is None else azimuths
    return Sweep(azimuths, 500 + 250.0 * np.arange(GATES), 1.0, full, nothing, 33.0, -97.0, 0.0, NOW, "x.tx")


def test_good_rain_stays_as_it_is():
    """No test removes rain that all moments agree on, and all tests are told."""
    rain = sweep(
        reflectivity=30, velocity=10, cross_correlation=0.99, signal_quality=0.8, differential_phase=40,
        signal_to_noise=np.linspace(20, 30, GATES),
    )  # fmt: skip
    cleaned = clean(rain, Limits())
    for name, values in rain.moments.items():
        np.testing.assert_array_equal(cleaned.moments[name], values)
    tests = "cross_correlation, signal_quality, signal_to_noise, velocity, differential_phase, specks"
    assert cleaned.attributes["quality"] == tests


def test_reflectivity_alone_passes_and_says_so():
    """Where there is nothing else only specks are looked for."""
    cleaned = clean(sweep(reflectivity=30), Limits())
    assert np.isfinite(cleaned.moments["reflectivity"]).all()
    assert cleaned.attributes["quality"] == "specks"


@pytest.mark.parametrize(
    ("moment", "bad", "good"),
    [("cross_correlation", 0.75, 0.76), ("signal_quality", 0.19, 0.2), ("signal_to_noise", 0.9, 1.0)],
)
def test_each_threshold_rejects_what_is_below_it(moment: str, bad: float, good: float):
    """Half of the rays are bad: they lose all moments, the others none."""
    values = np.full((RAYS, GATES), good, "f4")
    values[:18] = bad
    cleaned = clean(sweep(reflectivity=30, velocity=9, **{moment: values}), Limits())
    for name in ("reflectivity", "velocity", moment):
        assert np.isnan(cleaned.moments[name][:18]).all()
        assert np.isfinite(cleaned.moments[name][18:]).all()


def test_rejected_gates_are_nothing_where_weak_and_missing_where_strong():
    """As weather and clutter add up, under a weak echo there is next to nothing."""
    strength = np.full((RAYS, GATES), 9.5, "f4")
    strength[:, 20:] = 10.0
    cleaned = clean(sweep(reflectivity=strength, cross_correlation=0.5), Limits())
    assert np.isnan(cleaned.moments["reflectivity"]).all()
    np.testing.assert_array_equal(cleaned.undetect, strength < 10)


def test_ground_that_stands_still_goes_but_rain_that_stands_still_stays():
    """Both must come together: no speed and little correlation."""
    moments = {"reflectivity": 40, "velocity": 0.2}
    assert np.isnan(clean(sweep(cross_correlation=0.85, **moments), Limits()).moments["reflectivity"]).all()
    assert np.isfinite(
        clean(sweep(cross_correlation=0.98, **moments), Limits()).moments["reflectivity"]
    ).all()
    for speed in (-9.0, 9.0):
        moving = clean(sweep(cross_correlation=0.85, reflectivity=40, velocity=speed), Limits())
        assert np.isfinite(moving.moments["reflectivity"]).all()


def test_rain_of_low_signal_quality_stays_if_it_is_well_correlated():
    """Turbulence lowers signal quality, but not the correlation of the two polarisations."""
    poor = {"reflectivity": 30, "signal_quality": 0.1}
    assert np.isfinite(clean(sweep(cross_correlation=0.95, **poor), Limits()).moments["reflectivity"]).all()
    assert np.isnan(clean(sweep(cross_correlation=0.85, **poor), Limits()).moments["reflectivity"]).all()


def test_a_ratio_that_is_the_same_everywhere_was_not_measured():
    """One radar writes a signal-to-noise ratio of 0 throughout: that says nothing."""
    cleaned = clean(sweep(reflectivity=30, signal_to_noise=0), Limits())
    assert np.isfinite(cleaned.moments["reflectivity"]).all()
    assert "signal_to_noise" not in cleaned.attributes["quality"]


def test_specks_go_and_an_echo_across_north_stays_whole():
    """Eight gates are a speck of nine; ten gates on both sides of the first ray are an echo."""
    strength = np.full((RAYS, GATES), np.nan, "f4")
    strength[10, 5:13] = 30  # 8 gates
    strength[0, 5:10] = strength[35, 10:15] = 30  # 5 + 5, which touch at a corner
    cleaned = clean(sweep(reflectivity=strength), Limits()).moments["reflectivity"]
    assert np.isnan(cleaned[10]).all()
    assert np.isfinite(cleaned[[0, 35]]).sum() == 10


def test_an_echo_that_crosses_north_many_times_is_one():
    """A comb: its teeth begin on the first ray, and the last joins them."""
    echo = np.zeros((RAYS, GATES), dtype=bool)
    echo[0, 2:30:4] = echo[1, 2:30:4] = True
    echo[35, 0:32] = True
    assert not specks(echo, np.arange(RAYS) * 10.0, 46).any()
    np.testing.assert_array_equal(specks(echo, np.arange(RAYS) * 10.0, 47), echo)


@pytest.mark.parametrize(("after", "gap", "beside"), [(17, 100.0, 18), (35, 0.0, 0)])
def test_echoes_on_both_sides_of_what_was_not_sent_do_not_touch(after, gap, beside):
    """The two sides of a gap, and the two ends of a sector."""
    rays = np.arange(RAYS)
    echo = np.zeros((RAYS, GATES), dtype=bool)
    echo[after, 5:10] = echo[beside, 5:10] = True
    np.testing.assert_array_equal(specks(echo, rays * 5.0 + gap * (rays > after), 9), echo)
    assert not specks(echo, rays * 10.0, 9).any()


def test_jumping_phase_is_no_weather():
    """Noise goes, in each convention; a steady phase stays, also where it folds."""
    noise = np.random.default_rng(1).uniform(0, 360, (RAYS, GATES))
    cleaned = clean(sweep(reflectivity=30, differential_phase=noise), Limits())
    assert (
        np.isnan(cleaned.moments["reflectivity"]).mean() > 0.97
    )  # three gates at an end may agree by chance
    folding = np.linspace(350, 370, GATES) % 360
    cleaned = clean(sweep(reflectivity=30, differential_phase=folding), Limits())
    assert np.isfinite(cleaned.moments["reflectivity"]).all()


def test_half_of_a_window_must_hold_a_phase():
    """Of 9 gates 5; four tell no texture."""
    for count, known in ((4, False), (5, True)):
        phase = np.full((1, 30), np.nan, "f4")
        phase[0, 10 : 10 + count] = 60.0
        assert np.isfinite(phase_texture(phase, 4, 360.0)[0, 12]) == known


@settings(deadline=None)  # the first call compiles
@given(turn=st.floats(-400, 400), scale=st.sampled_from([180.0, 360.0]))
def test_texture_does_not_depend_on_the_convention(turn: float, scale: float):
    """A phase that is turned, and folded anew, varies as much as before."""
    phase = np.random.default_rng(2).normal(20, 10, (3, 60)).astype("f4")
    before = phase_texture(phase, 4, scale)
    after = phase_texture(((phase + turn) % scale).astype("f4"), 4, scale)
    np.testing.assert_allclose(before, after, atol=0.05)


def test_texture_is_the_standard_deviation_of_small_noise():
    """For noise much smaller than a turn the circular measure is the ordinary one."""
    phase = np.random.default_rng(3).normal(50, 5, (20, 500)).astype("f4")
    assert np.nanmean(phase_texture(phase, 20, 360.0)) == pytest.approx(5, rel=0.05)


def test_the_order_of_rays_does_not_matter(samples: Path):
    """A real sweep, its rays shuffled, is cleaned to the same, shuffled."""
    (real,) = read_sweeps(samples / "casa" / "cleburne.tx-20170329-073002.netcdf.gz")
    order = np.random.default_rng(4).permutation(real.azimuths.size)
    shuffled = replace(
        real, azimuths=real.azimuths[order], undetect=real.undetect[order],
        moments={name: values[order] for name, values in real.moments.items()},
    )  # fmt: skip
    one, other = clean(real, Limits(), period=180.0), clean(shuffled, Limits(), period=180.0)
    np.testing.assert_array_equal(one.undetect[order], other.undetect)
    for name in real.moments:
        np.testing.assert_array_equal(one.moments[name][order], other.moments[name])


def test_nothing_at_all_stays_nothing():
    """A sweep of which nothing is known passes without a warning."""
    cleaned = clean(sweep(reflectivity=np.nan, cross_correlation=np.nan, differential_phase=np.nan), Limits())
    assert np.isnan(cleaned.moments["reflectivity"]).all()
    assert not cleaned.undetect.any()
