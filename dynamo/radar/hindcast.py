"""Hindcast: whether what was seen fits the motion, or fits better if nothing had moved.

Pairs of byte images and a motion field enter, a mask on the nodes leaves. Some echo does not go with the air it is
seen in: the bright band, a ring around each radar where snow melts, stays at its range while rain moves through it.
Motion that explains two frames less well than no motion at all would forecast them worse too.
Nothing can go wrong: without echo everything moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["Look", "moving"]

# Columns and rows come as one array; OpenCV's type stubs do not know that they may.
NO_SECOND_MAP: Any = None


class Look(NamedTuple):
    """Two ``(ny, nx)`` images of one place, `minutes` apart, and the weight of each of their cells."""

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    minutes: float
    weight: NDArray[np.float32]


def moving(looks: Iterable[Look], flow: NDArray[np.float32], width: tuple[float, float]) -> NDArray[np.bool_]:
    """Return ``(rows, columns)``: the nodes around which `flow` explains the images no worse than standing still.

    Parameters
    ----------
    looks
        At least one; their cells are the images' own, whatever those of the grid.
    flow
        ``(rows, columns, 2)``: columns and rows of the images per unit of `minutes`.
    width
        Rows and columns of nodes over which squared differences are averaged (a standard deviation).
    """
    rows, columns = flow.shape[:2]
    excess = np.zeros((rows, columns), "f4")
    for look in looks:
        ny, nx = look.before.shape
        way = cv2.resize(-look.minutes * flow, (nx, ny), interpolation=cv2.INTER_LINEAR)
        way += np.stack(np.meshgrid(np.arange(nx, dtype="f4"), np.arange(ny, dtype="f4")), axis=-1)
        moved = cv2.remap(look.before, way, NO_SECOND_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        error = (_squares(look.after, np.asarray(moved)) - _squares(look.after, look.before)) * look.weight
        excess += cv2.resize(error, (columns, rows), interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(excess, (0, 0), sigmaX=width[1], sigmaY=width[0])
    return np.asarray(smooth) <= 0


def _squares(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.absdiff(one, other), dtype="f4") ** 2
