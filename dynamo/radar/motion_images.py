"""The images that motion is estimated from: frames as bytes, without what stands still, and how far to trust them.

Enters: frames of one geometry. Leaves: ``uint8`` images, marks and weights on the cells (or on every second one, where
that is said). Nothing here can go wrong with frames that `dynamo.radar.motion` lets pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from dynamo.radar.grid import Cell
from dynamo.radar.lucas_kanade import WINDOW
from dynamo.radar.still import around, standing, standing_edges

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from dynamo.radar.grid import Grid

__all__ = [
    "PROOF_MINUTES", "WHITE_DBZ", "as_bytes", "find_spots", "halve", "minutes_between", "near_unknown",
    "tracked_image", "trust_in",
]  # fmt: skip

# Reflectivity that counts as white in the images that are tracked; hail above it shows no motion of its own.
WHITE_DBZ = 60.0
# What stands still is looked for in so many minutes, at least in so many, and must be so much brighter than what is
# beside it.
STILL_MINUTES = 15.0
PROOF_MINUTES = 10.0
STILL_DB = 8.0
# So many cells (of the halved grid) in a window are an edge and not a fleck. What is seen beside an edge weighs next
# to nothing where the grid says that a radar's range ends there, and little where that is only likely.
EDGE_CELLS = 5
EDGE_WEIGHT = 0.001
DOUBT_WEIGHT = 0.05


def minutes_between(before: Grid, after: Grid) -> float:
    """Return how much later `after` is."""
    return (after.time - before.time).total_seconds() / 60


def as_bytes(frame: Grid) -> NDArray[np.uint8]:
    """Return bytes from no echo, or no data, to `WHITE_DBZ`."""
    values: NDArray[Any] = frame.values
    if frame.quantity == "rain_rate":
        # Z = 200 R^1.6 (Marshall and Palmer 1948), so that drizzle and downpour are seen on one scale.
        rate = np.where(frame.status == Cell.ECHO, values, np.float32(0))
        values = 10 * np.log10(200 * np.maximum(rate, np.float32(0.02)) ** np.float32(1.6))
    # OpenCV's thresholds make NaN zero, in a third of the time of `np.where` and `np.clip`.
    positive = cv2.threshold(values, 0, 0, cv2.THRESH_TOZERO)[1]
    dark = cv2.threshold(positive, WHITE_DBZ, WHITE_DBZ, cv2.THRESH_TRUNC)[1]
    return np.asarray(cv2.convertScaleAbs(dark, alpha=255 / WHITE_DBZ), dtype="u1")


def tracked_image(frame: Grid, spots: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    """Return the bytes without what stands still, and without specks that no 3 x 3 cells fit into."""
    image = as_bytes(frame)
    if spots is not None:
        image[spots] = around(image)[spots]
    solid = cv2.morphologyEx(np.minimum(image, 1), cv2.MORPH_OPEN, np.ones((3, 3), "u1"))
    return np.asarray(cv2.multiply(image, solid), dtype="u1")


def find_spots(frames: Sequence[Grid]) -> tuple[NDArray[np.uint8] | None, float]:
    """Return how wide the spots are that may stand still, if there are any, and over how many minutes that was seen."""
    newest = frames[-1]
    recent = [f for f in frames if minutes_between(f, newest) <= STILL_MINUTES]
    minutes = minutes_between(recent[0], newest)
    if len(recent) < 3 or minutes < PROOF_MINUTES - 0.1:
        return None, minutes
    widths = standing(map(as_bytes, reversed(recent)), STILL_DB * 255 / WHITE_DBZ)
    widths[near_unknown(newest)] = 0
    return (widths if widths.any() else None), minutes


def near_unknown(*frames: Grid) -> NDArray[np.bool_]:
    """Return the cells near any of which one of `frames` says nothing: edges there are not the weather's."""
    dark = np.logical_or.reduce([~frame.known for frame in frames])
    return np.asarray(cv2.dilate(dark.astype("u1"), np.ones((9, 9), "u1"))) > 0


def trust_in(frames: Sequence[Grid], images: dict[datetime, NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return the weight of what is seen around each cell of the halved grid.

    The edge of what a radar sees stands still while the rain moves, and a window that holds a part of it sees
    too little motion. Where the grid does not tell how far its radars see, edges that have stood for long may be
    such, or the flank of a line that moves along itself: they lose against better vectors nearby, no more.
    """
    newest = frames[-1]
    trust = np.where(
        _in_window(halve(newest.known.astype("u1")) == 0), np.float32(EDGE_WEIGHT), np.float32(1)
    )
    oldest = next(f for f in frames if minutes_between(f, newest) <= STILL_MINUTES)
    if minutes_between(oldest, newest) >= PROOF_MINUTES - 0.1:
        first = images.get(oldest.time)
        first = halve(tracked_image(oldest, None)) if first is None else first
        edges = standing_edges([first, *images.values()], STILL_DB * 255 / WHITE_DBZ)
        trust = np.where(_in_window(edges), np.float32(DOUBT_WEIGHT) * trust, trust)
    return trust


def _in_window(marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the cells in whose window there are marks, not only a fleck of them."""
    count = cv2.boxFilter(marks.astype("f4"), -1, (WINDOW, WINDOW), normalize=False)
    return np.asarray(count) > EDGE_CELLS - 0.5


def halve(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the means of two by two cells; a last odd row or column is left out."""
    ny, nx = image.shape
    even = image[: ny // 2 * 2, : nx // 2 * 2]
    return np.asarray(cv2.resize(even, (nx // 2, ny // 2), interpolation=cv2.INTER_AREA), dtype="u1")
