"""CF NetCDF grids, against xarray."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from dynamo.errors import DataError
from dynamo.radar.grid import Cell, Geometry, Grid
from dynamo.radar.netcdf import write_frames
from dynamo.radar.readers import read

NOON = datetime(2020, 6, 1, 12, tzinfo=UTC)


def make_file(path: Path, *, drop: tuple[str, ...] = (), **change) -> Path:
    """Store a small CF file of rain, rows going north, with one change."""
    values = np.arange(12.0).reshape(1, 3, 4)
    values[0, 2, 3] = np.nan
    data = xr.Dataset(
        {"rr": (("time", "lat", "lon"), values, {"standard_name": "rainfall_rate", "units": "mm h-1"})},
        coords={
            "time": [np.datetime64("2020-06-01T12:00")],
            "lat": ("lat", [50.0, 50.1, 50.2], {"units": "degrees_north"}),
            "lon": ("lon", [359.8, 359.9, 360.0, 360.1], {"units": "degrees_east"}),
        },
    )
    for key, value in change.items():
        name, _, attribute = key.partition("__")
        if attribute:
            data[name].attrs[attribute] = value
        else:
            data[name] = value
    data.drop_vars(drop).to_netcdf(path)
    return path


@pytest.mark.parametrize(
    ("name", "steps", "corner"),
    [
        ("casa_dfw_merged_1min_40x400x400.nc", 40, (-98.0, 33.4)),
        ("mrms_texas_2min_36x1000x1000.nc", 36, None),
        ("opera_cirrus_widespread_5min_13x1000x1000.nc", 13, None),
    ],
)
def test_sequences_hold_what_xarray_sees(samples: Path, name: str, steps: int, corner):
    """Every time, the numbers, and "fill = no echo" as UNDETECT."""
    path = samples / "grids" / name
    grids = read(path)
    assert len(grids) == steps
    with xr.open_dataset(path) as data:
        for i in (0, steps - 1):
            want = data["reflectivity"][i].values
            assert grids[i].time == data["time"][i].values.astype("M8[us]").item().replace(tzinfo=UTC)
            np.testing.assert_array_equal(grids[i].status == Cell.ECHO, np.isfinite(want))
            assert (grids[i].status[np.isnan(want)] == Cell.UNDETECT).all()
            np.testing.assert_array_equal(grids[i].values[np.isfinite(want)], want[np.isfinite(want)])
    if corner:
        assert grids[0].geometry.extent[0::3] == pytest.approx(corner)


def test_the_crop_of_the_european_composite_lies_where_the_whole_one_says(samples: Path):
    """Rows 609 and columns 2146 on: the same cells of the ODIM file have the same values and positions."""
    crop = read(samples / "grids" / "opera_cirrus_widespread_5min_13x1000x1000.nc")
    frame = next(g for g in crop if g.time == datetime(2024, 11, 26, 1, 30, tzinfo=UTC))
    (whole,) = read(samples / "frames" / "T_PABV21_C_EUOC_20241126013000.hdf")
    assert frame.geometry.crs == whole.geometry.crs
    assert frame.geometry.x0 == whole.geometry.x[2146]
    assert frame.geometry.y0 == whole.geometry.y[609]
    part = whole.values[609:1609, 2146:3146]
    both = (frame.status == Cell.ECHO) & (whole.status[609:1609, 2146:3146] == Cell.ECHO)
    assert both.mean() > 0.3
    np.testing.assert_allclose(frame.values[both], part[both], atol=0.26)


def test_rows_and_longitudes_may_run_either_way(tmp_path: Path):
    """Rows from the south are turned; longitudes beyond 180 are west; NaN is missing, 0 mm/h is no rain."""
    (grid,) = read(make_file(tmp_path / "a.nc"))
    assert grid.geometry.difference(Geometry(-0.2, 50.2, 0.1, -0.1, 4, 3)) == ""
    np.testing.assert_array_equal(grid.values[2], [0, 1, 2, 3])
    assert grid.status[0, 3] == Cell.MISSING
    assert grid.status[2, 0] == Cell.UNDETECT
    assert (grid.quantity, grid.time) == ("rain_rate", NOON)


@pytest.mark.parametrize(
    ("units", "factor"), [("mm/h", 1), ("kg m-2 s-1", 3600), ("m s-1", 3.6e6), ("mm hr^-1", 1)]
)
def test_units_of_rain_are_brought_to_millimetres_per_hour(tmp_path: Path, units: str, factor: float):
    """A rate in any of the usual units."""
    (grid,) = read(make_file(tmp_path / "a.nc", rr__units=units))
    np.testing.assert_allclose(grid.values[2, 1:], np.array([1, 2, 3]) * factor, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rr__units": "kelvin"}, "'rr' is in 'kelvin', expected dBZ"),
        ({"rr__standard_name": "air_temperature"}, "no variable 'reflectivity'.*there are: rr"),
        ({"lat": ("lat", [50.0, 50.1, 50.9])}, "not evenly spaced"),
        ({"drop": ("lat",)}, "no variable 'lat'"),
        ({"drop": ("time",)}, "no variable 'time'"),
        ({"lon__units": "m"}, "names no 'grid_mapping'"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, change, said: str):
    """File, variable, and what was expected."""
    path = make_file(tmp_path / "bad.nc", **change)
    with pytest.raises(DataError, match=rf"bad\.nc.*{said}"):
        read(path)


def test_all_nan_is_legal(tmp_path: Path):
    """A field without any value is a grid of missing cells."""
    (grid,) = read(make_file(tmp_path / "a.nc", rr__units="mm h-1", rr=(("time", "lat", "lon"), np.full((1, 3, 4), np.nan), {"standard_name": "rainfall_rate", "units": "mm h-1"})))  # fmt: skip  # noqa: E501
    assert (grid.status == Cell.MISSING).all()


def test_a_polar_file_is_not_taken_for_a_grid(samples: Path):
    """CfRadial has times and ranges where a grid has its coordinates; `cfradial` reads it."""
    with pytest.raises(DataError, match="'reflectivity' is a polar sweep"):
        read(samples / "hail" / "MLL2217907250U.001.nc", format="cf")


def test_projected_grids_keep_their_crs(tmp_path: Path):
    """What xarray writes of a projected grid comes back in place, with all statuses."""
    geometry = Geometry(500.0, 4000.0, 1000.0, -1000.0, 4, 3, "EPSG:3035")
    values = np.arange(12.0).reshape(3, 4)
    outside, undetect = values == 3, values == 5
    values[0, 0] = np.nan
    grid = Grid.from_values(values, geometry, NOON, undetect=undetect, out_of_range=outside)
    grid.to_xarray().to_netcdf(tmp_path / "a.nc")
    (back,) = read(tmp_path / "a.nc")
    np.testing.assert_array_equal(back.status, grid.status)
    np.testing.assert_allclose(back.values, grid.values)
    assert back.geometry.extent == geometry.extent
    lonlat = [np.ravel(g.lonlat(np.array(2.0), np.array(1.0))) for g in (back.geometry, geometry)]
    np.testing.assert_allclose(*lonlat)


def test_our_own_products_are_read_back(tmp_path: Path):
    """A forecast file of ours gives all its grids with their leads."""
    grids = [
        Grid.from_values(
            np.full((3, 4), 10.0), Geometry(0.0, 1.0, 0.1, -0.1, 4, 3), NOON, lead_minutes=float(i)
        )
        for i in range(3)
    ]
    write_frames(tmp_path / "f.nc", grids)
    assert [g.lead_minutes for g in read(tmp_path / "f.nc")] == [0, 1, 2]
