"""Differential phase: folds out, the system's phase off, and its slope."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.radar.phase import PhaseLimits, period_of, propagation, system_phase, unwrap
from dynamo.radar.polar import Sweep
from dynamo.radar.quality import Limits, clean
from dynamo.radar.readers import read_sweeps

NOW = datetime(2017, 3, 29, 7, 30, tzinfo=UTC)
STEP = 0.1  # km
# a beam that meets 2 degrees per km from 10 to 25 km, and 5 from 25 to 30 km
RANGE = STEP * (np.arange(500) + 0.5)
TRUE = 2 * (2 * np.clip(RANGE - 10, 0, 15) + 5 * np.clip(RANGE - 25, 0, 5))

FOLDS = {"0..180": (0.0, 180.0), "-180..180": (-180.0, 360.0), "0..360": (0.0, 360.0)}


def measured(convention: str, system: float, *, noise: float = 0.0, rays: int = 12) -> np.ndarray:
    start, period = FOLDS[convention]
    scatter = np.random.default_rng(5).normal(0, noise, (rays, TRUE.size))
    return ((TRUE + system + scatter - start) % period + start).astype("f4")


def sweep(phase: np.ndarray, **more: np.ndarray) -> Sweep:
    rays = phase.shape[0]
    moments = {"differential_phase": phase, "reflectivity": np.full(phase.shape, 30, "f4"), **more}
    return Sweep(
        np.arange(rays) * 360 / rays, 1000 * RANGE, 1.0, moments, np.zeros(phase.shape, bool),
        33.0, -97.0, 0.0, NOW, "x.tx",
    )  # fmt: skip


def unwrapped(phase, good, system: float, period: float) -> np.ndarray:
    """Ray by ray."""
    out = np.full(phase.shape, np.nan, "f4")
    for ray in range(phase.shape[0]):
        unwrap(phase[ray], good[ray], system, period, STEP, out[ray])
    return out


@pytest.mark.parametrize("convention", FOLDS)
@settings(deadline=None)  # the first call compiles
@given(system=st.floats(-360, 360))
def test_every_convention_unfolds_to_the_same(convention: str, system: float):
    """Whatever the system's phase, and however it folds, what the path added comes out."""
    phase = measured(convention, system)
    good = np.ones(phase.shape, bool)
    found = unwrapped(phase, good, system, FOLDS[convention][1])
    np.testing.assert_allclose(found, np.broadcast_to(TRUE, phase.shape), atol=0.01)


@settings(deadline=None)
@given(
    holes=st.lists(st.integers(0, 499), max_size=60),
    gap=st.integers(0, 450),
    convention=st.sampled_from(list(FOLDS)),
)
def test_gates_that_are_missing_do_not_matter(holes: list[int], gap: int, convention: str):
    """The others unfold as before, also behind a gap of 3 km."""
    phase = measured(convention, 30.0, noise=3.0, rays=2)
    good = np.ones(phase.shape, bool)
    good[:, holes] = False
    good[:, gap : gap + 30] = False
    found = unwrapped(phase, good, 30.0, FOLDS[convention][1])
    assert np.isnan(found[~good]).all()
    assert np.abs(found - TRUE)[good].max() < 20  # no fold is left: the next would be 180 away


@pytest.mark.parametrize(("low", "high", "period"), [(0, 180, 180.0), (-170, 170, 360.0), (10, 350, 360.0)])
def test_the_period_is_told_from_the_values(low: float, high: float, period: float):
    """Only values that all lie in half a turn may come from alternate pulses."""
    assert period_of(np.array([low, np.nan, high])) == period


def test_the_systems_phase_is_found_where_most_rays_begin_in_rain():
    """A fifth of the rays begins without phase on the way, the others behind up to 60 degrees of it."""
    rng = np.random.default_rng(6)
    behind = np.concatenate([np.zeros(20), rng.uniform(0, 60, 80)])
    for system in (-170.0, 5.0, 100.0):
        phase = (behind[:, None] + system + rng.normal(0, 4, (100, 60)) + 180) % 360 - 180
        found = system_phase(phase, np.ones(phase.shape, bool), 360.0)
        assert abs((found - system + 180) % 360 - 180) < 4


def test_the_slope_of_a_known_profile():
    """Specific differential phase is right to a tenth away from its steps, at them in between."""
    found = propagation(sweep(measured("-180..180", -60.0, noise=0.3)), PhaseLimits(), system=-60.0)
    assert found is not None
    slope = found.slope[0]
    for low, high, value in ((2, 8, 0.0), (12, 23, 2.0), (27, 28, 5.0), (32, 48, 0.0)):
        inside = (low < RANGE) & (high > RANGE)
        np.testing.assert_allclose(slope[inside], value, atol=0.1)
    assert 2 < slope[250] < 5


def test_noise_of_four_degrees_gives_a_slope_to_a_third_of_a_degree_per_km():
    """As least squares over 30 gates of 100 m promise: sigma sqrt(12 / n^3) / (2 * 0.1 km) is 0.42 at most."""
    found = propagation(sweep(measured("0..360", 200.0, noise=4.0)), PhaseLimits(), system=200.0)
    assert found is not None
    inside = (RANGE > 12) & (RANGE < 23)
    error = found.slope[:, inside] - 2.0
    assert np.sqrt(np.mean(error**2)) < 0.42
    assert abs(error.mean()) < 0.05


