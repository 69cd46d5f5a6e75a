"""Animations: as many frames as grids, in order, in each format, with the time on them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
from PIL import Image

from dynamo.errors import DataError
from dynamo.radar.animation import write_animation
from dynamo.radar.grid import Geometry, Grid

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def moving_storm(count=4, shape=(60, 80)):
    grids = []
    for i in range(count):
        values = np.full(shape, np.nan)
        values[20:40, 10 * i : 10 * i + 20] = 50
        geometry = Geometry(-97.0, 33.0, 0.01, -0.01, shape[1], shape[0])
        time = NOON + timedelta(minutes=i)
        grids.append(
            Grid.from_values(values, geometry, time, undetect=np.isnan(values), lead_minutes=float(i))
        )
    return grids


def red_centre(frame):
    """Column of the middle of the red pixels (50 dBZ), legend left out."""
    rgb = np.asarray(frame.convert("RGB")).astype(int)[:, :-80]
    red = (rgb[..., 0] > 240) & (rgb[..., 1] < 20) & (rgb[..., 2] < 20)
    return np.nonzero(red)[1].mean()


@pytest.mark.parametrize("suffix", [".png", ".apng", ".gif"])
def test_frames_show_the_storm_move(tmp_path, suffix):
    """One frame a grid, each storm to the right of the one before, the last frame shown longest."""
    path = tmp_path / f"preview{suffix}"
    write_animation(path, moving_storm(), title="Test", milliseconds=100)
    with Image.open(path) as image:
        assert image.n_frames == 4
        centres, durations = [], []
        for i in range(4):
            image.seek(i)
            centres.append(red_centre(image))
            durations.append(image.info["duration"])
    assert (np.diff(centres) > 30).all()
    assert durations == [100, 100, 100, 800]


def test_what_is_not_known_is_grey_and_what_is_dry_is_not(tmp_path):
    """Missing or out of range; lines and names of degrees are seen through it, and the legend has the grey too."""
    values, half = np.full((60, 80), np.nan), np.broadcast_to(np.arange(80) < 40, (60, 80))
    place = moving_storm(1)[0].geometry
    kinds = {
        "dry": {"undetect": values != 0},
        "missing": {"undetect": ~half},
        "out": {"undetect": ~half, "out_of_range": half},
    }
    grey = {}
    for kind, given in kinds.items():
        write_animation(tmp_path / "a.png", [Grid.from_values(values, place, NOON, **given)])
        with Image.open(tmp_path / "a.png") as image:
            pixels = np.asarray(image.convert("RGB"))
        found = (pixels == (214, 218, 224)).all(axis=-1)
        grey[kind] = found[:, :-90].mean()
        assert found[:, -90:].sum() >= 14 * 14
        assert len(np.unique(pixels[40:-20, 12:180].reshape(-1, 3), axis=0)) > 2, "lines"
    assert grey["dry"] < 0.01
    assert grey["missing"] == grey["out"] > 0.35


def test_an_mp4_plays_as_long_as_the_others(tmp_path):
    """Three frames of one step and the last of eight; both sides even, as encoders want them."""
    write_animation(tmp_path / "preview.mp4", moving_storm())
    movie = cv2.VideoCapture(str(tmp_path / "preview.mp4"))
    frames = 0
    while movie.read()[0]:
        frames += 1
    assert frames == 11
    assert movie.get(cv2.CAP_PROP_FRAME_WIDTH) % 2 == movie.get(cv2.CAP_PROP_FRAME_HEIGHT) % 2 == 0
    movie.release()


def test_the_time_is_written_on_each_frame(tmp_path):
    """The same field at another time makes another header and the same map."""
    first, second = moving_storm(1)[0], moving_storm(1)[0].with_time(NOON + timedelta(hours=1))
    write_animation(tmp_path / "a.png", [first, second])
    with Image.open(tmp_path / "a.png") as image:
        one = np.asarray(image.convert("RGB"))
        image.seek(1)
        two = np.asarray(image.convert("RGB"))
    assert (one[:28] != two[:28]).any()
    np.testing.assert_array_equal(one[28:], two[28:])


def test_large_grids_are_shown_smaller_and_small_ones_larger(tmp_path):
    """A preview fits a screen, whatever the grid."""
    for name, shape in (("a.png", (1700, 1200)), ("b.png", (20, 25)), ("c.png", (3, 900))):
        write_animation(tmp_path / name, moving_storm(1, shape), crs=None)
        with Image.open(tmp_path / name) as image:
            assert 180 < max(image.size) < 1000


@pytest.mark.parametrize(
    ("crs", "geometry"),
    [
        (
            "EPSG:3857",
            Geometry(
                2e6, -6e5, 2000, -2000, 80, 60, "+proj=laea +lat_0=55 +lon_0=10 +x_0=1950000 +y_0=-2100000"
            ),
        ),
        (
            None,
            Geometry(
                2e6, -6e5, 2000, -2000, 80, 60, "+proj=laea +lat_0=55 +lon_0=10 +x_0=1950000 +y_0=-2100000"
            ),
        ),
    ],
)
def test_projected_grids_are_shown_in_either_projection(tmp_path, crs, geometry):
    """The graticule follows the map."""
    grids = [replace(g, geometry=geometry) for g in moving_storm(2)]
    write_animation(tmp_path / "a.png", grids, crs=crs)
    with Image.open(tmp_path / "a.png") as image:
        assert image.n_frames == 2


def test_the_same_grids_give_the_same_bytes(tmp_path):
    """In every format that has no clock of its own."""
    for suffix in (".png", ".gif"):
        for name in ("a", "b"):
            write_animation(tmp_path / f"{name}{suffix}", moving_storm())
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_grids_that_do_not_belong_together_are_refused(tmp_path):
    """None, two shapes, two quantities, an unknown suffix: each says what is wrong."""
    one, other = moving_storm(1)[0], moving_storm(1, (60, 81))[0]
    rain = replace(one, quantity="rain_rate")
    for grids, name, message in (
        ([], "a.png", "at least one grid"),
        ([one, other], "a.png", "does not fit the first: 60 x 81 cells instead of 60 x 80"),
        ([one, rain], "a.png", "cannot mix reflectivity and rain_rate"),
        ([one], "a.webm", r"cannot animate as \.webm"),
    ):
        with pytest.raises(DataError, match=message):
            write_animation(tmp_path / name, grids)
