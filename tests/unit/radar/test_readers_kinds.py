"""What each cell of each format is: an echo, nothing detected, missing, or out of range, by count and by place."""

from __future__ import annotations

import bz2
import gzip
import struct
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest

from dynamo.radar.grid import Cell, Geometry, Grid
from dynamo.radar.polar import Sweep
from dynamo.radar.readers import casa, nexrad, read

E, U, M, O = Cell  # noqa: E741 - a picture of the grid in letters
KLBB = "hail/KLBB20160601_150025_V06"


def kinds(grid: Grid) -> tuple[int, ...]:
    """Count the cells that are an echo, undetected, missing, and out of range."""
    return tuple(int(n) for n in np.bincount(grid.status.ravel(), minlength=4))


def gates(sweep: Sweep) -> tuple[int, ...]:
    """Count the gates with an echo, with nothing detected, and without a value."""
    echo, undetect = np.isfinite(sweep.moments["reflectivity"]), sweep.undetect
    assert not (echo & undetect).any()
    return int(echo.sum()), int(undetect.sum()), int((~echo & ~undetect).sum())


def seen(grid: Grid, azimuth: float, km: float) -> Cell:
    """Say what the cell is that lies in that direction and distance from the middle of a grid."""
    middle = (grid.geometry.ny - 1) / 2, (grid.geometry.nx - 1) / 2
    width, height = grid.geometry.cell_size_km()
    turn = np.radians(azimuth)
    row, column = middle[0] - km * np.cos(turn) / height, middle[1] + km * np.sin(turn) / width
    return Cell(int(grid.status[round(row), round(column)]))


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("frames/RAD_NL25_RAP_5min_201008260135.h5", (72_389, 64_840, 0, 398_271)),
        ("frames/T_PABV21_C_EUOC_20241126013000.hdf", (2_075_127, 6_436_342, 0, 8_208_531)),
        ("frames/PrecipRate_00.00_20190610-000000.grib2", (982_882, 14_747_625, 0, 8_769_493)),
        ("grids/casa_dfw_merged_1min_40x400x400.nc", (26_530, 133_470, 0, 0)),
        ("grids/mrms_texas_2min_36x1000x1000.nc", (15_161, 984_839, 0, 0)),
        ("grids/opera_cirrus_widespread_5min_13x1000x1000.nc", (554_889, 445_111, 0, 0)),
    ],
)
def test_every_cell_of_a_real_grid_is_one_kind(samples: Path, name: str, counts: tuple[int, ...]):
    """KNMI, ODIM and MRMS know the end of the range; a CF grid whose fill is "no echo" knows only two kinds."""
    assert kinds(read(samples / name)[0]) == counts


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("addison.tx-20170329-073040", (50_373, 619_584, 21_243)),
        ("cleburne.tx-20170329-073002", (127_492, 13_500, 2_967)),
        ("denton.tx-20170329-073801", (80_429, 268_917, 12_877)),
    ],
)
def test_every_gate_of_a_casa_sweep_is_one_kind(samples: Path, name: str, counts: tuple[int, ...]):
    """Without a signal a gate is undetected; rejected by rho_hv it is missing, unless too weak to matter."""
    (sweep,) = casa.reader.sweeps(samples / "casa" / f"{name}.netcdf.gz")
    assert gates(sweep) == counts


