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

__all__ = ["around", "standing", "standing_edges"]

# Cells: what is wider than the last is weather. A narrow spot shows sooner than a wide one that it stands still.
WIDTHS = (3, 5, 7)


def around(image: NDArray[Any], width: int = WIDTHS[-1]) -> NDArray[Any]:
    """Return `image`, bytes or float32, with spots up to `width` cells wide levelled to what surrounds them.

    An opening, by a square of so many cells.
    """
    return np.asarray(cv2.morphologyEx(image, cv2.MORPH_OPEN, np.ones((width, width), "u1")))


def standing(images: Iterable[NDArray[np.uint8]], height: float) -> NDArray[np.uint8]:
    """Return how wide, in cells, the spot is that all of `images` have at each cell or beside it; 0 for none.

    A spot is `height` above its surroundings. One that moves by more than its width in the time of the images
    is never in the result by itself; the caller knows the motion and must see to that.
    """
    common: list[NDArray[Any]] = []
    for image in images:
        spots = [np.asarray(cv2.subtract(image, around(image, width))) >= height for width in WIDTHS]
        common = [a & b for a, b in zip(common, spots, strict=True)] if common else spots
        if not common[-1].any():  # the widest kind holds the others
            break
    if not common:
        return np.zeros((0, 0), "u1")
    widths = np.zeros(common[0].shape, "u1")
    for width, spots_so_wide in reversed(list(zip(WIDTHS, common, strict=True))):
        widths[np.asarray(cv2.dilate(spots_so_wide.astype("u1"), np.ones((3, 3), "u1"))) > 0] = width
    return widths


def standing_edges(images: Sequence[NDArray[np.uint8]], height: float) -> NDArray[np.bool_]:
    """Return the cells that have `height` in all of `images`, within two cells of one that is 0 in all."""
    least, most = np.minimum.reduce(images), np.maximum.reduce(images)
    dry = np.asarray(cv2.dilate((most == 0).astype("u1"), np.ones((5, 5), "u1"))) > 0
    edges: NDArray[np.bool_] = dry & (least >= height)
    return edges
