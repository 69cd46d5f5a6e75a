"""Motion estimates: known motions are found, sequences without one are refused in words."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import h5py
import netCDF4
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.errors import DataError, UserError
from dynamo.radar import lucas_kanade
from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.motion import METHODS, Motion, estimate_motion, read_motion, write_motion
from dynamo.radar.readers import read
from dynamo.radar.still import standing_edges

START = datetime(2020, 6, 1, 12, tzinfo=UTC)
#: Methods that need no extra package.
OWN = sorted(METHODS.keys() - {"pysteps"})
PLANE = Geometry(0, 200_000, 1000, -1000, 160, 120, "EPSG:3857")


def blobs(column_shift=0.0, row_shift=0.0, *, turn=0.0, geometry=PLANE):
    """Some Gaussian cells of rain, moved and turned about the middle of the grid."""
    rng = np.random.default_rng(7)
    ny, nx = geometry.shape
    x, y = np.meshgrid(np.arange(nx), np.arange(ny))
    x0, y0 = rng.uniform(0, nx, 40) - nx / 2, rng.uniform(0, ny, 40) - ny / 2
    cx = np.cos(turn) * x0 - np.sin(turn) * y0 + nx / 2 + column_shift
    cy = np.sin(turn) * x0 + np.cos(turn) * y0 + ny / 2 + row_shift
    size, top = rng.uniform(3, 7, 40), rng.uniform(20, 50, 40)
    field = np.zeros((ny, nx))
    for i in range(40):
        field = np.maximum(
            field, top[i] * np.exp(-((x - cx[i]) ** 2 + (y - cy[i]) ** 2) / (2 * size[i] ** 2))
        )
    return field


def at(minute, values, geometry=PLANE, **more):
    return Grid.from_values(
        values, geometry, START + timedelta(minutes=minute), undetect=np.asarray(values) < 3, **more
    )


def moving(u, v, minutes=(0, 5, 10)):
    return [at(m, blobs(u * m, v * m)) for m in minutes]


def middle(motion):
    """The median motion of the inner half of the nodes."""
    ny, nx = motion.u.shape
    inner = np.s_[ny // 4 : -ny // 4, nx // 4 : -nx // 4]
    return np.median(motion.u[inner]), np.median(motion.v[inner])


@pytest.mark.parametrize("method", ["lk", "dis", "constant"])
def test_a_translation_is_found(method):
    """Cells that move 0.8 columns and -0.5 rows a minute are seen to do so."""
    motion = estimate_motion(moving(0.8, -0.5), method=method)
    assert middle(motion) == pytest.approx((0.8, -0.5), abs=0.08)
    assert motion.vectors > 0


def test_darts_finds_a_slow_translation():
    """The Fourier fit finds motion of less than a cell a step, for which it is made."""
    u, v = middle(estimate_motion(moving(0.8, -0.5, range(11)), method="darts"))
    assert (u, v) == pytest.approx((0.8, -0.5), abs=0.15)


@settings(max_examples=15, deadline=None)
@given(u=st.floats(-1.5, 1.5), v=st.floats(-1.5, 1.5), step=st.sampled_from([1, 2, 2.5, 5]))
def test_frame_spacing_does_not_matter(u, v, step):
    """Motion per minute is the same from frames 1, 2, 2.5 or 5 minutes apart."""
    motion = estimate_motion(moving(u, v, np.arange(0, 10.1, step)))
    assert middle(motion) == pytest.approx((u, v), abs=0.1)


def test_a_rotation_is_found():
    """Where cells turn about the middle, motion is opposite on opposite sides."""
    frames = [at(m, blobs(turn=0.012 * m)) for m in (0, 5, 10)]
    motion = estimate_motion(frames)
    rows, columns = motion.u.shape
    assert motion.v[rows // 2, columns // 8] < -0.3 < 0.3 < motion.v[rows // 2, -columns // 8]
    assert motion.u[rows // 8, columns // 2] > 0.2 > -0.2 > motion.u[-rows // 8, columns // 2]


def test_rain_rate_moves_like_reflectivity():
    """The same cells in mm/h give the same motion."""
    frames = [
        Grid.from_values(
            (10 ** (f.values / 10) / 200) ** (1 / 1.6), PLANE, f.time, undetect=~f.known, quantity="rain_rate"
        )
        for f in moving(0.8, -0.5)
    ]
    assert middle(estimate_motion(frames)) == pytest.approx((0.8, -0.5), abs=0.1)


@pytest.mark.parametrize("method", OWN)
@pytest.mark.parametrize("value", [0.0, np.nan])
def test_calm_and_missing_frames_stand_still(method, value):
    """With no echo, or no data at all, motion is zero, finite, and rests on nothing."""
    motion = estimate_motion([at(m, np.full(PLANE.shape, value)) for m in (0, 5)], method=method)
    assert motion.vectors == 0
    assert not motion.u.any()
    assert not motion.v.any()


def test_a_radar_edge_is_not_tracked():
    """Echo cut off by the range of the radar does not make the estimate stand still."""
    x, y = np.meshgrid(np.arange(160), np.arange(120))
    far = np.hypot(x - 80, y - 60) > 50
    frames = [at(m, blobs(0.8 * m, -0.5 * m), out_of_range=far) for m in (0, 5, 10)]
    assert middle(estimate_motion(frames)) == pytest.approx((0.8, -0.5), abs=0.1)


@pytest.mark.parametrize("method", OWN)
@pytest.mark.parametrize("shape", [(2, 2), (7, 90), (33, 40)])
def test_small_grids_are_legal(method, shape):
    """Any grid has a finite motion, however small."""
    geometry = Geometry(0, 0, 1000, -1000, shape[1], shape[0], "EPSG:3857")
    rng = np.random.default_rng(1)
    frames = [at(m, rng.uniform(0, 50, shape), geometry) for m in (0, 5)]
    motion = estimate_motion(frames, method=method)
    assert np.isfinite(motion.u).all()
    assert np.isfinite(motion.v).all()


def test_a_gap_is_crossed():
    """Frames missing in between lengthen the pair; the motion per minute stays."""
    assert middle(estimate_motion(moving(0.4, 0.3, (0, 1, 2, 10, 20)))) == pytest.approx((0.4, 0.3), abs=0.1)


def test_one_frame_is_refused():
    """A single frame has no motion; the message says what to do."""
    with pytest.raises(DataError, match=r'at least two frames.*2020-06-01 12:00:00Z.*"none"'):
        estimate_motion(moving(1, 1)[:1])


def test_one_frame_persists():
    """Persistence needs no second frame."""
    assert not estimate_motion(moving(1, 1)[:1], method="none").u.any()


@pytest.mark.parametrize("method", OWN)
def test_no_frame_is_refused(method):
    """Nothing has no motion, whatever the method."""
    with pytest.raises(DataError, match="at least two"):
        estimate_motion([], method=method)


def test_frames_out_of_order_are_named():
    """The message names both frames by time."""
    a, b, c = moving(1, 1)
    with pytest.raises(
        DataError, match=r"out of order: 2020-06-01 12:05:00Z comes after 2020-06-01 12:10:00Z"
    ):
        estimate_motion([a, c, b])


def test_doubled_frames_are_named():
    """The message names the time that is there twice."""
    a, b, _ = moving(1, 1)
    with pytest.raises(DataError, match=r"same time, 2020-06-01 12:05:00Z"):
        estimate_motion([a, b, b])


def test_other_geometry_is_named():
    """The message names the frame and says how its grid differs."""
    small = Geometry(0, 200_000, 1000, -1000, 80, 60, "EPSG:3857")
    frames = [at(0, np.zeros(small.shape), small), *moving(1, 1, (5, 10))]
    with pytest.raises(DataError, match=r"12:00:00Z does not fit .*12:10:00Z: 60 x 80 cells instead of"):
        estimate_motion(frames)


def test_other_quantity_is_named():
    """Rain rate and reflectivity do not mix."""
    frames = [at(0, blobs(), quantity="rain_rate"), at(5, blobs())]
    with pytest.raises(DataError, match="12:00:00Z is rain_rate"):
        estimate_motion(frames)


def test_frames_hours_apart_are_refused():
    """Two frames two hours apart say nothing of today's motion."""
    with pytest.raises(DataError, match="120 minutes apart"):
        estimate_motion(moving(0, 0, (0, 120)))