def test_a_casa_sweep_with_all_kinds(samples: Path, tmp_path: Path):
    """Quarters of echo, no signal, clutter and NaN; a lost ray; and the blind zone before the first gate."""
    path = tmp_path / "sweep.nc"
    path.write_bytes(
        gzip.decompress((samples / "casa" / "cleburne.tx-20170329-073002.netcdf.gz").read_bytes())
    )
    with netCDF4.Dataset(path, "a") as file:
        quarter = (file["Azimuth"][:] // 90).astype(int)
        file["Reflectivity"][:] = np.array([30.0, -9999.0, 20.0, np.nan])[quarter][:, None]
        file["CrossPolCorrelation"][:] = np.array([0.99, 0.99, 0.5, 0.99])[quarter][:, None]
        file["Reflectivity"][quarter == 2, 200:] = 5.0
        lost = np.abs(file["Azimuth"][:] - 45) < 4
        file["Azimuth"][lost] = 10.0
    (grid,) = read(path)
    assert [seen(grid, a, 20) for a in (20, 70, 135, 225, 315)] == [E, E, U, M, M]
    assert seen(grid, 225, 45) == U, "clutter below 10 dBZ hides no weather"
    assert seen(grid, 45, 30) == M, "no ray was sent there"
    assert [seen(grid, a, km) for a in (20, 135) for km in (0.7, 56)] == [O] * 4


def level2(data: bytes) -> Iterator[tuple[slice, float, slice]]:
    """Yield the radials of an uncompressed Level II record: the message, its azimuth, the gates of reflectivity.

    ICD 2620002 build 20, tables II and XVII: an independent look at the bytes.
    """
    at = 0
    while at < len(data):
        halfwords, kind = struct.unpack_from(">HxB", data, at + 12)
        end = at + (12 + 2 * halfwords if kind == 31 else 2432)
        if kind == 31:
            body = at + 28
            (azimuth,) = struct.unpack_from(">f", data, body + 12)
            (blocks,) = struct.unpack_from(">H", data, body + 30)
            for pointer in struct.unpack_from(f">{blocks}I", data, body + 32):
                if data[body + pointer : body + pointer + 4] == b"DREF":
                    (count,) = struct.unpack_from(">H", data, body + pointer + 8)
                    first = body + pointer + 28
                    yield slice(at, end), azimuth, slice(first, first + count)
        at = end


def lowest_sweep(volume: bytes) -> tuple[bytes, list[bytes]]:
    """Return the header of a volume, and its records up to the end of the lowest surveillance sweep, decompressed."""
    at, records = 24, []
    for _ in range(7):
        size = abs(struct.unpack_from(">i", volume, at)[0])
        records.append(bz2.decompress(volume[at + 4 : at + 4 + size]))
        at += 4 + size
    return volume[:24], records


def test_every_gate_of_a_nexrad_sweep_is_one_kind(samples: Path):
    """Raw 0 is undetected, raw 1 missing, all else an echo; the counts are those of the bytes in the messages."""
    _, records = lowest_sweep((samples / KLBB).read_bytes())
    raw = np.frombuffer(b"".join(r[g] for r in records for _, _, g in level2(r)), "u1")
    (sweep,) = nexrad.reader.sweeps(samples / KLBB)
    assert gates(sweep) == ((raw > 1).sum(), (raw == 0).sum(), (raw == 1).sum()) == (213_468, 1_105_572, 0)


def test_a_nexrad_volume_with_all_kinds(samples: Path, tmp_path: Path):
    """Quarters of echo, nothing, range-folded and of rays never sent; the blind zone and the corners are outside."""
    header, records = lowest_sweep((samples / KLBB).read_bytes())
    volume = bytearray(header)
    for record in map(bytearray, records):
        dropped = []
        for message, azimuth, gate in level2(bytes(record)):
            quarter = int(azimuth // 90)
            record[gate] = bytes([106, 0, 1, 2][quarter] for _ in range(gate.stop - gate.start))
            if quarter == 3:
                dropped.append(message)
        for message in reversed(dropped):
            del record[message]
        packed = bz2.compress(record)
        volume += struct.pack(">i", len(packed)) + packed
    path = tmp_path / "KLBB20160601_150025_V06"
    path.write_bytes(volume)
    (sweep,) = nexrad.reader.sweeps(path)
    assert gates(sweep) == (180 * 1832, 180 * 1832, 180 * 1832)
    (grid,) = read(path)
    for km in (5, 100, 400):
        assert [seen(grid, a, km) for a in (45, 135, 225, 315)] == [E, U, M, M]
    assert [seen(grid, a, km) for a in (45, 135, 225, 315) for km in (1, 465)] == [O] * 8
    assert grid.values[grid.status == E].min() == grid.values[grid.status == E].max() == 20.0


def latlongrid(path: Path, values: np.ndarray, **attributes: float) -> Path:
    """Store a forecast as CASA does: Steps, Lat, Lon in dBZ."""
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
        for dimension, size in zip(("Steps", "Lat", "Lon"), values.shape, strict=True):
            file.createDimension(dimension, size)
        file.createVariable("PredictedReflectivity", "f4", ("Steps", "Lat", "Lon"))[:] = values
        file.setncatts(
            {"Latitude": 33.9, "Longitude": -98.5, "Time": 1490772600, "LatGridSpacing": 0.004,
             "LonGridSpacing": 0.005, "MissingData": -99900.0} | attributes
        )  # fmt: skip
    return path


@pytest.mark.parametrize("nothing", [-99900.0, -99.0])
def test_every_step_of_a_forecast_file_has_all_kinds(tmp_path: Path, nothing: float):
    """In each of 31 steps another row: the code the file names, range-folded, no coverage, NaN, and an echo."""
    values = np.full((31, 31, 6), nothing, "f4")
    for step in range(31):
        values[step, step] = -99901, -99903, np.nan, 20 + step, -30, nothing
    grids = read(latlongrid(tmp_path / "MERGE_DARTS_201703290730.nc", values, MissingData=nothing))
    for step, grid in enumerate(grids):
        assert list(grid.status[step]) == [M, O, M, E, E, U]
        assert list(grid.values[step, 3:5]) == [20 + step, -30]
        assert kinds(grid) == (2, 31 * 6 - 5, 2, 1)
    assert len(grids) == 31


def cf(
    path: Path, values: np.ndarray, *, fill: float | None, flags: np.ndarray | None = None, **about: str
) -> Path:
    """Store a CF grid of one time."""
    with netCDF4.Dataset(path, "w") as file:
        for name, size, start, units in (
            ("lat", values.shape[0], 50.0, "degrees_north"), ("lon", values.shape[1], 5.0, "degrees_east"),
        ):  # fmt: skip
            file.createDimension(name, size)
            axis = file.createVariable(name, "f8", (name,))
            axis.units = units
            axis[:] = start + 0.1 * np.arange(size) * (-1 if name == "lat" else 1)
        time = file.createVariable("time", "f8", ())
        time.units = "seconds since 1970-01-01"
        time[...] = 1.6e9
        field = file.createVariable("reflectivity", values.dtype, ("lat", "lon"), fill_value=fill)
        field.set_auto_maskandscale(False)
        field[:] = values
        field.setncatts({"units": "dBZ"} | about)
        if flags is not None:
            file.createVariable("cell_status", "u1", ("lat", "lon"))[:] = flags
    return path


LAYER = np.array([[-5.0, 20.0, -999.0], [np.nan, 9.96921e36, 30.0]], "f4")


@pytest.mark.parametrize(
    ("fill", "about", "want"),
    [
        (-999.0, {}, [[E, E, M], [M, M, E]]),
        (-999.0, {"long_name": "reflectivity, fill = no echo"}, [[E, E, U], [M, M, E]]),
        (-999.0, {"comment": "FillValue=no echo"}, [[E, E, U], [M, M, E]]),
        (np.nan, {"long_name": "reflectivity (fill = no echo)"}, [[E, E, E], [U, M, E]]),
    ],
)
def test_a_cf_grid_tells_what_its_fill_means(tmp_path: Path, fill: float, about: dict[str, str], want):
    """A fill is missing, or "no echo" where the file says so, also where it is NaN; never out of range."""
    (grid,) = read(cf(tmp_path / "a.nc", LAYER, fill=fill, **about))
    np.testing.assert_array_equal(grid.status, want)


def test_a_cf_grid_with_cell_status_has_all_kinds(tmp_path: Path):
    """The flags decide, whatever the numbers are; an echo without a number is missing."""
    flags = np.array([[U, M, O], [E, U, E]], "u1")
    (grid,) = read(cf(tmp_path / "a.nc", LAYER, fill=-999.0, flags=flags, long_name="fill = no echo"))
    np.testing.assert_array_equal(grid.status, [[U, M, O], [M, U, E]])


def test_a_cf_rain_rate_of_nothing_is_undetected(tmp_path: Path):
    """0 mm/h is nothing detected, the least above it an echo, and the fill is missing."""
    (grid,) = read(
        cf(tmp_path / "a.nc", np.array([[0, 1, 255], [0, 0, 2]], "u1"), fill=255,
           standard_name="rainfall_rate", units="mm h-1")
    )  # fmt: skip
    np.testing.assert_array_equal(grid.status, [[U, E, M], [U, U, E]])


def test_a_knmi_image_that_has_one_code_for_both(samples: Path, tmp_path: Path):
    """Enclosed by measurements it is missing, also where only corners touch; open to the edge it is out of range."""
    path = tmp_path / "k.h5"
    path.write_bytes((samples / "frames" / "RAD_NL25_RAP_5min_201008260135.h5").read_bytes())
    with h5py.File(path, "a") as file:
        image = np.ones((765, 700), "u2")
        image[0, 0] = image[1, 1] = image[100:110, 50] = image[-5:, 300] = 65535
        image[5, 5:8] = 0
        file["image1/image_data"][...] = image
    (grid,) = read(path)
    assert kinds(grid) == (765 * 700 - 20, 3, 11, 6)
    assert (grid.status[[0, 1, 105, 764, 5, 6], [0, 1, 50, 300, 6, 6]] == [O, M, M, O, U, E]).all()


def odim(path: Path, raw: np.ndarray, quantity: str, **what: float) -> Path:
    """Store a small ODIM composite on a plane."""
    with h5py.File(path, "w") as file:
        file.create_group("what").attrs.update(
            object=np.bytes_("COMP"),
            date=np.bytes_("20200601"),
            time=np.bytes_("120000"),
            source=np.bytes_("x"),
        )
        file.create_group("where").attrs.update(
            projdef=np.bytes_("+proj=laea +lat_0=50 +lon_0=5 +units=m +ellps=WGS84"), xscale=1000.0, yscale=1000.0,
            xsize=raw.shape[1], ysize=raw.shape[0], UL_lon=5.0, UL_lat=50.0,
        )  # fmt: skip
        data = file.create_group("dataset1/data1")
        data["data"] = raw
        data.create_group("what").attrs.update(quantity=np.bytes_(quantity), **what)
    return path


FLOATS = np.array([[np.nan, -8888.0, -9999.0], [0.0, 12.5, 1.0]])


@pytest.mark.parametrize(
    ("raw", "quantity", "what", "want"),
    [
        (FLOATS, "DBZH", {"nodata": -9999.0, "undetect": -8888.0}, [[M, U, O], [E, E, E]]),
        (FLOATS, "DBZH", {"nodata": np.nan, "undetect": -9999.0}, [[O, E, U], [E, E, E]]),
        (FLOATS, "DBZH", {"nodata": -9999.0, "undetect": np.nan}, [[U, E, O], [E, E, E]]),
        (FLOATS, "DBZH", {"nodata": -9999.0, "undetect": -9999.0}, [[M, E, O], [E, E, E]]),
        (FLOATS, "RATE", {"nodata": -9999.0, "undetect": -8888.0}, [[M, U, O], [U, E, E]]),
    ],
)
def test_an_odim_composite_tells_what_its_codes_tell(tmp_path: Path, raw, quantity, what, want):
    """Codes may be NaN; one code for both is out of range; no rain is undetected; only a NaN is missing."""
    (grid,) = read(odim(tmp_path / "o.h5", raw, quantity, gain=1.0, offset=0.0, **what))
    np.testing.assert_array_equal(grid.status, want)


def test_an_mrms_field_with_all_kinds(tmp_path: Path):
    """-3 is out of range, -1 and what the bit map leaves out are missing, 0 is no rain, the least rain an echo."""
    import_module("pyproj")  # eccodes, loaded before it, makes it crash
    eccodes = import_module("eccodes")
    handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    for key, value in {
        "discipline": 209, "centre": 161, "parameterCategory": 6, "parameterNumber": 1, "Ni": 3, "Nj": 2,
        "latitudeOfFirstGridPointInDegrees": 41.0, "latitudeOfLastGridPointInDegrees": 40.0,
        "longitudeOfFirstGridPointInDegrees": 260.0, "longitudeOfLastGridPointInDegrees": 262.0,
        "iDirectionIncrementInDegrees": 1.0, "jDirectionIncrementInDegrees": 1.0,
        "dataDate": 20200601, "dataTime": 1200, "bitsPerValue": 16, "decimalScaleFactor": 1,
        "bitmapPresent": 1, "missingValue": 9999,
    }.items():  # fmt: skip
        eccodes.codes_set(handle, key, value)
    eccodes.codes_set_values(handle, np.array([-3.0, -1.0, 0.0, 0.1, 9999.0, 100.0]))
    path = tmp_path / "m.grib2"
    path.write_bytes(eccodes.codes_get_message(handle))
    eccodes.codes_release(handle)
    (grid,) = read(path)
    np.testing.assert_array_equal(grid.status, [[O, M, U], [E, M, E]])
    assert grid.geometry == Geometry(-100.0, 41.0, 1.0, -1.0, 3, 2)
