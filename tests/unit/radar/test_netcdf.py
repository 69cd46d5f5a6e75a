"""Our own product files."""

from __future__ import annotations

import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pyproj
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from isal import isal_zlib

from dynamo.errors import DataError
from dynamo.radar.cf_header import WGS84, _header
from dynamo.radar.grid import Cell, Geometry, Grid
from dynamo.radar.netcdf import read_frames, read_grid, write_frames, write_grid
from dynamo.radar.quantities import QUANTITIES

DEGREES = Geometry(-98.0, 33.4, 0.0048, -0.004, 7, 5)
STEREO = Geometry(500.0, -3650500.0, 1000.0, -1000.0, 7, 5, "+proj=stere +lat_0=90 +lat_ts=60 +R=6370040")
NOON = datetime(2017, 3, 29, 12, 0, 0, 250000, tzinfo=UTC)


def mixed_grid(geometry: Geometry = DEGREES, quantity: str = "reflectivity", **more) -> Grid:
    """Return a grid with cells of all four kinds."""
    values = np.linspace(0.5, 60, geometry.nx * geometry.ny).reshape(geometry.shape)
    values[0, 0] = values[0, 1] = values[1, 0] = np.nan
    undetect, outside = np.zeros(geometry.shape, bool), np.zeros(geometry.shape, bool)
    undetect[0, 1] = outside[1, 0] = True
    return Grid.from_values(
        values, geometry, NOON, undetect=undetect, out_of_range=outside, quantity=quantity, **more
    )


@pytest.mark.parametrize("geometry", [DEGREES, STEREO], ids=["degrees", "metres"])
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_grid_comes_back_as_it_was(tmp_path: Path, geometry: Geometry, quantity: str):
    """Geometry, status, time, lead and attributes come back exactly; dBZ within a quarter, mm/h exactly."""
    grid = mixed_grid(
        geometry,
        quantity,
        lead_minutes=12.5,
        source="été",
        attributes={"radar": "addison.tx", "elevation": 2.0},
    )
    write_grid(tmp_path / "a.nc", grid)
    back = read_grid(tmp_path / "a.nc")
    assert back.geometry == grid.geometry
    np.testing.assert_array_equal(back.status, grid.status)
    step = 0.25 if quantity == "reflectivity" else 0
    np.testing.assert_allclose(back.values, grid.values, atol=step, rtol=0)
    assert (back.time, back.lead_minutes, back.quantity) == (NOON, 12.5, quantity)
    assert (back.source, dict(back.attributes)) == ("été", {"radar": "addison.tx", "elevation": 2.0})
    assert back.values.dtype == np.float32
    assert back.status.dtype == np.uint8


@given(
    hnp.arrays(np.float32, (3, 4), elements=st.floats(-50, 120, width=32)),
    hnp.arrays(np.uint8, (3, 4), elements=st.integers(0, 3)),
)
@settings(max_examples=60, deadline=None)
def test_packing_is_idempotent_and_keeps_status(tmp_path_factory, values, status):
    """What was read and is written again gives the same bytes; values are clipped to what a byte can hold."""
    geometry = Geometry(0.0, 1.0, 0.1, -0.1, 4, 3)
    values = np.where(status == Cell.UNDETECT, np.float32(-32), values)
    values = np.where(status >= Cell.MISSING, np.float32(np.nan), values)
    folder = tmp_path_factory.mktemp("p")
    write_grid(folder / "a.nc", Grid(values, status, geometry, NOON))
    back = read_grid(folder / "a.nc")
    np.testing.assert_array_equal(back.status, status)
    np.testing.assert_array_equal(np.isnan(back.values), status >= Cell.MISSING)
    np.testing.assert_allclose(back.values, np.clip(values, -32, 95), atol=0.5)
    write_grid(folder / "b.nc", back)
    assert (folder / "a.nc").read_bytes() == (folder / "b.nc").read_bytes()


