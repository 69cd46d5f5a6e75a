"""The built-in storm: repeatable, of known motion, with the statistics of real radar frames."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.errors import DataError
from dynamo.radar.grid import Cell, Geometry, Grid
from dynamo.radar.storm import GEOMETRY, REGIMES, START, storm

SMALL = Geometry(x0=5.0, y0=52.0, dx=0.01, dy=-0.007, nx=90, ny=70)


def wet(grid: Grid) -> float:
    return float(np.mean(grid.status == Cell.ECHO))


@pytest.mark.parametrize("regime", REGIMES)
def test_equal_seeds_give_equal_frames_and_others_differ(regime):
    """The seed alone decides what the storm is."""
    first, second, other = (storm(regime, seed=s, frames=3, geometry=SMALL) for s in (7, 7, 8))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(a.status, b.status)
    assert any(not np.array_equal(a.status, b.status) for a, b in zip(first, other, strict=True))


def test_frames_are_dated_from_the_start_at_even_steps():
    """Frame i is valid at start + i * every, on the asked grid."""
    start = datetime(2020, 2, 3, 4, 5, tzinfo=UTC)
    made = storm(frames=4, every=timedelta(seconds=90), geometry=SMALL, start=start)
    assert [g.time - start for g in made] == [timedelta(seconds=90 * i) for i in range(4)]
    assert all(g.geometry == SMALL and g.quantity == "reflectivity" for g in made)


@settings(max_examples=25, deadline=None)
@given(
    regime=st.sampled_from(list(REGIMES)),
    seed=st.integers(0, 2**32),
    nx=st.integers(2, 60),
    ny=st.integers(2, 60),
    gaps=st.floats(0, 1),
    noise=st.floats(0, 1),
    range_km=st.none() | st.floats(0, 60),
)
def test_values_and_status_agree_whatever_is_asked(regime, seed, nx, ny, gaps, noise, range_km):
    """Echoes are multiples of 0.5 dB from 5 dBZ, undetected cells hold the floor, all else is NaN."""
    geometry = Geometry(0.0, 0.0, 1000.0, -1000.0, nx, ny, "EPSG:3035")
    made = storm(regime, seed, 3, geometry=geometry, gaps=gaps, noise=noise, range_km=range_km)
    assert 1 <= len(made) <= 3
    for grid in made:
        echo = grid.values[grid.status == Cell.ECHO]
        assert (echo >= 5).all()
        assert (echo <= 75).all()
        assert np.array_equal(echo * 2, np.rint(echo * 2))
        assert (grid.values[grid.status == Cell.UNDETECT] == -32).all()
        assert np.array_equal(np.isnan(grid.values), grid.status >= Cell.MISSING)


def shift(first: Grid, second: Grid) -> tuple[float, float]:
    a, b = (np.maximum(np.nan_to_num(g.values, nan=0.0), 0.0).astype("f4") for g in (first, second))
    (x, y), _ = cv2.phaseCorrelate(a, b, cv2.createHanningWindow(a.shape[::-1], cv2.CV_32F))
    return x, y


@pytest.mark.parametrize("motion", [(12.0, 5.0), (-9.0, -14.0), (0.0, 0.0)])
def test_the_rain_moves_with_the_motion_that_is_asked_for(motion):
    """Phase correlation over 4 minutes finds the vector of the attributes to a fifth of a cell a minute."""
    made = storm("widespread", seed=3, frames=5, motion=motion)
    dx, dy = GEOMETRY.cell_size_km()
    right, down = shift(made[0], made[-1])
    assert (made[0].attributes["motion_east_m_s"], made[0].attributes["motion_north_m_s"]) == motion
    assert right == pytest.approx(motion[0] * 0.24 / dx, abs=0.8)
    assert down == pytest.approx(-motion[1] * 0.24 / dy, abs=0.8)


def test_each_regime_covers_as_much_as_its_name_says():
    """Calm is nearly dry, widespread rain covers 46 %, a line lies between."""
    calm, line, widespread = (storm(r, seed=1, frames=1)[0] for r in ("calm", "line", "widespread"))
    assert wet(calm) < 0.05
    assert 0.1 < wet(line) < 0.5
    assert wet(widespread) == pytest.approx(0.46, abs=0.03)


@pytest.mark.parametrize("seed", range(4))
def test_peaks_are_those_of_real_storms(seed):
    """A line reaches 48 to 65 dBZ, rain stays under 52 and calm weather under 46."""
    peak = {r: max(np.nanmax(g.values) for g in storm(r, seed, 4, timedelta(minutes=5))) for r in REGIMES}
    assert 48 <= peak["line"] <= 65
    assert peak["widespread"] <= 52
    assert peak["calm"] <= 46


def test_cells_are_born_and_die():
    """An hour later nothing of a calm day's cells is left where they went, and others are there."""
    geometry = Geometry(0.0, 0.0, 1000.0, -1000.0, 300, 300, "EPSG:3035")
    made = storm("calm", seed=2, frames=3, every=timedelta(hours=1), geometry=geometry, motion=(0.0, 0.0))
    before, after = made[0].status == Cell.ECHO, made[1].status == Cell.ECHO
    assert before.any()
    assert after.any()
    assert (before & after).sum() < 0.2 * before.sum()


def test_gaps_lose_frames_and_sectors_but_change_no_other_cell():
    """Hurt frames are missing from the list or have MISSING sectors; what is left equals the whole storm."""
    whole = {g.time: g for g in storm("widespread", 5, 30, geometry=SMALL)}
    hurt = storm("widespread", 5, 30, geometry=SMALL, gaps=0.5)
    assert hurt[0].time == START
    assert 15 < len(hurt) < 30
    sectors = [g for g in hurt if (g.status == Cell.MISSING).any()]
    assert 3 < len(sectors) < 20
    for grid in hurt:
        seen = grid.status != Cell.MISSING
        np.testing.assert_array_equal(grid.values[seen], whole[grid.time].values[seen])


def test_noise_is_sparse_single_cells():
    """One cell in a hundred is replaced, and by no more than 30 dBZ."""
    clean, noisy = storm("calm", 1, 1)[0], storm("calm", 1, 1, noise=0.01)[0]
    changed = clean.values != noisy.values
    assert 0.005 < changed.mean() < 0.015
    assert noisy.values[changed].max() <= 30


def test_beyond_the_range_no_radar_looks():
    """Cells farther from the middle than the range are OUT_OF_RANGE, even where sectors are missing."""
    for grid in storm("line", 4, 3, gaps=1.0, range_km=80):
        outside = grid.status == Cell.OUT_OF_RANGE
        dx, dy = GEOMETRY.cell_size_km()
        assert outside.sum() * dx * dy == pytest.approx(400 * 400 * dx * dy - np.pi * 80**2, rel=0.01)
        assert not outside[200, 200]
        assert outside[0, 0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"regime": "lime"}, "did you mean 'line'"),
        ({"frames": 0}, "frames >= 1"),
        ({"every": timedelta(0)}, "a step > 0"),
        ({"gaps": 1.5}, "gaps is a share"),
        ({"noise": -0.1}, "noise is a share"),
        ({"noise": float("nan")}, "noise is a share"),
        ({"seed": -1}, "seed"),
        ({"motion": (1.0, float("nan"))}, "a motion is two numbers"),
        ({"geometry": Geometry(0.0, 0.0, 1.0, -1.0, 1, 5)}, "at least 2 x 2 cells, not 5 x 1"),
    ],
)
def test_wrong_arguments_are_named(arguments, words):
    """A wrong regime or number is refused with what was expected."""
    with pytest.raises(DataError, match=words):
        storm(**arguments)