def test_an_unknown_method_is_named():
    """A typo gets the nearest method."""
    with pytest.raises(DataError, match="did you mean 'darts'"):
        estimate_motion(moving(1, 1), method="dart")


def test_a_file_gives_back_the_motion(tmp_path):
    """What is written is read back to the last bit, and equal motions make equal bytes."""
    motion = estimate_motion(moving(0.8, -0.5))
    for name in ("a.nc", "b.nc"):
        write_motion(tmp_path / name, motion)
    back = read_motion(tmp_path / "a.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    assert isinstance(back, Motion)
    assert np.array_equal(back.u, motion.u)
    assert np.array_equal(back.v, motion.v)
    assert (back.geometry, back.time, back.method, back.vectors) == (
        motion.geometry,
        motion.time,
        motion.method,
        motion.vectors,
    )


def test_a_file_is_plain_netcdf(tmp_path):
    """Other programs find the components with units and places."""
    motion = estimate_motion(moving(0.8, -0.5))
    write_motion(tmp_path / "motion.nc", motion)
    with netCDF4.Dataset(tmp_path / "motion.nc") as file:
        assert file["u"].dimensions == ("y", "x")
        assert file["u"].units == "1/min"
        x = file["x"][:]
        assert x[0] == pytest.approx(PLANE.extent[0] + (x[1] - x[0]) / 2)


@pytest.mark.parametrize("content", [b"", b"not a file of ours"])
def test_a_damaged_file_is_named(tmp_path, content):
    """The message names the file."""
    path = tmp_path / "motion.nc"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"motion\.nc"):
        read_motion(path)


