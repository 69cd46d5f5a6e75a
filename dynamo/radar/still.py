"""What stands still while the rain moves on: bright spots (wind turbines, clutter), and edges of a radar's range.

Byte images of one sequence enter, a mask leaves. Spots pin the motion of the rain around them, and are worst
forecast by moving them: motion is measured without them, and extrapolation leaves them where they stand. Edges
pin it too, and motion is measured away from them.
Nothing can go wrong; with nothing of the kind the mask is empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = ["SPOT", "around", "standing", "standing_edges"]

# Cells: what is wider is weather. A spot must also be left behind by more than this in the time looked at.
SPOT = 7


def around(image: NDArray[Any]) -> NDArray[Any]:
    """Return `image`, bytes or float32, with spots levelled to what surrounds them (an opening)."""
    return np.asarray(cv2.morphologyEx(image, cv2.MORPH_OPEN, np.ones((SPOT, SPOT), "u1")))


def standing(images: Iterable[NDArray[np.uint8]], height: float) -> NDArray[np.bool_]:
    """Return where all of `images` have a spot that is `height` above its surroundings, and the cells beside.

    A cell that moves by more than its own width in the time of the images is never in the result by itself;
    the caller knows the motion and must see to that.
    """
    common: NDArray[Any] | None = None
    for image in images:
        spots = np.asarray(cv2.subtract(image, around(image))) >= height
        common = spots if common is None else common & spots
        if not common.any():
            break
    if common is None:
        return np.zeros((0, 0), dtype=bool)
    return np.asarray(cv2.dilate(common.astype("u1"), np.ones((3, 3), "u1"))) > 0


def standing_edges(images: Sequence[NDArray[np.uint8]], height: float) -> NDArray[np.bool_]:
    """Return the cells that have `height` in all of `images`, within two cells of one that is 0 in all."""
    least, most = np.minimum.reduce(images), np.maximum.reduce(images)
    dry = np.asarray(cv2.dilate((most == 0).astype("u1"), np.ones((5, 5), "u1"))) > 0
    edges: NDArray[np.bool_] = dry & (least >= height)
    return edges
