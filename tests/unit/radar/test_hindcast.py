"""Hindcasts: motion counts where it explains two images, and is left out where standing still explains them better."""

from __future__ import annotations

import numpy as np
import pytest

from dynamo.radar.hindcast import Look, moving

EVERYWHERE = np.ones((80, 80), "f4")


def texture(shift=0):
    rng = np.random.default_rng(3)
    return np.roll(np.kron(rng.integers(0, 200, (20, 20)), np.ones((4, 4))).astype("u1"), shift, axis=1)


def flow(columns):
    return np.broadcast_to(np.array([columns, 0], "f4"), (8, 8, 2))


@pytest.mark.parametrize(
    ("seen", "said", "fits"), [(4, 4, True), (0, 4, False), (4, -4, False), (0, 0, True), (4, 0, True)]
)
def test_the_better_of_moving_and_standing_is_told(seen, said, fits):
    """What moved as was said moves; what stood, or went the other way, does not. Equal is moving."""
    look = Look(texture(), texture(seen), 2.0, EVERYWHERE)
    found = moving([look], flow(said / 2), (1.0, 1.0))
    assert np.mean(found == fits) > 0.85


def test_each_place_is_judged_by_what_is_near():
    """Left half moved, right half stood: only the right half stands."""
    after = np.where(np.arange(80) < 40, texture(4), texture())
    found = moving([Look(texture(), after.astype("u1"), 1.0, EVERYWHERE)], flow(4), (0.5, 0.5))
    assert found[:, :3].all()
    assert not found[:, 5:].any()


def test_what_weighs_nothing_proves_nothing():
    """A standing edge whose weight is 0 does not stop the motion; nor does a pair without echo."""
    look = Look(texture(), texture(), 1.0, 0 * EVERYWHERE)
    dark = np.zeros((80, 80), "u1")
    assert moving([look, Look(dark, dark, 1.0, EVERYWHERE)], flow(4), (1.0, 1.0)).all()


def test_pairs_are_weighed_together():
    """One pair that moved clearly outweighs one in which little is seen to stand."""
    faint = (texture() // 20).astype("u1")
    looks = [Look(texture(), texture(4), 1.0, EVERYWHERE), Look(faint, faint, 1.0, EVERYWHERE)]
    assert moving(looks, flow(4), (1.0, 1.0)).all()
