"""What holds for readers of all formats."""

from __future__ import annotations

import bz2
import gzip
import sys
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from dynamo.errors import DataError, UserError
from dynamo.radar.grid import Cell, Geometry, Grid
from dynamo.radar.netcdf import write_grid
from dynamo.radar.readers import BUILT_IN, Reader, find, names, read, read_all
from dynamo.radar.readers.regrid import regrid

FILES = {
    "casa": "casa/cleburne.tx-20170329-073002.netcdf.gz",
    "cfradial": "hail/MLL2217907250U.003.nc",
    "cf": "grids/casa_dfw_merged_1min_40x400x400.nc",
    "knmi": "frames/RAD_NL25_RAP_5min_201008260135.h5",
    "mrms": "frames/PrecipRate_00.00_20190610-000000.grib2",
    "nexrad": "hail/KFWS20190609_222523_trim_V06",
    "odim": "frames/T_PABV21_C_EUOC_20241126013000.hdf",
    "odimpolar": "hail/40_20181220_060630.pvol.h5",
}


def some_grid(time) -> Grid:
    values = np.arange(12.0).reshape(3, 4)
    return Grid.from_values(values, Geometry(0.0, 1.0, 0.1, -0.1, 4, 3), time)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_known_by_its_content(samples: Path, tmp_path: Path, name: str):
    """Neither its name nor a compression hides what a file is."""
    plain = tmp_path / "anything"
    data = (samples / FILES[name]).read_bytes()
    plain.write_bytes(gzip.decompress(data) if FILES[name].endswith("gz") else data)
    assert find(plain).name == name
    for suffix, module in (("1", gzip), ("2", bz2)):
        packed = tmp_path / f"anything.{suffix}"
        packed.write_bytes(module.compress(plain.read_bytes(), 1))
        assert find(packed).name == name


def test_the_built_in_readers_are_the_entry_points():
    """The list that saves the search for entry points names the same readers."""
    ours = {e.name for e in entry_points(group="dynamo.readers") if e.value.startswith("dynamo.")}
    assert ours == set(BUILT_IN)
    assert names()[: len(BUILT_IN)] == list(BUILT_IN)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("part", [4, 60, 5000, 0.5, 0.9])
def test_truncated_files_are_named(samples: Path, tmp_path: Path, name: str, part: float):
    """Wherever a file is cut: an error that names it, with the word for what happened."""
    data = (samples / FILES[name]).read_bytes()
    cut = tmp_path / Path(FILES[name]).name
    cut.write_bytes(data[: int(part * len(data)) if isinstance(part, float) else part])
    with pytest.raises(DataError, match=f"{cut.name}.*(truncated|complete)"):
        read(cut)


