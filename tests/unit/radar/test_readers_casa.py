"""CASA sweeps and WDSS-II grids, against the raw files."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from dynamo.errors import DataError
from dynamo.radar.composite import composite, composites
from dynamo.radar.grid import Cell, Geometry
from dynamo.radar.readers import casa, read, read_all

SWEEPS = {
    "addison.tx-20170329-073040": (360, 1920, 15.6, "07:31:39"),
    "cleburne.tx-20170329-073002": (359, 401, 1666.6, "07:30:25"),
    "denton.tx-20170329-073801": (723, 501, 276.0, "07:38:01"),
}


def copy_sweep(samples: Path, to: Path, name: str = "cleburne.tx-20170329-073002") -> Path:
    to.write_bytes(gzip.decompress((samples / "casa" / f"{name}.netcdf.gz").read_bytes()))
    return to


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_holds_what_the_file_holds(samples: Path, name: str):
    """Ranges in m, times, and every gate: kept, nothing detected, or rejected by rho_hv, as in the raw file."""
    rays, gates, first, end = SWEEPS[name]
    path = samples / "casa" / f"{name}.netcdf.gz"
    (sweep,) = casa.reader.sweeps(path)
    assert sweep.moments["reflectivity"].shape == (rays, gates)
    assert sweep.ranges[0] == pytest.approx(first, abs=0.1)
    assert sweep.time.strftime("%H:%M:%S") == end
    with netCDF4.Dataset("raw", memory=gzip.decompress(path.read_bytes())) as raw:
        dbz, rho = raw["Reflectivity"][:].filled(), raw["CrossPolCorrelation"][:].filled()
        np.testing.assert_array_equal(sweep.azimuths, raw["Azimuth"][:])
    kept = (dbz >= -30) & (rho > 0.75)
    values = sweep.moments["reflectivity"]
    np.testing.assert_array_equal(np.isfinite(values), kept)
    np.testing.assert_array_equal(values[kept], dbz[kept])
    weak = (dbz < -30) | ((dbz < 10) & ~(rho > 0.75))
    np.testing.assert_array_equal(sweep.undetect, weak)
    hidden = ~kept & ~sweep.undetect
    assert hidden.any()
    assert dbz[hidden].min() >= 10


def test_rays_that_look_nowhere_are_left_out(samples: Path, tmp_path: Path):
    """A fill for an azimuth is no 180 degrees, and one that is NaN does not throw out the sweep."""
    path = copy_sweep(samples, tmp_path / "a.nc")
    with netCDF4.Dataset(path, "r+") as raw:
        raw["Azimuth"][5], raw["Azimuth"][7] = -99900.0, np.nan
        raw["GateWidth"][5] = -99900.0
    (whole,) = casa.reader.sweeps(samples / "casa" / "cleburne.tx-20170329-073002.netcdf.gz")
    for (sweep,) in (casa.reader.sweeps(path), casa.reader.moments(path, ("velocity",))):
        np.testing.assert_array_equal(sweep.azimuths, np.delete(whole.azimuths, [5, 7]))
        assert sweep.ranges[0] == whole.ranges[0]
    (sweep,) = casa.reader.sweeps(path)
    left = np.delete(whole.moments["reflectivity"], [5, 7], axis=0)
    np.testing.assert_array_equal(sweep.moments["reflectivity"], left)
    np.testing.assert_array_equal(sweep.undetect, np.delete(whole.undetect, [5, 7], axis=0))
    with netCDF4.Dataset(path, "r+") as raw:
        raw["Azimuth"][:] = np.nan
    with pytest.raises(DataError, match="'Azimuth' holds no angle"):
        read(path)


def test_sweeps_lie_around_their_radars(samples: Path):
    """The middle of each grid is the radar; beyond the last gate it is out of range."""
    for name, place in (("addison.tx", (-96.8391, 32.9814)), ("cleburne.tx", (-97.389, 32.37156))):
        path = min((samples / "casa").glob(f"{name}*"))
        (grid,) = read(path)
        west, south, east, north = grid.geometry.extent
        assert ((west + east) / 2, (south + north) / 2) == pytest.approx(place, abs=0.006)
        assert (grid.status[[0, 0, -1, -1], [0, -1, 0, -1]] == Cell.OUT_OF_RANGE).all()
        assert grid.attributes["radar"] == name
        inside = (grid.status < Cell.OUT_OF_RANGE).mean()
        assert inside == pytest.approx(np.pi / 4, abs=0.03)


def test_composites_agree_with_the_network_s_merged_grids(samples: Path):
    """Against the merged sequence (another program, same files): same echoes, mostly within 1 dB."""
    merged = {g.time: g for g in read(samples / "grids" / "casa_dfw_merged_1min_40x400x400.nc")}
    geometry = next(iter(merged.values())).geometry
    for minute in (30, 34, 38):
        files = [p for p in sorted((samples / "casa").glob("*.gz")) if re.search(f"-07{minute}..", p.name)]
        ours = composite([g for p in files for g in read(p, geometry=geometry)])
        theirs = merged[datetime(2017, 3, 29, 7, minute + 1, tzinfo=UTC)]
        echo, also = ours.status == Cell.ECHO, theirs.status == Cell.ECHO
        both = echo & also
        off = ours.values[both] - theirs.values[both]
        assert both.sum() / (echo | also).sum() > 0.97
        assert (np.abs(off) <= 1).mean() > 0.84
        assert abs(off.mean()) < 0.35
        strong = [(g.status == Cell.ECHO) & (g.values >= 35) for g in (ours, theirs)]
        assert (strong[0] & strong[1]).sum() / (strong[0] | strong[1]).sum() > 0.8


def test_all_sweeps_become_one_frame_a_minute(samples: Path):
    """Three radars share one grid; whatever the order of the files, the frames are the same."""
    files = [p for p in sorted((samples / "casa").glob("*.gz")) if re.search("-073[789]", p.name)]
    grids = read_all(files)
    assert len({g.geometry for g in grids}) == 1
    frames = composites(grids)
    assert [f.time for f in frames] == [
        datetime(2017, 3, 29, 7, 38, tzinfo=UTC) + timedelta(minutes=i) for i in range(len(frames))
    ]
    assert frames[1].attributes["radars"] == "addison.tx, cleburne.tx, denton.tx"
    again = composites(read_all(files[::-1]))
    for one, other in zip(frames, again, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.status, other.status)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda d: d.renameVariable("Reflectivity", "Reflectivty"),
            "'Reflectivity'.*mean 'Reflectivty'",
        ),
        (lambda d: d.renameVariable("GateWidth", "Width"), "no variable 'GateWidth'"),
        (lambda d: d["GateWidth"].setncattr("Units", "Furlongs"), "'GateWidth' is in 'Furlongs', expected"),
        (lambda d: d["Reflectivity"].setncattr("Units", "mm"), "'Reflectivity' is in 'mm', expected dBZ"),
        (lambda d: d.renameAttribute("Latitude", "Lat"), "no attribute 'Latitude'"),
    ],
)
def test_what_does_not_fit_is_named(samples: Path, tmp_path: Path, change, said: str):
    """File, variable, what was expected, and the nearest name."""
    path = copy_sweep(samples, tmp_path / "sweep.nc")
    with netCDF4.Dataset(path, "a") as data:
        change(data)
    with pytest.raises(DataError, match=rf"sweep\.nc.*{said}"):
        read(path)


def test_a_scan_through_the_vertical_is_refused(samples: Path, tmp_path: Path):
    """As a sweep it would fill the circle with what is above one line."""
    path = copy_sweep(samples, tmp_path / "rhi.nc")
    with netCDF4.Dataset(path, "r+") as raw:
        raw["Azimuth"][:] = 120.0
        raw["Elevation"][:] = np.linspace(0, 60, raw["Elevation"].size)
    with pytest.raises(DataError, match=r"rhi\.nc: holds only scans through the vertical"):
        read(path)


def test_a_sweep_without_any_value_is_legal(samples: Path, tmp_path: Path):
    """All NaN: every cell in range is missing."""
    path = copy_sweep(samples, tmp_path / "sweep.nc")
    with netCDF4.Dataset(path, "a") as data:
        data["Reflectivity"][:] = np.nan
    (grid,) = read(path)
    assert set(np.unique(grid.status)) == {Cell.MISSING, Cell.OUT_OF_RANGE}


def make_latlongrid(path: Path, values: np.ndarray, name: str, **attributes) -> Path:
    with netCDF4.Dataset(path, "w", format=attributes.pop("format", "NETCDF3_CLASSIC")) as data:
        dimensions = ("Steps", "Lat", "Lon")[-values.ndim :]
        for dimension, size in zip(dimensions, values.shape, strict=True):
            data.createDimension(dimension, size)
        field = data.createVariable(name, "f4", dimensions)
        field.units = "dBZ"
        field[:] = values
        data.setncatts(
            {"TypeName": name, "DataType": "LatLonGrid", "Latitude": 33.9, "Longitude": -98.5, "Height": 0.0,
             "Time": 1490772600, "FractionalTime": 0.0, "LatGridSpacing": 0.004, "LonGridSpacing": 0.005,
             "MissingData": -99900.0, "RangeFolded": -99901.0} | attributes
        )  # fmt: skip
    return path


@pytest.mark.parametrize("kind", ["NETCDF3_CLASSIC", "NETCDF4"])
def test_a_forecast_file_holds_all_its_steps(tmp_path: Path, kind: str):
    """31 steps become 31 grids with leads of 0 to 30 minutes; three kinds of "no number" stay apart."""
    values = np.full((31, 4, 6), 20.0, "f4") + np.arange(31)[:, None, None]
    values[:, 0, 0], values[:, 0, 1], values[:, 0, 2] = -99900, -99901, -99903
    path = make_latlongrid(
        tmp_path / "MERGE_DARTS_201703290730.nc", values, "PredictedReflectivity", format=kind
    )
    grids = read(path)
    assert [g.lead_minutes for g in grids] == list(range(31))
    assert grids[30].time == datetime(2017, 3, 29, 8, 0, tzinfo=UTC)
    assert grids[30].values[3, 5] == 50
    assert list(grids[7].status[0, :4]) == [Cell.UNDETECT, Cell.MISSING, Cell.OUT_OF_RANGE, Cell.ECHO]
    assert grids[0].geometry.extent == pytest.approx((-98.5, 33.884, -98.47, 33.9))


def test_a_single_grid_has_no_lead(tmp_path: Path):
    """A WDSS-II LatLonGrid is an observation at its time."""
    path = make_latlongrid(tmp_path / "g.nc", np.full((4, 6), 33.0), "MergedReflectivityQC")
    (grid,) = read(path)
    assert (grid.lead_minutes, grid.time) == (0.0, datetime(2017, 3, 29, 7, 30, tzinfo=UTC))
    assert (grid.values == 33).all()


def test_a_sparse_grid_is_unfolded(tmp_path: Path):
    """Runs go eastwards from their row and column; the rest is background."""
    path = tmp_path / "sparse.nc"
    make_latlongrid(path, np.zeros((4, 6)), "Unused", TypeName="Refl")
    with netCDF4.Dataset(path, "a") as data:
        data.createDimension("pixel", 2)
        for name, kind, numbers in (
            ("Refl", "f4", [40.0, -99903.0]), ("pixel_x", "i2", [1, 3]), ("pixel_y", "i2", [4, 0]),
            ("pixel_count", "i4", [2, 3]),
        ):  # fmt: skip
            data.createVariable(name, kind, ("pixel",))[:] = numbers
    (grid,) = read(path)
    want = np.full((4, 6), Cell.UNDETECT)
    want[1, 4:], want[3, :3] = Cell.ECHO, Cell.OUT_OF_RANGE
    np.testing.assert_array_equal(grid.status, want)
    with netCDF4.Dataset(path, "a") as data:
        data["pixel_count"][1] = 30
    with pytest.raises(DataError, match="leaves the grid"):
        read(path)


def test_a_grid_that_does_not_fit_is_named(tmp_path: Path):
    """An attribute that is not there, a unit that is not dBZ, a spacing of nothing."""
    path = make_latlongrid(tmp_path / "g.nc", np.zeros((4, 6)), "Refl")
    with netCDF4.Dataset(path, "a") as data:
        data["Refl"].units = "mm"
    with pytest.raises(DataError, match=r"g\.nc.*'Refl' is in 'mm', expected dBZ"):
        read(path)
    path = make_latlongrid(tmp_path / "h.nc", np.zeros((4, 6)), "Refl", LatGridSpacing=0.0)
    with pytest.raises(DataError, match=r"h\.nc.*not a north-up grid"):
        read(path)
    path = make_latlongrid(tmp_path / "t.nc", np.zeros((4, 6)), "Refl")
    with netCDF4.Dataset(path, "a") as data:
        data.delncattr("Time")
    with pytest.raises(DataError, match=r"t\.nc.*no attribute 'Time'"):
        read(path)


def test_a_sweep_goes_where_it_is_told(samples: Path):
    """A geometry given by the caller is used as it is."""
    geometry = Geometry(-97.4, 32.5, 0.004, -0.003, 50, 40)
    (grid,) = read(samples / "casa" / "cleburne.tx-20170329-073002.netcdf.gz", geometry=geometry)
    assert grid.geometry == geometry
