"""National and continental composites (KNMI, ODIM, MRMS) and NEXRAD volumes, against raw readings."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import h5py
import numpy as np
import pytest
import recast_radar

from dynamo.errors import DataError
from dynamo.radar.grid import Cell, Geometry
from dynamo.radar.readers import read

KNMI = "frames/RAD_NL25_RAP_5min_201008260135.h5"
ODIM = "frames/T_PABV21_C_EUOC_20241126013000.hdf"
PLANE = "+proj=laea +lat_0=50 +lon_0=5 +units=m +ellps=WGS84"
MRMS = "frames/PrecipRate_00.00_20190610-000000.grib2"


def import_eccodes():
    """Import eccodes after pyproj: the other way round the two PROJ libraries crash the process."""
    import_module("pyproj")
    return import_module("eccodes")


def copy(samples: Path, name: str, to: Path) -> Path:
    shutil.copyfile(samples / name, to)
    return to


def small_odim(path: Path) -> Path:
    """Make a small composite: 2 rows of 3 cells on a plane, in bytes with gain and offset."""
    with h5py.File(path, "w") as file:
        file.attrs["Conventions"] = np.bytes_("ODIM_H5/V2_2")
        file.create_group("what").attrs.update(
            object=np.bytes_("COMP"),
            date=np.bytes_("20200601"),
            time=np.bytes_("120000"),
            source=np.bytes_("x"),
        )
        file.create_group("where").attrs.update(
            projdef=np.bytes_(PLANE), xscale=1000.0, yscale=1000.0,
            xsize=3, ysize=2, UL_lon=5.0, UL_lat=50.0,
        )  # fmt: skip
        data = file.create_group("dataset1/data1")
        data["data"] = np.array([[255, 0, 100], [64, 65, 66]], "u1")
        data.create_group("what").attrs.update(
            quantity=np.bytes_("DBZH"), gain=0.5, offset=-32.0, nodata=255.0, undetect=0.0
        )
    return path


def test_knmi_holds_what_the_file_holds(samples: Path):
    """5-minute sums in 0.01 mm become mm/h, at the end of the interval; the corners are the file's own."""
    (grid,) = read(samples / KNMI)
    with h5py.File(samples / KNMI) as file:
        raw = file["image1/image_data"][:]
        corners = file["geographic"].attrs["geo_product_corners"].reshape(4, 2)
    assert grid.time == datetime(2010, 8, 26, 1, 35, tzinfo=UTC)
    assert grid.quantity == "rain_rate"
    rain = (raw > 0) & (raw < 65535)
    np.testing.assert_allclose(grid.values[rain], raw[rain] * 0.01 * 12, rtol=1e-5)
    np.testing.assert_array_equal(grid.status == Cell.ECHO, rain)
    np.testing.assert_array_equal(grid.status == Cell.UNDETECT, raw == 0)
    np.testing.assert_array_equal(grid.status == Cell.OUT_OF_RANGE, raw == 65535)
    columns, rows = np.array([-0.5, -0.5, 699.5, 699.5]), np.array([764.5, -0.5, -0.5, 764.5])
    np.testing.assert_allclose(np.column_stack(grid.geometry.lonlat(columns, rows)), corners, atol=2e-3)


def test_radars_of_knmi_see_their_own_place(samples: Path):
    """De Bilt and Den Helder lie in range, England and Cologne do not."""
    (grid,) = read(samples / KNMI)
    for lon, lat, inside in (
        (5.179, 52.103, True),
        (4.79, 52.955, True),
        (0.5, 52.0, False),
        (7.0, 49.5, False),
    ):
        column, row = grid.geometry.indices(np.array(lon), np.array(lat))
        assert (grid.status[round(float(row)), round(float(column))] < Cell.OUT_OF_RANGE) == inside


def test_a_hole_in_a_knmi_image_is_missing(samples: Path, tmp_path: Path):
    """One code stands for both: enclosed by measurements it is a gap, at the edge the end of the range."""
    path = copy(samples, KNMI, tmp_path / "k.h5")
    with h5py.File(path, "a") as file:
        file["image1/image_data"][380:390, 300:310] = 65535
    (grid,) = read(path)
    assert (grid.status[380:390, 300:310] == Cell.MISSING).all()
    assert (grid.status == Cell.MISSING).sum() == 100
    assert grid.status[0, 0] == Cell.OUT_OF_RANGE


