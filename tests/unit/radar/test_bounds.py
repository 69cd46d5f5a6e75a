"""The box of degrees that holds a grid."""

from __future__ import annotations

import pytest

from dynamo.radar.bounds import bounds
from dynamo.radar.grid import Geometry


@pytest.mark.parametrize(
    ("geometry", "box"),
    [
        (Geometry(-97.9, 33.4, 0.0048, -0.004, 50, 40), (-97.9024, 33.242, -97.6624, 33.402)),
        (Geometry(-180, 90, 1, -1, 360, 181), (-180.5, -90, 179.5, 90)),
        (Geometry(178, -10, 1, -1, 6, 11), (177.5, -20.5, 183.5, -9.5)),
    ],
)
def test_a_box_of_degrees(geometry, box):
    """Of the outer edges of the cells; never beyond a pole, and on beyond 180 degrees."""
    assert bounds(geometry) == pytest.approx(box)


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry(
            -5_400_000, 5_400_000, 100_000, -100_000, 109, 109, "+proj=geos +h=35785831 +lon_0=0 +sweep=y"
        ),
        Geometry(-500_000, 500_000, 10_000, -10_000, 101, 101, "+proj=stere +lat_0=90"),
    ],
)
def test_what_no_box_of_degrees_holds(geometry):
    """The disk of the earth as it is seen from above, and a pole in the middle."""
    assert bounds(geometry) is None
