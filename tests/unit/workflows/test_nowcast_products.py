"""Whole runs of the nowcast's workflows on small grids, in this process: what is published, and that it is right."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from dynamo.workflows.nowcast import nowcast, split
from PIL import Image

import dynamo
from dynamo.journal import Journal
from dynamo.radar.grid import Cell, Geometry
from dynamo.radar.netcdf import read_grid, write_frames, write_grid
from dynamo.radar.storm import storm

GEOMETRY = Geometry(-98.0, 33.0, 0.01, -0.01, 80, 60)
START = datetime(2026, 3, 25, 5, tzinfo=UTC)
OF_ONE_LEAD = ("reflectivity_{}.nc", "reflectivity_{}.png", "reflectivity_{}.json", "polygons_{}.geojson")


@pytest.fixture(scope="module")
def observed():
    return storm("line", 3, 3, geometry=GEOMETRY, start=START)


def published(graph, folder: Path) -> set[str]:
    """Run the graph and return the names of its products."""
    summary = dynamo.run(graph, products=folder / "products", workspace=folder / "space", inline=True)
    assert not summary.failures
    return {path.name for path in (folder / "products").iterdir()}


def of_leads(*leads: int) -> set[str]:
    return {name.format(f"{lead:02d}") for lead in leads for name in OF_ONE_LEAD}


def test_previews_show_every_lead_time(tmp_path, observed):
    """The animation has a picture for each lead time; contact sheet and legend are PNG images."""
    for number, grid in enumerate(observed):
        write_grid(tmp_path / f"{number}.nc", grid)
    frames = [str(tmp_path / f"{number}.nc") for number in range(3)]
    names = published(nowcast(frames, horizon=4, step=2, levels=[35.0], previews=True), tmp_path)
    previews = {"nowcast.gif", "nowcast.png", "legend.png"}
    assert names == of_leads(0, 2, 4) | {"frames.nc", "latest.nc", "motion.nc"} | previews
    with Image.open(tmp_path / "products" / "nowcast.gif") as film:
        assert (film.format, film.n_frames) == ("GIF", 3)
    for name in ("nowcast.png", "legend.png"):
        with Image.open(tmp_path / "products" / name) as picture:
            picture.verify()
            assert picture.format == "PNG"


def test_a_forecast_in_one_file_is_split(tmp_path, observed):
    """Each step becomes its products, with its own valid time and values; the legend needs no previews."""
    first = observed[0]
    steps = [
        replace(first, values=grid.values, status=grid.status, lead_minutes=float(lead)).with_time(
            START + timedelta(minutes=lead)
        )
        for lead, grid in zip((0, 5, 10), observed, strict=True)
    ]
    write_frames(tmp_path / "forecast.nc", steps)
    graph = split(str(tmp_path / "forecast.nc"), horizon=10, step=5, previews=False)
    assert published(graph, tmp_path) == of_leads(0, 5, 10) | {"legend.png"}
    for step in steps:
        made = read_grid(tmp_path / "products" / f"reflectivity_{step.lead_minutes:02.0f}.nc")
        assert (made.time, made.lead_minutes) == (step.time, step.lead_minutes)
        np.testing.assert_array_equal(made.status, step.status)
        np.testing.assert_allclose(made.values, step.values, atol=0.25)


def test_a_forecast_of_the_casa_network_is_split_with_previews(tmp_path):
    """A MERGE_DARTS file holds a step a minute; its previews need no motion."""
    values = np.full((3, 30, 40), -99900.0, "f4")
    values[:, 10:20, 10:25] = 48.0
    with netCDF4.Dataset(tmp_path / "MERGE_DARTS_201703290730.nc", "w", format="NETCDF3_CLASSIC") as file:
        for name, size in zip(("Steps", "Lat", "Lon"), values.shape, strict=True):
            file.createDimension(name, size)
        field = file.createVariable("PredictedReflectivity", "f4", ("Steps", "Lat", "Lon"))
        field.units = "dBZ"
        field[:] = values
        file.setncatts({
            "TypeName": "PredictedReflectivity", "DataType": "LatLonGrid", "Latitude": 33.9, "Longitude": -98.5,
            "Height": 0.0, "Time": 1490772600, "FractionalTime": 0.0, "LatGridSpacing": 0.004,
            "LonGridSpacing": 0.005, "MissingData": -99900.0, "RangeFolded": -99901.0,
        })  # fmt: skip
    graph = split(str(tmp_path / "MERGE_DARTS_201703290730.nc"), horizon=2, previews=True)
    names = published(graph, tmp_path)
    assert names == of_leads(0, 1, 2) | {"nowcast.gif", "nowcast.png", "legend.png"}
    with Image.open(tmp_path / "products" / "nowcast.gif") as film:
        assert film.n_frames == 3


def test_a_nowcast_tells_how_large_the_echo_is(tmp_path, observed):
    """Square kilometres of the newest frame at 20 dBZ or more; cells of which nothing is known are none."""
    latest = observed[-1]
    values = latest.values.copy()
    values[:5, :] = np.nan
    status = np.where(np.isnan(values), np.uint8(Cell.MISSING), latest.status)
    frames = [*observed[:-1], replace(latest, values=values, status=status)]
    for number, grid in enumerate(frames):
        write_grid(tmp_path / f"{number}.nc", grid)
    graph = nowcast([str(tmp_path / f"{n}.nc") for n in range(3)], horizon=0, levels=[35.0], previews=False)
    published(graph, tmp_path)
    width, height = 0.01 * 111.195 * np.cos(np.radians(32.705)), 0.01 * 111.195
    expected = (values >= 20.0).sum() * width * height
    assert expected > 100
    with Journal(tmp_path / "space" / "journal.db") as journal:
        assert journal.facts("", graph.name, None, time.time()) == {
            "echo_km2": pytest.approx(expected, rel=1e-3)
        }