def test_another_file_is_named(tmp_path):
    """A NetCDF file that holds no motion is refused with the missing name."""
    path = tmp_path / "motion.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("x", 2)
    with pytest.raises(DataError, match=r"motion\.nc.*'u'"):
        read_motion(path)


def test_a_real_storm_moves_east(samples):
    """The squall line over Dallas of 2017-03-29 goes north-east at the speed of a squall line."""
    frames = read(samples / "grids" / "casa_dfw_merged_1min_40x400x400.nc")[10:21]
    motion = estimate_motion(frames)
    assert np.median(motion.u) > 0 > np.median(motion.v)
    assert 40 < np.median(motion.speed_kmh()) < 120


def spotted(u, v):
    """Moving rain with bright spots that stand still in it, and where they are."""
    spots = np.zeros(PLANE.shape, dtype=bool)
    spots[20:100:16, 20:140:20] = True
    return [at(m, np.where(spots, 58, np.maximum(blobs(u * m, v * m), 5))) for m in (0, 5, 10, 15)], spots


def test_still_spots_are_found_and_do_not_hold_the_rain_back():
    """Clutter in moving rain is named cell by cell, and the motion is that of the rain."""
    frames, spots = spotted(1.2, -0.6)
    motion = estimate_motion(frames)
    assert np.isin(np.flatnonzero(spots), motion.still).all()
    assert len(motion.still) <= 9 * np.count_nonzero(spots)
    assert middle(motion) == pytest.approx((1.2, -0.6), abs=0.1)


def test_a_narrow_spot_is_proved_sooner_than_a_wide_one():
    """In 15 minutes at 0.3 cells a minute, air passes a spot of one cell and not yet one of five."""
    spots = np.zeros(PLANE.shape, dtype=bool)
    spots[30:90:20, 20:80:20] = True
    wide = np.zeros_like(spots)
    wide[40:45, 120:125] = True
    frames = [at(m, np.where(spots | wide, 58, np.maximum(blobs(0.3 * m, 0), 5))) for m in (0, 5, 10, 15)]
    still = np.zeros(PLANE.shape, dtype=bool)
    still.flat[estimate_motion(frames).still] = True
    assert still[spots].all()
    assert not still[wide].any()


def test_a_bright_band_stays_at_its_range_while_the_rain_moves(samples):
    """Where a ring of melting snow stands around a radar nothing is carried away; the rain elsewhere is."""
    frames = read(next((samples / "grids").glob("opera_*.nc")))[:3]
    speed = estimate_motion(frames).speed_kmh()
    rows, columns = (1000 / n for n in speed.shape)
    east_of_the_radar = np.s_[int(860 // rows), int(460 // columns)]
    assert speed[east_of_the_radar] == 0
    assert np.median(speed) > 50


@pytest.mark.parametrize(
    "frames", [spotted(0, 0)[0], moving(1.2, -0.6, (0, 5, 10, 15)), spotted(1.2, 0)[0][:2]]
)
def test_nothing_is_still_without_proof(frames):
    """Where nothing moves, where all moves, and in two frames, nothing is said to stand still."""
    assert not estimate_motion(frames).still.size


def test_still_cells_are_kept_in_the_file(tmp_path):
    """What stands still is read back; numbers beyond the grid are refused."""
    motion = estimate_motion(spotted(1.2, -0.6)[0])
    write_motion(tmp_path / "motion.nc", motion)
    assert np.array_equal(read_motion(tmp_path / "motion.nc").still, motion.still)
    with h5py.File(tmp_path / "motion.nc", "a") as file:
        file["still"][0] = PLANE.nx * PLANE.ny
    with pytest.raises(DataError, match=r"motion\.nc: 'still'"):
        read_motion(tmp_path / "motion.nc")


def cut_off(u, v, *, told):
    """Rain that moves, seen by a radar whose range ends within it; the grid says so, or shows no echo there."""
    x, y = np.meshgrid(np.arange(160), np.arange(120))
    far = np.hypot(x - 80, y - 60) > 50
    rain = [np.where(far, 0, 20 + blobs(u * m, v * m) / 2) for m in (0, 5, 10, 15)]
    return [at(5 * i, r, out_of_range=far if told else None) for i, r in enumerate(rain)]


@pytest.mark.parametrize(("told", "seen"), [(True, 0.95), (False, 0.6)])
def test_the_range_of_a_radar_does_not_hold_the_rain_back(told, seen):
    """Motion is that of the rain inside; even where the grid does not name the edge, most of it is seen."""
    u, v = middle(estimate_motion(cut_off(0.8, -0.5, told=told)))
    assert seen * 0.8 < u < 0.85
    assert -0.55 < v < -seen * 0.5


def test_a_long_line_is_seen_to_move_along_itself():
    """Cells in a squall line that slide along it at two cells a minute are followed, not only the line's front."""
    x, y = np.meshgrid(np.arange(160), np.arange(120))
    line = [
        50 * np.exp(-((x - 60 - m) ** 2) / 50) * (0.75 + 0.25 * np.sin((y + 2 * m) / 6)) for m in range(11)
    ]
    u, v = middle(estimate_motion([at(m, field) for m, field in enumerate(line)]))
    assert (u, v) == pytest.approx((1, -2), abs=0.2)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), number=st.integers(1, 60), u=st.floats(-3, 3), v=st.floats(-3, 3))
