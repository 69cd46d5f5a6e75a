"""The built-in readers pass the suite that readers of others are held to; a careless one does not."""

from dataclasses import replace
from importlib.metadata import entry_points

import numpy as np
import pytest

from dynamo.radar.grid import Grid
from dynamo.testing import check_grid, check_reader

FILES = {
    "casa": "casa/cleburne.tx-20170329-073002.netcdf.gz",
    "cf": "grids/casa_dfw_merged_1min_40x400x400.nc",
    "knmi": "frames/RAD_NL25_RAP_5min_201008260135.h5",
    "mrms": "frames/PrecipRate_00.00_20190610-000000.grib2",
    "nexrad": "hail/KFWS20190609_222523_trim_V06",
    "odim": "frames/T_PABV21_C_EUOC_20241126013000.hdf",
}


@pytest.mark.parametrize("name", FILES)
def test_the_built_in_readers_conform(samples, name):
    """Each knows its own file, none of another format, and notices damage."""
    reader = entry_points(group="dynamo.readers")[name].load()
    # `cf` is asked last and takes any NetCDF or HDF5 that no more particular reader has taken.
    others = [samples / path for other, path in FILES.items() if name not in ("cf", other)]
    check_reader(reader, samples / FILES[name], others=others)


def test_a_reader_that_swallows_damage_does_not_conform(samples):
    """The suite can fail: a reader that reads whatever it is given is told so."""
    good = samples / FILES["knmi"]
    reader = entry_points(group="dynamo.readers")["knmi"].load()
    careless = replace(reader, read=lambda _path, geometry: reader.read(good, geometry))
    with pytest.raises(AssertionError, match="as if it were whole"):
        check_reader(careless, good)


def test_a_grid_that_contradicts_itself_does_not_conform(samples):
    """A missing cell with a value is noticed."""
    reader = entry_points(group="dynamo.readers")["knmi"].load()
    grid: Grid = reader.read(samples / FILES["knmi"], None)[0]
    with pytest.raises(AssertionError, match="missing or unobserved cell has a value"):
        check_grid(replace(grid, values=np.nan_to_num(grid.values, nan=5.0)))