def same(one: Grid, other: Grid) -> bool:
    """Whether two grids are equal to the last bit, in types too."""
    arrays = all(
        (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
        for a, b in ((one.values, other.values), (one.status, other.status))
    )
    rest = [
        (g.geometry, g.time, g.quantity, g.lead_minutes, g.source, repr(g.attributes)) for g in (one, other)
    ]
    return arrays and rest[0] == rest[1]


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["reflectivity", "rain_rate"]),
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)),  # noqa: DTZ001 - hypothesis wants them naive
    st.floats(0, 600),
    st.text(max_size=12),
    st.dictionaries(
        st.text("abcxyz", min_size=1), st.text(max_size=5) | st.integers(-9, 9) | st.floats(allow_nan=False)
    ),
)
@settings(max_examples=100, deadline=None)
def test_what_was_written_is_returned_as_a_reader_would_find_it(
    tmp_path_factory, seed, quantity, time, lead, source, attributes
):
    """Rounded, clipped and with the times that the file can hold: no product depends on who read the grid."""
    random = np.random.default_rng(seed)
    status = random.integers(0, 4, DEGREES.shape).astype("u1")
    values = random.uniform(-60, 140, DEGREES.shape).astype("f4")
    values = np.where(status >= Cell.MISSING, np.float32(np.nan), values)
    grid = Grid(values, status, DEGREES, time.replace(tzinfo=UTC), quantity, lead, source, attributes)
    path = tmp_path_factory.mktemp("w") / "a.nc"
    assert same(write_grid(path, grid), read_grid(path))


def test_files_that_are_made_at_once_do_not_mix(tmp_path: Path):
    """Threads of one process write each its own grid."""
    grids = [mixed_grid(lead_minutes=float(i), attributes={"number": float(i)}) for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: write_grid(tmp_path / f"{i}.nc", grids[i]), range(40)))
    for i, grid in enumerate(made):
        assert same(grid, read_grid(tmp_path / f"{i}.nc"))
        assert (grid.lead_minutes, dict(grid.attributes)) == (float(i), {"number": float(i)})


def test_equal_grids_give_equal_bytes_in_another_process(tmp_path: Path, monkeypatch):
    """No time stamp and no left-over memory gets into the file.

    Packed by zlib: what ISA-L chooses among codes that mean the same depends on the processor.
    """
    monkeypatch.setattr(isal_zlib, "compress", zlib.compress)
    write_grid(tmp_path / "a.nc", mixed_grid(STEREO, source="x", attributes={"b": 1.0, "a": "z"}))
    program = (
        "import sys, zlib; from isal import isal_zlib; isal_zlib.compress = zlib.compress; "
        "from dynamo.radar.netcdf import *; write_grid(sys.argv[1] + '.2', read_grid(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.nc")], check=True)
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "a.nc.2").read_bytes()


def test_equal_grids_give_equal_bytes_again_and_again(tmp_path: Path):
    """Whatever lies in memory that was used before; as ISA-L packs them."""
    grid = mixed_grid(STEREO, source="x")
    write_grid(tmp_path / "a.nc", grid)
    for n in range(50):
        write_grid(tmp_path / "other.nc", mixed_grid(STEREO, source="y" * n, attributes={"n": float(n)}))
        write_grid(tmp_path / "b.nc", read_grid(tmp_path / "a.nc"))
        assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


def test_a_geometry_of_whole_numbers_is_that_of_floats(tmp_path: Path):
    """They are equal, so their files are: whichever of them a header was made for first."""
    whole = Geometry(500, -3650500, 1000, -1000, 7, 5, "+proj=stere +lat_0=90 +lat_ts=58 +R=6370040")
    parts = Geometry(500.0, -3650500.0, 1000.0, -1000.0, 7, 5, whole.crs)
    files = []
    for geometry in (whole, parts):
        _header.cache_clear()
        write_grid(tmp_path / "a.nc", mixed_grid(geometry))
        files.append((tmp_path / "a.nc").read_bytes())
    assert files[0] == files[1]
    assert [type(x) for x in (whole.x0, whole.y0, whole.dx, whole.dy)] == [float] * 4
    assert str(Geometry(-0.0, 1.0, 1.0, -1.0, 2, 2).x0) == "0.0"