def test_equal_vectors_spread_to_an_equal_field(seed, number, u, v):
    """Wherever the vectors are and whatever they weigh, a field of one motion comes out as it went in."""
    rng = np.random.default_rng(seed)
    vectors = np.column_stack(
        [rng.random((number, 2)) * 100, *np.full((2, number), [[u], [v]]), rng.random(number) + 0.01]
    )
    field = lucas_kanade.spread(vectors.astype("f4"), (100, 100), (10, 10), (5.0, 7.0))
    assert field == pytest.approx(np.broadcast_to([u, v], (10, 10, 2)), abs=1e-4)


def test_near_vectors_rule_and_weights_count():
    """A node takes the motion of the vector beside it, unless that weighs next to nothing."""
    vectors = np.array([[5, 5, 1, 0, 1], [95, 95, 0, 1, 1]], "f4")
    field = lucas_kanade.spread(vectors, (100, 100), (10, 10), (5.0, 5.0))
    assert field[0, 0] == pytest.approx((1, 0), abs=0.01)
    assert field[9, 9] == pytest.approx((0, 1), abs=0.01)
    vectors[0, 4] = 1e-6
    assert lucas_kanade.spread(vectors, (100, 100), (10, 10), (5.0, 5.0))[0, 0] == pytest.approx(
        (0, 1), abs=0.1
    )


def test_only_steep_edges_that_stand_are_edges():
    """A cut through echo that is there in all images is named on its bright side; one that moves is not."""
    still, moved = np.zeros((2, 20, 20), "u1")
    still[:, :10] = 90
    moved[:, :14] = 90
    assert np.flatnonzero(standing_edges([still, still], 30).any(axis=0)).tolist() == [8, 9]
    assert not standing_edges([still, moved], 30).any()
    assert not standing_edges([still, still], 100).any()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), number=st.integers(1, 400), wide=st.sampled_from([1.0, 30.0, 1000.0]))
def test_the_nearest_points_are_the_nearest(seed, number, wide):
    """The search by bands finds the same distances as comparing all with all."""
    rng = np.random.default_rng(seed)
    points = (rng.random((number, 2)) * [wide, 100]).astype("f4")
    at_points = (rng.random((150, 2)) * [wide, 100]).astype("f4")
    count = min(20, number)
    found = lucas_kanade._nearest(at_points, points, count)
    distance = np.linalg.norm(at_points[:, None].astype("f8") - points, axis=2)
    got = np.sort(np.take_along_axis(distance, found, axis=1), axis=1)
    assert got == pytest.approx(np.sort(distance, axis=1)[:, :count], abs=0.05)


def test_a_method_whose_package_is_missing_says_what_to_install(monkeypatch):
    """pysteps is an extra: without it, the error names the package and how to get it."""
    monkeypatch.setitem(sys.modules, "pysteps", None)
    monkeypatch.setitem(sys.modules, "pysteps.motion.lucaskanade", None)
    with pytest.raises(
        UserError, match=r"needs the package pysteps: pip install 'dynamo-weather\[pysteps\]'"
    ):
        estimate_motion(moving(0.8, -0.5), method="pysteps")
