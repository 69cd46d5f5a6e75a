"""Extrapolation: known shifts are exact, statuses travel, lead times do not depend on each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.errors import DataError
from dynamo.radar.extrapolation import Extrapolator, extrapolate
from dynamo.radar.grid import Cell, Geometry, Grid
from dynamo.radar.motion import Motion

NOON = datetime(2020, 6, 1, 12, tzinfo=UTC)
PLANE = Geometry(0, 200_000, 1000, -1000, 70, 50, "EPSG:3857")


def flow(u, v, geometry=PLANE, nodes=(5, 7)):
    fields = (np.broadcast_to(np.float32(x), nodes).copy() for x in (u, v))
    return Motion(*fields, geometry, NOON, "test", 1)


def noise(seed=3):
    """Echo, no echo, missing and out of range, all mixed."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(-10, 60, PLANE.shape)
    values[rng.random(PLANE.shape) < 0.1] = np.nan
    return Grid.from_values(
        values,
        PLANE,
        NOON,
        undetect=rng.random(PLANE.shape) < 0.3,
        out_of_range=rng.random(PLANE.shape) < 0.1,
        source="test",
    )


def test_whole_cells_are_exact():
    """Two columns a minute for three minutes is six columns, and the rest comes from outside."""
    frame = noise()
    later = extrapolate(frame, flow(2, -1), 3)
    assert np.array_equal(later.status[:-3, 6:], frame.status[3:, :-6])
    assert np.allclose(later.values[:-3, 6:], frame.values[3:, :-6], atol=1e-3, equal_nan=True)
    assert (later.status[-3:] == Cell.OUT_OF_RANGE).all()
    assert (later.status[:, :6] == Cell.OUT_OF_RANGE).all()


def test_lead_zero_is_the_frame():
    """Nothing moves in no time."""
    frame = noise()
    same = extrapolate(frame, flow(2, -1), 0)
    assert np.array_equal(same.values, frame.values, equal_nan=True)
    assert np.array_equal(same.status, frame.status)


def test_time_and_lead_move_on():
    """The valid time is the frame's plus the lead; all else is kept."""
    later = extrapolate(noise(), flow(1, 1), 12.5)
    assert later.time == NOON + timedelta(minutes=12.5)
    assert later.lead_minutes == 12.5
    assert later.source == "test"


@settings(max_examples=30, deadline=None)
@given(
    u=st.floats(-3, 3),
    v=st.floats(-3, 3),
    minutes=st.floats(0, 40),
    before=st.lists(st.floats(0, 60), max_size=4),
)
def test_lead_times_do_not_depend_on_each_other(u, v, minutes, before):
    """A lead computed alone equals the same lead after any others, to the bit."""
    frame, motion = noise(), flow(u, v)
    many = Extrapolator(frame, motion)
    for other in before:
        many(other)
    one, same = many(minutes), extrapolate(frame, motion, minutes)
    assert np.array_equal(one.values, same.values, equal_nan=True)
    assert np.array_equal(one.status, same.status)


@settings(max_examples=30, deadline=None)
@given(u=st.floats(-3, 3), v=st.floats(-3, 3), minutes=st.floats(0, 40))
def test_no_number_is_made_of_none(u, v, minutes):
    """Values are finite exactly where the status says so, and within those of the frame's echo."""
    frame = noise()
    later = extrapolate(frame, flow(u, v), minutes)
    echo = later.status == Cell.ECHO
    assert np.array_equal(np.isnan(later.values), later.status >= Cell.MISSING)
    assert (later.values[later.status == Cell.UNDETECT] == -32).all()
    told = frame.values[frame.status == Cell.ECHO]
    assert (later.values[echo] >= told.min() - 1e-3).all()
    assert (later.values[echo] <= told.max() + 1e-3).all()


def test_echo_edges_stay_sharp():
    """Half a cell of motion makes no weak rim around a strong echo."""
    values = np.zeros(PLANE.shape)
    values[20:30, 20:30] = 50
    frame = Grid.from_values(values, PLANE, NOON, undetect=values == 0)
    later = extrapolate(frame, flow(0.5, 0.5), 1)
    assert later.values[later.status == Cell.ECHO] == pytest.approx(50)
    assert np.count_nonzero(later.status == Cell.ECHO) == 100