def test_large_grids_are_cut_into_chunks_of_rows(tmp_path: Path):
    """A grid of more than 4 MB is stored in several chunks, the last of them not full."""
    geometry = Geometry(-130.0, 55.0, 0.01, -0.01, 3000, 1400)
    values = np.random.default_rng(1).integers(0, 60, geometry.shape).astype("f4")
    write_grid(tmp_path / "a.nc", Grid.from_values(values, geometry, NOON))
    np.testing.assert_array_equal(read_grid(tmp_path / "a.nc").values, values)
    with netCDF4.Dataset(tmp_path / "a.nc") as other:
        assert other["reflectivity"].chunking()[0] < 1400
        np.testing.assert_array_equal(other["reflectivity"][:].filled(np.nan), values)


@pytest.mark.parametrize("geometry", [DEGREES, STEREO], ids=["degrees", "metres"])
def test_xarray_sees_a_cf_dataset(tmp_path: Path, geometry: Geometry):
    """An independent CF reader finds the coordinates, the times, the lead, the flags, and the CRS."""
    grid = mixed_grid(geometry, lead_minutes=30.0)
    write_grid(tmp_path / "a.nc", grid)
    with xr.open_dataset(tmp_path / "a.nc") as data:
        np.testing.assert_allclose(data["reflectivity"].values, grid.values, atol=0.25)
        assert data["reflectivity"].attrs["units"] == "dBZ"
        assert data["reflectivity"].attrs["ancillary_variables"] == "cell_status"
        assert data["cell_status"].attrs["flag_meanings"] == "echo undetect missing out_of_range"
        np.testing.assert_array_equal(data["cell_status"].attrs["flag_values"], [0, 1, 2, 3])
        assert abs(data["time"].values - np.datetime64(NOON.replace(tzinfo=None))) < np.timedelta64(1, "us")
        assert data["time"].values - data["forecast_reference_time"].values == np.timedelta64(30, "m")
        assert float(data["lead_minutes"]) == 30.0
        assert data.attrs["Conventions"] == "CF-1.10"
        crs = pyproj.CRS.from_cf(data["crs"].attrs)
        assert crs.equals(pyproj.CRS(geometry.crs), ignore_axis_order=True)
        assert {"lat", "lon"} <= set(data.coords) or {"y", "x"} <= set(data.coords)
        again = Grid.from_xarray(data)
    np.testing.assert_array_equal(again.status, grid.status)


def test_the_built_in_wkt_is_wgs84():
    """The text that spares us pyproj says what pyproj would say."""
    assert pyproj.CRS(WGS84["crs_wkt"]).equals(pyproj.CRS("EPSG:4326"))


def test_other_programs_may_compress_and_cut_the_file(tmp_path: Path):
    """A file that xarray or nccopy stored anew, thinned or with other filters, is still read, in place."""
    write_grid(tmp_path / "a.nc", mixed_grid())
    with xr.open_dataset(tmp_path / "a.nc") as data:
        cut = data.isel(lat=slice(1, None, 2), lon=slice(2, None)).load()
    for name in ("reflectivity", "cell_status"):
        cut[name].encoding |= {"shuffle": True, "zlib": True, "complevel": 5, "chunksizes": None}
    cut.to_netcdf(tmp_path / "b.nc")
    back, whole = read_grid(tmp_path / "b.nc"), read_grid(tmp_path / "a.nc")
    np.testing.assert_array_equal(back.values, whole.values[1::2, 2:])
    assert back.geometry.y0 == pytest.approx(DEGREES.y[1])
    assert back.geometry.dy == pytest.approx(-0.008)
    assert back.time == NOON


