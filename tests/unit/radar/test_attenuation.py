"""Attenuation on beams whose truth is known."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dynamo.radar.attenuation import Coefficients, corrected, rising
from dynamo.radar.phase import PhaseLimits, propagation
from dynamo.radar.polar import Sweep

NOW = datetime(2017, 3, 29, 7, 30, tzinfo=UTC)
STEP = 0.1  # km
RANGE = STEP * (np.arange(400) + 0.5)
X_BAND = Coefficients(alpha=0.28, beta=0.04, cap=25.0, lost=6.0, unseen=20.0)


def beam(noise: float = 0.3, rain_to: float = 25.0) -> tuple[Sweep, np.ndarray, np.ndarray]:
    """A sweep through rain of 40 dBZ and 1.5 dB with 2 degrees per km from 5 km on, and its true Z and ZDR."""
    phase = 4.0 * np.clip(RANGE - 5, 0, rain_to - 5)
    strength = np.where(rain_to > RANGE, 40.0, 30.0)
    ratio = np.full(RANGE.shape, 1.5)
    rng = np.random.default_rng(8)
    scatter = rng.normal(0, noise, (8, RANGE.size))
    shape = scatter.shape
    moments = {
        "reflectivity": np.broadcast_to(strength - 0.28 * phase, shape).astype("f4"),
        "differential_reflectivity": np.broadcast_to(ratio - 0.04 * phase, shape).astype("f4"),
        "differential_phase": (phase + 60 + scatter).astype("f4"),
    }
    sweep = Sweep(
        np.arange(8) * 45.0, 1000 * RANGE, 1.0, moments, np.zeros(shape, bool), 33.0, -97.0, 0.0, NOW, "x.tx"
    )
    return sweep, strength, ratio


@pytest.mark.parametrize("noise", [0.3, 3.0])
def test_the_truth_behind_twenty_kilometres_of_rain(noise: float):
    """22 dB and 3 dB that were lost come back, and noise in phase does not add up along the beam."""
    sweep, strength, ratio = beam(noise)
    path = propagation(sweep, PhaseLimits(), system=60.0)
    assert path is not None
    made = corrected(sweep, path.phase, X_BAND)
    assert np.abs(made.moments["reflectivity"] - strength).max() < 1.5
    assert np.abs(made.moments["reflectivity"] - strength).mean() < 0.2
    assert np.abs(made.moments["differential_reflectivity"] - ratio).max() < 0.2


def test_no_more_than_the_cap_is_put_back():
    """In 30 km of such rain 34 dB are lost; 25 come back, and as much less of differential reflectivity."""
    sweep, strength, _ = beam(rain_to=35.0)
    path = propagation(sweep, PhaseLimits(), system=60.0)
    assert path is not None
    made = corrected(sweep, path.phase, X_BAND)
    put_back = made.moments["reflectivity"] - sweep.moments["reflectivity"]
    assert put_back.max() == pytest.approx(25, abs=0.001)
    ratio_back = made.moments["differential_reflectivity"] - sweep.moments["differential_reflectivity"]
    assert ratio_back.max() == pytest.approx(25 / 7, abs=0.01)
    assert np.nanmax(made.moments["reflectivity"]) <= strength.max() + 0.8


def test_where_the_beam_is_lost_nothing_detected_becomes_unknown():
    """Behind rain that took 22 dB no echo means nothing; on the ray that met no rain it does."""
    sweep, *_ = beam()
    for values in sweep.moments.values():
        values.flags.writeable = True
        values[:, 300:] = np.nan
    for name in ("reflectivity", "differential_reflectivity", "differential_phase"):
        sweep.moments[name][0] = np.nan
    sweep.moments["reflectivity"][1:3, 20] = -5.0  # a sensitive radar: it sees -5 dBZ at 2 km
    sweep.undetect[:, 300:] = True
    sweep.undetect[0] = True
    path = propagation(sweep, PhaseLimits(), system=60.0)
    assert path is not None
    made = corrected(sweep, path.phase, X_BAND)
    assert not made.undetect[1:, 300:].any()
    assert made.undetect[0].all()
    assert np.isnan(made.moments["reflectivity"][1:, 300:]).all()


def test_behind_as_much_as_can_be_put_back_nothing_is_known():
    """However sensitive the radar: what the beam lost beyond the cap, nobody knows."""
    sweep, *_ = beam()
    sweep.undetect[:, 300:] = True
    path = propagation(sweep, PhaseLimits(), system=60.0)
    assert path is not None
    for cap, seen in ((5.0, False), (30.0, True)):
        capped = Coefficients(alpha=0.28, beta=0.04, cap=cap, lost=60.0, unseen=20.0)
        assert corrected(sweep, path.phase, capped).undetect[:, 300:].all() == seen


@settings(deadline=None)  # the first call compiles
@given(hnp.arrays(np.float32, (3, 40), elements=st.floats(-20, 200, width=32) | st.just(np.float32(np.nan))))
def test_rising_phase_rises_and_is_never_negative(phase: np.ndarray):
    """Of anything; and it is not above the highest of what is known so far on the ray or later."""
    path = rising(phase)
    assert (np.diff(path, axis=1) >= -1e-4).all()
    assert (path >= 0).all()
    assert path.max() <= max(0.0, np.nanmax(phase, initial=0.0)) + 1e-4


@settings(deadline=None)  # the first call compiles
@given(hnp.arrays(np.float32, (2, 30), elements=st.floats(0, 150, width=32)))
def test_what_rises_already_is_kept(phase: np.ndarray):
    """And making it rise twice is making it rise once."""
    sorted_phase = np.sort(phase, axis=1)
    np.testing.assert_allclose(rising(sorted_phase), sorted_phase, atol=1e-4)
    once = rising(phase)
    np.testing.assert_allclose(rising(once), once, atol=1e-4)


def test_rising_is_the_nearest_by_least_squares():
    """As worked by hand: 1, 3, 2, 4 becomes 1, 2.5, 2.5, 4; and 4, 1 becomes 2.5, 2.5."""
    found = rising(np.array([[1, 3, 2, 4], [4, 1, 3, 3]], "f4"))
    np.testing.assert_allclose(found, [[1, 2.5, 2.5, 4], [2.5, 2.5, 3, 3]])