def test_rotation_comes_round():
    """A blob carried half way round the middle arrives on the other side."""
    geometry = Geometry(0, 0, 1000, -1000, 101, 101, "EPSG:3857")
    x, y = np.meshgrid(np.arange(101.0), np.arange(101.0))
    frame = Grid.from_values(50 * np.exp(-((x - 75) ** 2 + (y - 50) ** 2) / 50), geometry, NOON)
    omega = np.pi / 30  # half a turn in 30 minutes, clockwise on the map: rows go down
    motion = Motion(
        (-omega * (y - 50)).astype("f4"), (omega * (x - 50)).astype("f4"), geometry, NOON, "test", 1
    )
    later = extrapolate(frame, motion, 30)
    top = np.unravel_index(np.nanargmax(later.values), later.values.shape)
    assert top == pytest.approx((50, 25), abs=1)


@pytest.mark.parametrize("status", [Cell.MISSING, Cell.OUT_OF_RANGE, Cell.UNDETECT])
def test_a_uniform_status_stays(status):
    """A frame of one status keeps it wherever the origin is inside the grid."""
    frame = Grid.from_values(
        np.full(PLANE.shape, np.nan),
        PLANE,
        NOON,
        undetect=np.full(PLANE.shape, status == Cell.UNDETECT),
        out_of_range=np.full(PLANE.shape, status == Cell.OUT_OF_RANGE),
    )
    assert (extrapolate(frame, flow(1, 0), 10).status[:, 10:] == status).all()


@pytest.mark.parametrize("minutes", [-1, float("nan"), float("inf")])
def test_bad_lead_times_are_refused(minutes):
    """Only times from the frame on make sense."""
    with pytest.raises(DataError, match="lead time"):
        extrapolate(noise(), flow(1, 1), minutes)


def test_a_motion_of_another_grid_is_refused():
    """The message says how the grids differ."""
    other = Geometry(0, 0, 1000, -1000, 10, 10, "EPSG:3857")
    with pytest.raises(DataError, match="10 x 10 cells instead of 50 x 70"):
        extrapolate(noise(), flow(1, 1, other), 5)


def test_peaks_stay():
    """A third of a cell of motion does not lower the highest value."""
    values = np.full(PLANE.shape, 20.0)
    values[25, 35] = 55
    frame = Grid.from_values(values, PLANE, NOON)
    assert np.nanmax(extrapolate(frame, flow(0.3, 0.3), 1).values) == 55


def test_still_echo_stays_and_the_rain_under_it_moves_on():
    """A spot that is said to stand still is where it was, once, and the rain around it closes behind."""
    values = np.full(PLANE.shape, 20.0)
    values[:, 30:] = 30
    values[20:22, 10:12] = 55
    frame = Grid.from_values(values, PLANE, NOON)
    motion = flow(1, 0)
    still = np.flatnonzero(values == 55)
    later = extrapolate(frame, Motion(motion.u, motion.v, PLANE, NOON, "test", 1, still), 15)
    assert np.array_equal(np.flatnonzero(later.values == 55), still)
    assert (later.values[20:22, 20:45] == 20).all()
    assert (later.values[:, 45:] == 30).all()


@pytest.mark.parametrize("cells", [1, 1000, 3000])
def test_a_grid_too_large_for_one_piece_is_carried_in_parts(monkeypatch, cells):
    """Row by row or in blocks, the values and the states are those of the whole at once."""
    rng = np.random.default_rng(3)
    frame = noise()
    motion = Motion(*rng.uniform(-2, 2, (2, 6, 8)).astype("f4"), PLANE, NOON, "test", 1)
    whole = extrapolate(frame, motion, 12.5)
    monkeypatch.setattr("dynamo.radar.extrapolation.BLOCK_CELLS", cells)
    parts = extrapolate(frame, motion, 12.5)
    # Where the air came from differs by the rounding of single numbers, which may choose another of two cells.
    assert np.mean(parts.status != whole.status) < 0.001
    assert np.nanmean(np.abs(parts.values - whole.values) > 0.01) < 0.002