def test_spikes_are_left_out():
    """Single gates that are 60 degrees off change the phase by less than 2 degrees."""
    phase = measured("0..360", 60.0, noise=1.0)
    phase[:, 37::41] += 60
    found = propagation(sweep(phase), PhaseLimits(), system=60.0)
    assert found is not None
    inside = (RANGE > 12) & (RANGE < 23)
    assert np.abs(found.phase - TRUE)[:, inside].max() < 2


def test_noise_has_no_phase_and_no_slope():
    """Where gates scatter all over the circle nothing is read."""
    phase = np.random.default_rng(7).uniform(0, 360, (6, 500)).astype("f4")
    found = propagation(sweep(phase), PhaseLimits(), system=0.0)
    assert found is not None
    assert np.isfinite(found.slope).mean() < 0.01


def test_numbers_that_are_no_angles_are_left_out():
    """A sign for something that nobody knows does not carry the rest of its ray away."""
    phase = measured("0..360", 60.0, noise=1.0)
    phase[:, 3::50] = [1e30, -9999, np.inf, -1e30, 32767, -1e9, 1e4, np.inf, 2000, 1e30]
    found = propagation(sweep(phase), PhaseLimits(), system=60.0)
    assert found is not None
    inside = (RANGE > 12) & (RANGE < 23)
    assert np.abs(found.phase - TRUE)[:, inside].max() < 2


def test_what_is_hardly_correlated_is_left_out():
    """Gates below the limit of cross-correlation give no phase."""
    correlation = np.full((12, 500), 0.99, "f4")
    correlation[:, :250] = 0.8
    found = propagation(
        sweep(measured("0..360", 60.0, noise=1.0), cross_correlation=correlation), PhaseLimits(), system=60.0
    )
    assert found is not None
    assert np.isnan(found.slope[:, :200]).all()
    assert np.isfinite(found.slope[:, 300:]).all()


def test_a_number_that_a_radar_says_time_and_again_is_no_phase(samples: Path):
    """Denton says 180.0 for kilometres around it: its system's phase is elsewhere, and there is no phase there."""
    (real,) = read_sweeps(samples / "casa" / "denton.tx-20170329-073801.netcdf.gz")
    raw = real.moments["differential_phase"]
    stuck = np.abs(raw - 180) < 0.05
    assert stuck.sum() > 0.02 * np.isfinite(raw).sum()
    cleaned = clean(real, Limits())
    found = propagation(cleaned, PhaseLimits())
    assert found is not None
    assert 215 < found.system % 360 < 240
    assert np.isnan(found.phase[stuck & (real.ranges < 4000)]).mean() > 0.95


def test_a_quiet_radar_with_coarse_steps_is_believed():
    """With steps of 1.4 degrees (8 bits) and a degree of noise half of the gates have one value: it is not stuck."""
    phase = np.rint(measured("0..360", 60.0, noise=1.0) / 1.40625) * 1.40625
    found = propagation(sweep(phase.astype("f4")), PhaseLimits(), system=60.0)
    assert found is not None
    assert np.isfinite(found.slope).all()


def test_without_differential_phase_there_is_none():
    """Nothing to read is not an error."""
    bare = sweep(measured("0..360", 0.0))
    assert (
        propagation(Sweep(**{**{f: getattr(bare, f) for f in bare.__slots__}, "moments": {}}), PhaseLimits())
        is None
    )


def test_all_missing_is_all_missing():
    """A phase of which nothing is known passes without a warning."""
    found = propagation(sweep(np.full((4, 500), np.nan, "f4")), PhaseLimits())
    assert found is not None
    assert np.isnan(found.phase).all()
    assert np.isnan(found.system)


@pytest.mark.parametrize(("gates", "known"), [(4, False), (5, True), (30, True)])
def test_a_few_gates_of_echo_do_not_make_up_a_phase(gates: int, known: bool):
    """A system's phase of 200 degrees is not taken for what the path has added: that would be 56 dB at X band."""
    phase = np.full((12, 500), np.nan, "f4")
    phase[:, 100 : 100 + gates] = measured("0..360", 200.0, noise=1.0)[:, :gates]
    found = propagation(sweep(phase), PhaseLimits(window=400.0))
    assert found is not None
    assert np.isfinite(found.phase).any() == known
    if known:
        assert np.nanmax(np.abs(found.phase)) < 6
        assert found.system % 360 == pytest.approx(200, abs=3)


def test_insects_do_not_tell_the_systems_phase():
    """Their phase is any; that of rain, which is better correlated, is asked."""
    insects = np.random.default_rng(10).uniform(0, 360, (60, 200)).astype("f4")
    rain = measured("0..360", 100.0, noise=3.0, rays=60)
    phase = np.concatenate([insects, rain[:, :300]], axis=1)
    correlation = np.where(np.arange(500) < 200, 0.9, 0.99) * np.ones((60, 1))
    found = propagation(sweep(phase, cross_correlation=correlation.astype("f4")), PhaseLimits())
    assert found is not None
    assert found.system % 360 == pytest.approx(100, abs=3)
