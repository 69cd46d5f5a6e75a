"""Still echo: small bright spots that stay where they are while the rain moves on (wind turbines, clutter).

Byte images of one sequence enter, a mask leaves. Such spots pin the motion of the rain around them, and are
worst forecast by moving them: motion is measured without them, and extrapolation leaves them where they stand.
Nothing can go wrong; with no such spot the mask is empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["SPOT", "around", "standing"]

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
