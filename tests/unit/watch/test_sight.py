"""What products of the nowcast show of a condition: of the built-in storm, which comes and goes, and of real sweeps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from dynamo.workflows.nowcast import workflow as chain

from dynamo.alerts.extent import around, extent
from dynamo.alerts.hazard import read_hazards
from dynamo.radar.netcdf import write_grid
from dynamo.radar.readers import read
from dynamo.radar.storm import storm
from dynamo.triggers.wakefulness import Sighting, wakefulness

HOLD = 360.0


def sighting(folder, grid, near, level=45.0, least=10.0, min_points=12):
    """What polygons of 35, 45 and 55 dBZ show of a level over so many km2."""
    write_grid(folder / "grid.nc", grid)
    chain.contour(
        folder / "grid.nc", folder / "polygons.geojson", levels=[35.0, 45.0, 55.0], min_points=min_points
    )
    field = read_hazards(folder / "polygons.geojson", least=level)
    area = extent(field, level, near)
    return Sighting(field.issued.timestamp(), area, field.known_share, area >= least)


def test_a_storm_that_passes_wakes_and_leaves_asleep(tmp_path):
    """A line over 78 min: its cells pass a place in two waves, and 10 km2 are there in frames 5 to 7, and 14 to 34."""
    near, course = around([(-97.1, 32.85)], 30), []
    awake = []
    for grid in storm("line", seed=0, frames=40, every=timedelta(minutes=2)):
        course.append(sighting(tmp_path, grid, near))
        awake.append(wakefulness(course, HOLD, course[-1].time, 0.0, course[-1].time).awake)
    held = [n for n, one in enumerate(course) if one.held]
    assert held[:4] == [5, 6, 7, 14]
    assert awake == [any(n - 3 <= frame <= n for frame in held) for n in range(40)]
    assert not awake[4]
    assert awake[5]
    assert not awake[-1]


def test_in_the_storm_of_29_march_2017_it_is_awake_all_the_time(samples, tmp_path):
    """Ten sweeps of one radar: 35 dBZ over more than 100 km2 within 40 km of it."""
    near = around([(-96.83, 32.97)], 40)
    found = [
        sighting(tmp_path, read(path)[0], near, 35, 100)
        for path in sorted((samples / "casa").glob("addison*"))
    ]
    assert len(found) == 10
    assert all(one.held for one in found)
    assert all(wakefulness(found[:n], HOLD, None, 0.0, found[-1].time).cause == "held" for n in range(1, 11))


@pytest.mark.parametrize("within", [20.0, 60.0])
def test_the_area_is_that_of_the_cells(samples, tmp_path, within):
    """Outlines run between cells, by their values, and cut corners: they hold up to an eighth less."""
    import numpy as np
    import pyproj

    (grid,) = read(samples / "casa" / "addison.tx-20170329-073929.netcdf.gz")
    geometry = grid.geometry
    lon, lat = np.meshgrid(
        geometry.x0 + geometry.dx * np.arange(geometry.nx), geometry.y0 + geometry.dy * np.arange(geometry.ny)
    )
    _, _, metres = pyproj.Geod(ellps="WGS84").inv(
        np.full(lon.shape, -96.83), np.full(lon.shape, 32.97), lon, lat
    )
    cell = 111.2**2 * geometry.dx * -geometry.dy * np.cos(np.radians(lat))
    cells = cell[(grid.values >= 35) & (metres <= within * 1000)].sum()
    found = sighting(tmp_path, grid, around([(-96.83, 32.97)], within), 35, min_points=0)
    assert found.area == pytest.approx(cells, rel=0.15)
