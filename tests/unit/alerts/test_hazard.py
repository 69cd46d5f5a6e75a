"""Reading hazards from product files."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely

from dynamo.alerts.hazard import read_hazards
from dynamo.errors import DataError
from dynamo.radar.contour import contour
from dynamo.radar.geojson import hazard_properties, known_share, write_geojson
from dynamo.radar.grid import Cell, Geometry, Grid

TIME = datetime(2026, 3, 25, 5, 10, tzinfo=UTC)
SQUARE = [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]
COMMON = {"hazard": "HAIL", "units": "mm", "valid_time": "2026-03-25T05:10:00Z"}


def _feature(geometry=None, **properties):
    geometry = geometry or {"type": "Polygon", "coordinates": SQUARE}
    return {"type": "Feature", "geometry": geometry, "properties": {"level": 20, **COMMON, **properties}}


def _file(tmp_path, *features, **members):
    path = tmp_path / "hazards.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", **members, "features": list(features)}))
    return path


def _grid(values):
    values = np.asarray(values, "f4")
    geometry = Geometry(-97.0, 33.0, 0.01, -0.01, values.shape[1], values.shape[0])
    status = np.where(values > 0, Cell.ECHO, Cell.UNDETECT).astype("u1")
    return Grid(values, status, geometry, TIME, quantity="reflectivity", lead_minutes=10)


@pytest.mark.parametrize("name", ["polygons_10.geojson", "polygons_10.geojson.gz"])
def test_what_dynamo_writes_is_read_again(tmp_path, name):
    """Kind, units, times, known share, levels and polygons survive; the digest becomes the source."""
    values = np.zeros((20, 20))
    values[5:12, 5:12] = 30
    values[7:9, 7:9] = 50
    grid, path = _grid(values), tmp_path / name
    bands = contour(grid, (20, 45))
    write_geojson(path, bands, properties=hazard_properties(grid), known_share=known_share(grid))
    field = read_hazards(path, "sha256:1")
    assert (field.hazard, field.units, field.lead_minutes, field.source) == ("STORM", "dBZ", 10, "sha256:1")
    assert (field.valid_time, field.issued) == (TIME, TIME - timedelta(minutes=10))
    assert field.known_share == 1
    assert field.levels.tolist() == [20, 45]
    assert shapely.is_valid(field.polygons).all()
    assert shapely.get_num_coordinates(field.polygons).sum() == sum(len(band.coordinates) for band in bands)


def test_a_file_without_polygons_is_an_all_clear(tmp_path):
    """It still says what it is of, when, and how much was seen."""
    grid, path = _grid(np.zeros((4, 4))), tmp_path / "none.geojson"
    write_geojson(path, contour(grid, (20,)), properties=hazard_properties(grid), known_share=0.5)
    field = read_hazards(path)
    assert (field.hazard, field.valid_time, field.known_share) == ("STORM", TIME, 0.5)
    assert len(field.levels) == len(field.polygons) == 0


def test_what_others_write_is_read(tmp_path):
    """MultiPolygons are taken apart, heights ignored, times read from features; no lead time means none."""
    high = [[[5, 5, 9], [6, 5, 9], [6, 6, 9], [5, 5, 9]]]
    several = {"type": "MultiPolygon", "coordinates": [SQUARE, high]}
    field = read_hazards(_file(tmp_path, _feature(several), _feature(level=30)))
    assert field.levels.tolist() == [20, 20, 30]
    assert shapely.bounds(field.polygons).tolist() == [[0, 0, 1, 1], [5, 5, 6, 6], [0, 0, 1, 1]]
    assert (field.hazard, field.lead_minutes, field.issued, field.known_share) == ("HAIL", 0, TIME, None)


def test_a_polygon_that_crosses_itself_is_repaired(tmp_path):
    """A bow tie becomes two triangles of its level."""
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    field = read_hazards(_file(tmp_path, _feature(bow), _feature(level=30)))
    assert field.levels.tolist() == [20, 20, 30]
    assert shapely.is_valid(field.polygons).all()


def test_a_polygon_across_the_antimeridian_is_taken_the_short_way(tmp_path):
    """Longitudes that jump from 179 to -179 go on beyond 180."""
    ring = [[[179, 0], [-179, 0], [-179, 1], [179, 1], [179, 0]]]
    field = read_hazards(_file(tmp_path, _feature({"type": "Polygon", "coordinates": ring})))
    assert shapely.bounds(field.polygons[0]).tolist() == [179, 0, 181, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"level": "20"}, r"feature 1: its level is '20'; expected a number"),
        ({"hazard": None}, "neither the collection nor a feature says 'hazard'"),
        ({"hazard": 7}, "hazard is 7; expected text"),
        ({"valid_time": "noon"}, "valid_time is 'noon'; expected a time"),
        ({"valid_time": "2026-03-25T05:10:00"}, "without an offset"),
        ({"known_share": 7}, "known_share is 7; expected 0 to 1"),
        ({"lead_minutes": "x"}, "lead_minutes is 'x'; expected a number"),
    ],
)
def test_a_wrong_property_is_named(tmp_path, change, message):
    """The message says which, of which feature, and what was expected."""
    with pytest.raises(DataError, match=message) as caught:
        read_hazards(_file(tmp_path, _feature(**change)))
    assert "hazards.geojson" in str(caught.value)


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        ({"type": "Point", "coordinates": [0, 0]}, "is a Point; expected a Polygon or MultiPolygon"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]}, "at least four positions"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}, "not closed"),
        (
            {"type": "Polygon", "coordinates": [[[0, 0], [1, "x"], [1, 1], [0, 0]]]},
            "not all of its positions",
        ),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1], [1, 1], [0, 0]]]}, "not all of its positions"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [0, 91], [1, 1], [0, 0]]]}, "not all of its positions"),
        ("none", "expected a Polygon or MultiPolygon"),
    ],
)
def test_a_wrong_geometry_is_named(tmp_path, geometry, message):
    """The second feature is at fault, and is named."""
    with pytest.raises(DataError, match=f"feature 2: .*{message}"):
        read_hazards(_file(tmp_path, _feature(), _feature(geometry)))


def test_features_of_two_kinds_are_no_field(tmp_path):
    """One file, one kind and time."""
    with pytest.raises(DataError, match="feature 2: hazard is 'WIND', of features before it 'HAIL'"):
        read_hazards(_file(tmp_path, _feature(), _feature(hazard="WIND")))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.geojson", b"", "the file is empty"),
        ("a.geojson", b'{"type": "FeatureColl', r"a.geojson:1:\d+: the file is not JSON"),
        ("a.geojson", b"[1]", "holds a list; expected a GeoJSON FeatureCollection"),
        ("a.geojson", b'{"type": "Feature"}', "holds a Feature; expected a GeoJSON FeatureCollection"),
        (
            "a.json",
            b'{"bounds": [1], "levels": 2}',
            "that is no GeoJSON .its keys: 'bounds', 'levels'.; expected a",
        ),
        ("a.json", b"null", "holds null; expected"),
        ("a.geojson", b'{"type": "FeatureCollection"}', "has no list of features"),
        ("a.geojson", b'{"type": "FeatureCollection", "features": [3]}', "feature 1 is no Feature"),
        ("a.geojson.gz", gzip.compress(b"{}" * 99)[:-9], "truncated"),
        ("a.geojson.gz", b"plain", "not gzip, or damaged"),
    ],
)
def test_a_damaged_file_is_told_clearly(tmp_path, name, data, message):
    """Empty, cut off, not JSON, JSON of something else."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_hazards(path)


def test_a_missing_file_is_told(tmp_path):
    """With its name."""
    with pytest.raises(DataError, match=r"no\.geojson: the file cannot be read: No such file"):
        read_hazards(tmp_path / "no.geojson")


@pytest.mark.parametrize(
    ("said", "bounds"),
    [
        ([1, 50, 2, 51], (1, 50, 2, 51)),
        ([177, -20, -178, -10], (177, -20, 182, -10)),
        ("DBZH", None),
        ([1, 2, 3], None),
        ([None, 2, 3, 4], None),
        ([1, 95, 2, 96], None),
        ([0, 0, 400, 1], None),
    ],
)
def test_bounds_of_a_field_are_taken_or_left(tmp_path, said, bounds):
    """Across the antimeridian too; what is no such box is about something else, and no alert hangs on it."""
    path = tmp_path / "a.geojson"
    head = {"type": "FeatureCollection", "hazard": "STORM", "units": "dBZ", "features": []}
    path.write_text(json.dumps({**head, "valid_time": "2026-03-25T05:00:00Z", "field_bounds": said}))
    assert read_hazards(path).bounds == bounds