def test_knmi_reflectivity(samples: Path, tmp_path: Path):
    """A formula and a unit of reflectivity are followed; codes that differ are told apart."""
    path = copy(samples, KNMI, tmp_path / "k.h5")
    with h5py.File(path, "a") as file:
        del file["image1/image_data"]
        image = np.full((765, 700), 100, "u1")
        image[0, :3] = 255, 254, 0
        file["image1/image_data"] = image
        file["image1"].attrs["image_geo_parameter"] = np.bytes_("REFLECTIVITY_[DBZ]")
        file["image1/calibration"].attrs.update(
            calibration_formulas=np.bytes_("GEO=0.5*PV+-32.0"),
            calibration_missing_data=[254], calibration_out_of_image=[255],
        )  # fmt: skip
    (grid,) = read(path)
    assert grid.quantity == "reflectivity"
    assert list(grid.status[0, :4]) == [Cell.OUT_OF_RANGE, Cell.MISSING, Cell.UNDETECT, Cell.ECHO]
    assert grid.values[5, 5] == 18.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.move("image1/image_data", "image1/data"), "holds no 'image1/image_data'"),
        (lambda f: f.move("geographic/map_projection", "x"), "holds no 'geographic/map_projection'"),
        (lambda f: f["image1"].attrs.pop("image_geo_parameter"), "no attribute 'image_geo_parameter'"),
        (
            lambda f: f["image1"].attrs.modify("image_geo_parameter", np.bytes_("TEMPERATURE_[K]")),
            "'TEMPERATURE_.K.' is not known",
        ),
        (
            lambda f: f["overview"].attrs.modify("product_datetime_end", np.bytes_("soon")),
            "is 'soon', expected",
        ),
        (lambda f: f["geographic"].attrs.modify("geo_number_rows", [7]), "describes .7, 700"),
    ],
)
def test_knmi_that_does_not_fit_is_named(samples: Path, tmp_path: Path, change, said: str):
    """File, place, and what was expected."""
    path = copy(samples, KNMI, tmp_path / "k.h5")
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(DataError, match=rf"k\.h5.*{said}"):
        read(path)


def test_odim_holds_what_the_file_holds(samples: Path):
    """dBZ, nodata as out of range, undetect as such; the four corners are the file's own."""
    (grid,) = read(samples / ODIM)
    with h5py.File(samples / ODIM) as file:
        raw, where = file["dataset1/data1/data"][:], dict(file["where"].attrs)
    assert grid.time == datetime(2024, 11, 26, 1, 30, tzinfo=UTC)
    np.testing.assert_array_equal(grid.status == Cell.OUT_OF_RANGE, raw == -9999000)
    np.testing.assert_array_equal(grid.status == Cell.UNDETECT, raw == -8888000)
    echo = raw > -1000
    np.testing.assert_array_equal(grid.status == Cell.ECHO, echo)
    np.testing.assert_array_equal(grid.values[echo], raw[echo].astype("f4"))
    ends = {"UL": (-0.5, -0.5), "UR": (3799.5, -0.5), "LL": (-0.5, 4399.5), "LR": (3799.5, 4399.5)}
    for name, (column, row) in ends.items():
        lon, lat = grid.geometry.lonlat(np.array(column), np.array(row))
        assert (float(lon), float(lat)) == pytest.approx(
            (where[f"{name}_lon"], where[f"{name}_lat"]), abs=1e-4
        )


def test_odim_bytes_are_scaled(tmp_path: Path):
    """Gain and offset apply to all but the two codes, row 0 is north."""
    (grid,) = read(small_odim(tmp_path / "o.h5"))
    np.testing.assert_array_equal(grid.values, [[np.nan, -32, 18], [0, 0.5, 1]])
    assert list(grid.status[0]) == [Cell.OUT_OF_RANGE, Cell.UNDETECT, Cell.ECHO]
    assert (grid.geometry.x0, grid.geometry.y0) == (500, -500)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f["what"].attrs.modify("object", np.bytes_("XSEC")), "'XSEC'; only composites"),
        (lambda f: f["dataset1/data1/what"].attrs.modify("quantity", np.bytes_("VRAD")), "no quantity DBZH"),
        (lambda f: f["dataset1/data1/what"].attrs.pop("nodata"), "no attribute 'nodata'"),
        (
            lambda f: f["dataset1/data1/what"].attrs.create("gain", np.bytes_("much")),
            "does not follow its format",
        ),
        (lambda f: f["where"].attrs.modify("projdef", np.bytes_("+proj=nonsense")), "is not a projection"),
        (lambda f: f["where"].attrs.modify("xsize", 9), "describes .2, 9"),
        (lambda f: f["where"].attrs.modify("yscale", -1.0), "not a north-up grid"),
        (lambda f: f["what"].attrs.modify("time", np.bytes_("noon")), "expected YYYYMMDD"),
        (lambda f: f.move("dataset1/data1/data", "d"), "holds no dataset1/data1/data"),
    ],
)
def test_odim_that_does_not_fit_is_named(tmp_path: Path, change, said: str):
    """File, place, and what was expected."""
    path = small_odim(tmp_path / "o.h5")
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(DataError, match=rf"o\.h5.*{said}"):
        read(path)


