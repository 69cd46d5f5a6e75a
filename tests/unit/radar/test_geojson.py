"""GeoJSON files: valid by two outside judges on every kind of weather, complete, the same each time."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta, timezone

import geojson_validator
import netCDF4
import numpy as np
import orjson
import pytest
from geojson_pydantic import FeatureCollection

from dynamo.radar.bounds import bounds
from dynamo.radar.contour import contour
from dynamo.radar.geojson import dumps, hazard_properties, known_share, write_geojson
from dynamo.radar.grid import Geometry, Grid

NOON = datetime(2024, 5, 1, 12, 5, tzinfo=UTC)
LEVELS = (20, 35, 45, 55)


def quiet(*cells, fill=np.nan, shape=(40, 50)):
    """A grid of one value with 50 dBZ in some cells."""
    values = np.full(shape, fill)
    for cell in cells:
        values[cell] = 50
    return values


def line_of_storms():
    row, column = np.mgrid[:60, :80]
    return 60.0 - 3 * np.abs(row - 10 - 0.4 * column) - 10 * (np.sin(column / 5) > 0.7)


def widespread():
    smooth = np.random.default_rng(3).normal(size=(60, 80))
    for _ in range(3):
        smooth = (smooth + np.roll(smooth, 1, 0) + np.roll(smooth, 1, 1) + np.roll(smooth, -1, 0)) / 4
    return np.round(2 * (30 + 40 * smooth)) / 2


FIELDS = {
    "calm": quiet(),
    "line": line_of_storms(),
    "widespread": widespread(),
    "saturated": quiet(fill=75.0),
    "one pixel": quiet((7, 9)),
    "corners": quiet((0, 0), (0, -1), (-1, 0), (-1, -1)),
    "edges": quiet((slice(10, 20), 0), (0, slice(10, 20)), (slice(5, 30), -1), (-1, slice(5, 45))),
    "checkerboard": np.where(np.indices((20, 21)).sum(axis=0) % 2, 45.0, 44.5),
    "noise": np.random.default_rng(5).choice([np.nan, 19.5, 20, 35, 45, 54.5, 55], (40, 50)),
    "one cell": np.array([[50.0]]),
}


def field_grid(values, *, missing=False):
    values = np.asarray(values, dtype="f4")
    geometry = Geometry(-97.9, 33.4, 0.0048, -0.004, values.shape[1], values.shape[0])
    undetect = None if missing else np.isnan(values)
    return Grid.from_values(values, geometry, NOON, undetect=undetect, lead_minutes=5.0, source="test")


def judge(data):
    """Run both outside judges over the bytes of a file and return what they hold."""
    collection = orjson.loads(data)
    FeatureCollection.model_validate(collection)
    assert geojson_validator.validate_structure(collection) == {}
    found = geojson_validator.validate_geometries(collection)
    assert found["invalid"] == {}
    assert found["skipped_validation"] == []
    # Holes are meant, and so are the many points of a widespread rain.
    assert set(found["problematic"]) <= {"holes", "excessive_vertices"}
    return collection["features"]


@pytest.mark.parametrize("name", FIELDS)
def test_every_kind_of_weather_gives_a_valid_file(name):
    """RFC 7946 structure, closed rings, winding, no self-intersection, no ring that meets another."""
    grid = field_grid(FIELDS[name])
    features = judge(dumps(contour(grid, LEVELS), properties=hazard_properties(grid)))
    assert bool(features) == (name != "calm")


def test_all_missing_gives_a_collection_without_features():
    """There is always a file, also when there is nothing to say."""
    grid = field_grid(quiet(), missing=True)
    data = dumps(contour(grid, LEVELS), properties={})
    assert orjson.loads(data) == {"type": "FeatureCollection", "features": []}
    assert judge(data) == []


def test_a_collection_says_of_when_it_is_and_how_much_was_known():
    """Also without a polygon: who reads it can tell an outage from dry weather, and now from yesterday."""
    values = quiet()
    for grid, share in ((field_grid(values), 1.0), (field_grid(values, missing=True), 0.0)):
        properties = hazard_properties(grid)
        data = dumps(contour(grid, LEVELS), properties=properties, known_share=known_share(grid))
        assert judge(data) == []
        assert orjson.loads(data) == {
            "type": "FeatureCollection", **properties, "known_share": share, "features": [],
        }  # fmt: skip


def test_a_collection_says_which_field_was_looked_at():
    """Where nothing was found too; judges of the format do not mind."""
    grid = field_grid(FIELDS["calm"])
    data = dumps([], properties={}, field_bounds=bounds(grid.geometry))
    judge(data)
    assert orjson.loads(data)["field_bounds"] == [-97.9024, 33.242, -97.6624, 33.402]


def test_no_property_takes_a_name_of_the_format():
    """RFC 7946 section 7.1: a collection has no geometry, whatever its polygons are said to have in common."""
    grid = field_grid(quiet((7, 9)))
    properties = {"type": "hail", "features": 3, "geometry": "round", "properties": 1, "run": 7}
    data = dumps(contour(grid, [45]), properties=properties)
    (feature,) = judge(data)
    assert feature["properties"].items() >= properties.items()
    assert orjson.loads(data).keys() == {"type", "run", "features"}


def test_the_known_share_counts_echo_and_surely_none():
    """What is missing or out of range is not known."""
    values = np.array([[50, np.nan], [np.nan, np.nan]])
    undetect = np.array([[False, True], [False, False]])
    out_of_range = np.array([[False, False], [True, False]])
    geometry = Geometry(-97.9, 33.4, 0.0048, -0.004, 2, 2)
    grid = Grid.from_values(values, geometry, NOON, undetect=undetect, out_of_range=out_of_range)
    assert known_share(grid) == 0.5


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("casa_dfw_merged_1min_40x400x400.nc", 0),
        ("casa_dfw_merged_1min_40x400x400.nc", 30),
        ("mrms_texas_2min_36x1000x1000.nc", 20),
    ],
)
def test_real_frames_give_valid_files(samples, name, index):
    """Both judges agree on frames of a squall line and of a severe storm."""
    with netCDF4.Dataset(samples / "grids" / name) as file:
        values = np.ma.filled(file["reflectivity"][index].astype("f4"), np.nan)
        geometry = Geometry.from_coordinates(file["lon"][:], file["lat"][:])
    grid = Grid.from_values(values, geometry, NOON, undetect=np.isnan(values))
    judge(dumps(contour(grid, LEVELS), properties=hazard_properties(grid)))


def test_properties_say_what_where_when_and_by_whom():
    """Each polygon stands alone: hazard, level, units, times, lead, area and source."""
    grid = field_grid(quiet((7, 9)))
    bands = contour(grid, [45])
    (feature,) = judge(dumps(bands, properties=hazard_properties(grid, hazard="HAIL", source="run 7")))
    assert feature["properties"] == {
        "hazard": "HAIL",
        "level": 45,
        "units": "dBZ",
        "valid_time": "2024-05-01T12:05:00Z",
        "issued": "2024-05-01T12:00:00Z",
        "lead_minutes": 5,
        "area_km2": round(bands[0].area_km2, 3),
        "source": "run 7",
    }


def test_times_are_utc_whatever_zone_they_came_in():
    """A grid stamped in Central time says the same instant."""
    central = timezone(timedelta(hours=-5))
    grid = field_grid(quiet()).with_time(NOON.astimezone(central))
    properties = hazard_properties(grid, issued=NOON.astimezone(central))
    assert properties["valid_time"] == properties["issued"] == "2024-05-01T12:05:00Z"
    assert properties["source"] == "test"


def test_features_are_ordered_by_level_and_hold_their_rings(tmp_path):
    """What is written is what was traced, to the last decimal, lowest level first."""
    grid = field_grid(FIELDS["widespread"])
    bands = contour(grid, (45, 20))
    path = tmp_path / "polygons.geojson"
    write_geojson(path, bands, properties=hazard_properties(grid))
    features = judge(path.read_bytes())
    assert [f["properties"]["level"] for f in features] == [20] * len(bands[0]) + [45] * len(bands[1])
    written = [position for f in features for ring in f["geometry"]["coordinates"] for position in ring]
    np.testing.assert_array_equal(written, np.concatenate([b.coordinates for b in bands]))
    assert all(len(str(abs(x)).partition(".")[2]) <= 5 for position in written for x in position)


def test_the_same_grid_gives_the_same_bytes_also_compressed(tmp_path):
    """No clock and no order of a hash table reaches the file, so a rerun is recognised as the same."""
    grid = field_grid(FIELDS["line"])
    for name in ("one.geojson.gz", "two.geojson.gz"):
        write_geojson(tmp_path / name, contour(grid, LEVELS), properties=hazard_properties(grid))
    one = (tmp_path / "one.geojson.gz").read_bytes()
    assert one == (tmp_path / "two.geojson.gz").read_bytes()
    assert gzip.decompress(one) == dumps(contour(grid, LEVELS), properties=hazard_properties(grid))
