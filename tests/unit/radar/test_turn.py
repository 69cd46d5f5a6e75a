"""Rays in order around the circle."""

from __future__ import annotations

import numpy as np
import pytest

from dynamo.radar.polar import BINS_PER_DEGREE, nearest_rays
from dynamo.radar.turn import places, spacing, spread


@pytest.mark.parametrize(
    ("azimuths", "degrees"),
    [
        ([10, 11], 2.5), ([11, 10, 12], 3.5), ([359.5, 0.5], 2.5), ([359, 0, 1, 2], 4.5), ([0, 180], 30),
        ([5, 125, 245], 45), ([10, 10, 11, 11, 12, 12], 3.5), ([42, 42], 0),
    ],
)  # fmt: skip
def test_a_few_rays_tell_nothing_of_the_rest_of_the_circle(azimuths, degrees):
    """Of a damaged file, or of a sector: each ray tells of three quarters of a spacing on both sides of it."""
    rays = nearest_rays(np.array(azimuths, "f8"))
    assert np.count_nonzero(rays >= 0) / BINS_PER_DEGREE == pytest.approx(degrees, abs=0.1)


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("turned", [np.arange(0.5, 360), np.arange(40.0, 130.0, 0.5)])
def test_rays_that_were_sent_twice_stay_neighbours(times, turned):
    """No places come between them: what smooths or unfolds over neighbours would find none."""
    azimuths = np.random.default_rng(3).permutation(np.repeat(turned, times))
    assert spacing(azimuths) == turned[1] - turned[0]
    place, at = places(azimuths, 2)
    empty = 2 * (turned[-1] < 359)  # only behind a sector
    assert at.size == azimuths.size + empty
    np.testing.assert_array_equal(at[place], azimuths)
    table = spread(np.repeat(azimuths[:, None], 3, axis=1).astype("f4"), place, at.size)
    assert np.isnan(table[:, 0]).sum() == empty