@pytest.mark.parametrize("name", ["casa", "knmi", "nexrad"])
def test_truncated_archives_are_named(samples: Path, tmp_path: Path, name: str):
    """A gzip or bzip2 file that was not sent to its end is an error."""
    data = (samples / FILES[name]).read_bytes()
    for suffix, module in ((".gz", gzip), (".bz2", bz2)):
        packed = module.compress(data[:200_000], 1)
        cut = tmp_path / f"file{suffix}"
        cut.write_bytes(packed[: len(packed) // 2])
        with pytest.raises(DataError, match=rf"file{suffix}.*(truncated|complete|damaged)"):
            read(cut)


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_do_not_give_a_traceback(samples: Path, tmp_path: Path, name: str):
    """Bytes overwritten in the middle either leave what is read untouched or are a named error."""
    data = bytearray((samples / FILES[name]).read_bytes())
    rng = np.random.default_rng(7)
    if name in {"mrms", "odim"}:
        data = data[: len(data) - 1]  # these are a second each: once is enough
    for place in rng.integers(20, len(data) - 600, 3):
        data[place : place + 500] = rng.bytes(500)
    path = tmp_path / "damaged"
    path.write_bytes(data)
    try:
        grids = read(path)
    except DataError as error:
        assert "damaged" in str(error)  # noqa: PT017 - both outcomes are right
    else:
        assert grids


def test_an_archive_may_be_several_in_a_row(samples: Path, tmp_path: Path):
    """Concatenated gzip members are one file, as gunzip sees it."""
    data = (samples / FILES["knmi"]).read_bytes()
    path = tmp_path / "k.h5.gz"
    path.write_bytes(gzip.compress(data[:30_000]) + gzip.compress(data[30_000:]))
    (grid,), (plain,) = read(path), read(samples / FILES["knmi"])
    np.testing.assert_array_equal(grid.values, plain.values)


def test_what_is_no_radar_file(tmp_path: Path):
    """A directory, nothing, an empty file and a picture: the message says what was tried."""
    (tmp_path / "empty").touch()
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    for name, said in (
        ("", "is a directory"),
        ("absent", "No such file"),
        ("empty", "is empty"),
        ("picture.png", r"no reader knows.*PNG.*mrms.*nexrad.*knmi.*odim.*odimpolar.*cfradial.*casa.*cf"),
    ):
        with pytest.raises(DataError, match=said) as caught:
            read(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


def test_a_reader_can_be_named(samples: Path):
    """The name must exist, and the file must then be of that kind."""
    path = samples / FILES["knmi"]
    assert read(path, format="knmi")[0].quantity == "rain_rate"
    with pytest.raises(UserError, match=r"no reader 'kmni' \(did you mean 'knmi'\?\)"):
        read(path, format="kmni")
    for other in set(FILES) - {"knmi"}:
        with pytest.raises(DataError, match=path.name):
            read(path, format=other)


def test_a_missing_extra_says_what_to_install(samples: Path, monkeypatch: pytest.MonkeyPatch):
    """GRIB2 and Level II need packages that are not in the core."""
    for name, package, extra in (("mrms", "eccodes", "grib"), ("nexrad", "recast_radar", "nexrad")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(UserError, match=rf"pip install 'dynamo-weather\[{extra}\]'"):
            read(samples / FILES[name])


def test_a_plug_in_reader_is_found_after_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An entry point of the group adds a format; what it does not foresee still names the file."""

    class Entry:
        name = "mine"

        @staticmethod
        def load() -> Reader:
            def fail(path: Path, geometry: Geometry | None) -> list[Grid]:
                raise KeyError("azimuth")

            return Reader("mine", "my format", lambda _path, head: head.startswith(b"MINE"), fail)

    class Entries(dict):
        names = ("mine",)

    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: Entries(mine=Entry))
    from dynamo.radar import readers

    for function in (readers._entry_points, readers._load):
        function.cache_clear()
    try:
        (tmp_path / "x.mine").write_bytes(b"MINE and more")
        assert find(tmp_path / "x.mine").name == "mine"
        with pytest.raises(DataError, match=r"x\.mine: does not follow its format, my format.*azimuth"):
            read(tmp_path / "x.mine")
    finally:
        for function in (readers._entry_points, readers._load):
            function.cache_clear()


def test_frames_are_sorted_whatever_the_order_of_files(tmp_path: Path):
    """read_all gives rising times for files in any order."""
    from datetime import UTC, datetime

    noon = datetime(2020, 1, 1, 12, tzinfo=UTC)
    for i in (3, 1, 2):
        write_grid(tmp_path / f"{i}.nc", some_grid(noon + timedelta(minutes=i)))
    paths = [tmp_path / f"{i}.nc" for i in (3, 1, 2)]
    assert [(g.time - noon).total_seconds() / 60 for g in read_all(paths)] == [1, 2, 3]


def test_a_grid_can_be_put_on_another_geometry(samples: Path, tmp_path: Path):
    """Every cell takes the old cell that it lies in; what lies outside is out of range."""
    from datetime import UTC, datetime

    grid = some_grid(datetime(2020, 1, 1, tzinfo=UTC))
    moved = regrid(grid, Geometry(0.1, 1.0, 0.1, -0.1, 4, 3))
    np.testing.assert_array_equal(moved.values[:, :3], grid.values[:, 1:])
    assert (moved.status[:, 3] == Cell.OUT_OF_RANGE).all()
    assert np.isnan(moved.values[:, 3]).all()
    write_grid(tmp_path / "a.nc", grid)
    (back,) = read(tmp_path / "a.nc", geometry=moved.geometry)
    np.testing.assert_array_equal(back.values, moved.values)
    holland = Geometry(5.0, 52.4, 0.01, -0.01, 20, 20)
    (knmi,) = read(samples / FILES["knmi"], geometry=holland)
    (whole,) = read(samples / FILES["knmi"])
    column, row = whole.geometry.indices(np.array(5.07), np.array(52.35))
    assert knmi.values[5, 7] == whole.values[round(float(row)), round(float(column))]


def test_netcdf_that_is_no_grid(tmp_path: Path):
    """A NetCDF file of something else says what it holds instead."""
    with netCDF4.Dataset(tmp_path / "t.nc", "w") as file:
        file.createDimension("n", 3)
        file.createVariable("temperature", "f4", ("n",))[:] = 1.0
    with pytest.raises(DataError, match=r"t\.nc: no variable 'reflectivity'.*there are: temperature"):
        read(tmp_path / "t.nc")