def test_frames_share_one_file(tmp_path: Path):
    """A sequence keeps times, leads, and the attributes that all frames have."""
    frames = [
        mixed_grid(lead_minutes=float(i), attributes={"radar": "a", "number": float(i)}).with_time(
            NOON + timedelta(minutes=i)
        )
        for i in range(3)
    ]
    write_frames(tmp_path / "f.nc", frames)
    back = read_frames(tmp_path / "f.nc")
    assert [g.time for g in back] == [g.time for g in frames]
    assert [g.lead_minutes for g in back] == [0, 1, 2]
    assert dict(back[0].attributes) == {"radar": "a"}
    np.testing.assert_array_equal(back[2].status, frames[2].status)
    with xr.open_dataset(tmp_path / "f.nc") as data:
        assert data["reflectivity"].dims == ("time", "lat", "lon")
        np.testing.assert_allclose(data["reflectivity"][1].values, back[1].values)
    with pytest.raises(DataError, match="3 steps"):
        read_grid(tmp_path / "f.nc")


def test_the_source_of_a_sequence_names_those_of_all_frames(tmp_path: Path):
    """A radar that one frame lacks and another has is named, once."""
    sources = ("addison, cleburne", "addison, cleburne, denton", "denton", "")
    write_frames(tmp_path / "f.nc", [mixed_grid(source=source) for source in sources])
    assert {g.source for g in read_frames(tmp_path / "f.nc")} == {"addison, cleburne, denton"}


def test_frames_that_do_not_fit_together_are_refused(tmp_path: Path):
    """Neither another geometry, nor another quantity, nor nothing at all."""
    with pytest.raises(DataError, match="grid 1 does not lie"):
        write_frames(tmp_path / "f.nc", [mixed_grid(), mixed_grid(STEREO)])
    with pytest.raises(DataError, match="grid 1 is rain_rate"):
        write_frames(tmp_path / "f.nc", [mixed_grid(), mixed_grid(quantity="rain_rate")])
    with pytest.raises(DataError, match="no grids"):
        write_frames(tmp_path / "f.nc", [])


def test_attributes_cannot_take_the_names_of_the_format(tmp_path: Path):
    """An attribute called ``source`` would be lost without a word."""
    with pytest.raises(DataError, match="source"):
        write_grid(tmp_path / "a.nc", mixed_grid(attributes={"source": "x"}))


@pytest.mark.parametrize("part", [0, 5, 300, 0.3, 0.5, 0.9, -1])
def test_truncated_files_are_named(tmp_path: Path, part: float):
    """Wherever a file is cut, the message names it."""
    write_grid(tmp_path / "a.nc", mixed_grid(Geometry(0.0, 50.0, 0.01, -0.01, 300, 200)))
    data = (tmp_path / "a.nc").read_bytes()
    (tmp_path / "cut.nc").write_bytes(data[: int(part * len(data)) if isinstance(part, float) else part])
    with pytest.raises(DataError, match=r"cut\.nc"):
        read_grid(tmp_path / "cut.nc")


@pytest.mark.parametrize("name", ["time", "lead_minutes", "cell_status", "crs", "lat", "reflectivity"])
def test_a_missing_variable_is_named(tmp_path: Path, name: str):
    """The message says which variable is not there."""
    write_grid(tmp_path / "a.nc", mixed_grid())
    with h5py.File(tmp_path / "a.nc", "a") as file:
        file.move(name, "renamed")
    wanted = "'y'" if name == "lat" else repr(name)
    with pytest.raises(DataError, match=rf"a\.nc.*{wanted}"):
        read_grid(tmp_path / "a.nc")


def test_damage_inside_a_chunk_is_named(tmp_path: Path):
    """A file whose length is right but whose bytes are not does not give wrong numbers."""
    write_grid(tmp_path / "a.nc", mixed_grid(Geometry(0.0, 50.0, 0.01, -0.01, 300, 200)))
    with h5py.File(tmp_path / "a.nc") as file:
        where = file["reflectivity"].id.get_chunk_info(0).byte_offset
    data = bytearray((tmp_path / "a.nc").read_bytes())
    data[where : where + 40] = bytes(40)
    (tmp_path / "a.nc").write_bytes(data)
    with pytest.raises(DataError, match="'reflectivity' is damaged"):
        read_grid(tmp_path / "a.nc")


def test_not_a_file(tmp_path: Path):
    """A directory and a missing file are named."""
    for path in (tmp_path, tmp_path / "none.nc"):
        with pytest.raises(DataError, match=str(path)):
            read_grid(path)
