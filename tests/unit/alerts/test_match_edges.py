"""Nearest edges, and places found by a box."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from dynamo.alerts.edges import Edges
from dynamo.alerts.nearness import Box


@pytest.mark.parametrize("points", [3, 40, 3_000])
def test_the_nearest_point_is_that_of_geos(points):
    """Of rings of any length, holes too, from inside and outside."""
    rng = np.random.default_rng(points)
    angle = np.sort(rng.uniform(0, 2 * np.pi, points))
    outer = np.column_stack([np.cos(angle), np.sin(angle)]) * rng.uniform(20_000, 30_000, (points, 1))
    shape = shapely.Polygon(outer, [outer / 3])
    x, y = rng.uniform(-50_000, 50_000, (2, 500))
    far, end_x, end_y = Edges(shape).nearest(x, y)
    outline = shapely.boundary(shape)
    assert far == pytest.approx(shapely.distance(outline, shapely.points(x, y)), abs=1e-6)
    assert np.hypot(x - end_x, y - end_y) == pytest.approx(far, abs=1e-6)
    assert shapely.distance(outline, shapely.points(end_x, end_y)).max() < 1e-6


def test_a_box_finds_the_places_at_its_rim():
    """None is lost to rounding, whatever the coordinates are."""
    rng = np.random.default_rng(3)
    for _ in range(200):
        x, y = rng.uniform(-2e5, 2e5, (2, 500))
        box = Box.of(x, y, np.arange(500))
        everywhere = np.array([-3e5, -3e5, 3e5, 3e5])
        assert sorted(box.within(everywhere, 0.0).tolist()) == list(range(500))