def test_mrms_holds_what_the_file_holds(samples: Path):
    """mm/h, -3 as out of range, 0 as no rain; north-west corner at 55 N, 130 W."""
    eccodes = import_eccodes()
    (grid,) = read(samples / MRMS)
    with (samples / MRMS).open("rb") as file:
        handle = eccodes.codes_grib_new_from_file(file)
        raw = eccodes.codes_get_values(handle).reshape(3500, 7000)
        eccodes.codes_release(handle)
    assert grid.time == datetime(2019, 6, 10, tzinfo=UTC)
    assert grid.geometry.extent == pytest.approx((-130, 20, -60, 55))
    np.testing.assert_array_equal(grid.status == Cell.OUT_OF_RANGE, raw == -3)
    np.testing.assert_array_equal(grid.status == Cell.UNDETECT, raw == 0)
    np.testing.assert_array_equal(grid.values[raw > 0], raw[raw > 0].astype("f4"))


def test_mrms_codes_and_other_products(tmp_path: Path):
    """-1 is missing; rows from the south are turned; another product is refused by its numbers."""
    eccodes = import_eccodes()
    handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    for key, value in {
        "discipline": 209, "centre": 161, "parameterCategory": 6, "parameterNumber": 1, "Ni": 3, "Nj": 2,
        "latitudeOfFirstGridPointInDegrees": 40.0, "latitudeOfLastGridPointInDegrees": 41.0,
        "longitudeOfFirstGridPointInDegrees": 260.0, "longitudeOfLastGridPointInDegrees": 262.0,
        "iDirectionIncrementInDegrees": 1.0, "jDirectionIncrementInDegrees": 1.0, "jScansPositively": 1,
        "dataDate": 20200601, "dataTime": 1200, "bitsPerValue": 16,
    }.items():  # fmt: skip
        eccodes.codes_set(handle, key, value)
    eccodes.codes_set_values(handle, np.array([-3.0, -1.0, 0.0, 1.0, 2.0, 3.0]))
    path = tmp_path / "m.grib2"
    path.write_bytes(eccodes.codes_get_message(handle))
    (grid,) = read(path)
    want = [[Cell.ECHO] * 3, [Cell.OUT_OF_RANGE, Cell.MISSING, Cell.UNDETECT]]
    np.testing.assert_array_equal(grid.status, want)
    assert grid.geometry == Geometry(-100.0, 41.0, 1.0, -1.0, 3, 2)
    eccodes.codes_set(handle, "parameterNumber", 9)
    path.write_bytes(eccodes.codes_get_message(handle) * 2)
    eccodes.codes_release(handle)
    with pytest.raises(DataError, match=r"m\.grib2: is product 209-6-9.*only MRMS PrecipRate"):
        read(path)


def test_nexrad_holds_the_lowest_sweep(samples: Path):
    """Gates on the grid are gates of sweep 0; below threshold is UNDETECT; the radar is in the middle."""
    path = samples / "hail" / "KLBB20160601_150025_V06"
    (grid,) = read(path)
    west, south, east, north = grid.geometry.extent
    assert ((west + east) / 2, (south + north) / 2) == pytest.approx((-101.814, 33.654), abs=0.01)
    assert grid.attributes["elevation"] == pytest.approx(0.48)
    assert grid.time == datetime(2016, 6, 1, 15, 0, 56, tzinfo=UTC)
    tree = recast_radar.open(str(path))
    dbz = tree["sweep_0"]["DBZH"].values
    azimuth, ranges = tree["sweep_0"]["azimuth"].values, tree["sweep_0"]["range"].values
    strongest = np.unravel_index(np.nanargmax(np.where(ranges > 20e3, dbz, -99)), dbz.shape)
    turn, away = np.radians(azimuth[strongest[0]]), ranges[strongest[1]] / 111195
    lon = -101.81416 + away * np.sin(turn) / np.cos(np.radians(33.654 + away * np.cos(turn) / 2))
    column, row = (
        round(float(i))
        for i in grid.geometry.indices(np.array(lon), np.array(33.65414 + away * np.cos(turn)))
    )
    near = grid.values[row - 2 : row + 3, column - 2 : column + 3]
    assert np.nanmax(near) >= np.nanmax(dbz) - 6
    assert set(np.unique(grid.status)) >= {Cell.ECHO, Cell.UNDETECT, Cell.OUT_OF_RANGE}
    echo = np.isfinite(dbz).mean() * np.pi / 4
    assert echo > 0
    assert np.nanmax(grid.values[grid.status == Cell.ECHO]) <= np.nanmax(dbz)


def test_nexrad_volumes_joined_from_pieces_are_read_to_the_end(samples: Path):
    """A volume whose records all say "last one" is read nevertheless: 65 dBZ over Fort Worth."""
    (grid,) = read(samples / "hail" / "KFWS20190609_222523_trim_V06")
    assert grid.attributes["radar"] == "KFWS"
    assert grid.values[grid.status == Cell.ECHO].max() > 60
    assert (grid.status == Cell.ECHO).sum() > 40_000
