"""Sparse optical flow: how small patches of echo move from one image to the next, spread over the grid.

Byte images enter, a smooth field of displacement leaves. Features are chosen per tile (Shi and Tomasi 1994),
tracked with pyramidal Lucas-Kanade (Bouguet 2001) there and back again, compared with their neighbours (the
median test of Westerweel and Scarano 2005), gathered in boxes, and spread with a heavy-tailed kernel.
With nothing to track the result is no vectors, never an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["WINDOW", "gather", "spread", "track"]

# OpenCV makes the output itself; its type stubs do not know that it may.
NEW: Any = None

# In cells of the image given to `track`, whose cells are 2 x 2 of the grid: single cells are mostly noise.
TILE = 5
# A squall line looks the same all along; the window must hold a bend or an end of it (the aperture problem).
WINDOW = 25
LEVELS = 3
# Corner strength (OpenCV's scale) of a patch that is as flat as the rounding to bytes leaves it.
FLAT = 3e-4
# A feature that does not come back to where it started within this many cells was lost.
RETURN = 1.5
# How the weight of a vector falls with distance, and how many Gaussians make it up: eight widths far.
FALL = 2.5
WIDTHS = 4
# Most tiles along the longer side: bounds the work on continental grids.
MOST_TILES = 48


def track(
    before: NDArray[np.uint8], after: NDArray[np.uint8], valid: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return ``(n, 4)``: column, row and displacement (columns, rows) of what was found again.

    Parameters
    ----------
    before, after
        ``(ny, nx)`` images.
    valid
        ``(ny, nx)``, where in `before` a feature may be: away from edges that are not the weather's.
    """
    start = _features(before, valid)
    if not len(start):
        return np.empty((0, 4), "f4")
    search: dict[str, Any] = {
        "winSize": (WINDOW, WINDOW),
        "maxLevel": LEVELS,
        "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 0.03),
    }
    end, there, _ = cv2.calcOpticalFlowPyrLK(before, after, start, NEW, **search)
    again, back, _ = cv2.calcOpticalFlowPyrLK(after, before, end, NEW, **search)
    missed = np.hypot(*(again - start)[:, 0].T)
    kept = (there[:, 0] == 1) & (back[:, 0] == 1) & (missed < RETURN)
    return np.hstack([start[kept, 0], (end - start)[kept, 0]])


def _features(image: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return ``(n, 1, 2)``: the best corner of every tile that is not flat.

    A best one per tile, rather than the best of the whole image, lets weak rain be tracked beside a storm.
    """
    strength = cv2.cornerMinEigenVal(image, 5)
    strength[~valid] = 0
    tile = max(TILE, -(-max(image.shape) // MOST_TILES))
    ny, nx = (n // tile for n in image.shape)
    blocks = strength[: ny * tile, : nx * tile].reshape(ny, tile, nx, tile)
    tiles = blocks.transpose(0, 2, 1, 3).reshape(ny, nx, tile * tile)
    row, column = np.nonzero(tiles.max(axis=-1) > FLAT)
    inside = tiles[row, column].argmax(axis=-1)
    points = np.stack([column * tile + inside % tile, row * tile + inside // tile], axis=-1)
    return points.astype("f4")[:, None]


def gather(vectors: NDArray[np.float32], box: float) -> NDArray[np.float32]:
    """Drop outliers of ``(n, 4)`` or more columns, then take the median of each square of `box` cells."""
    vectors = vectors[_agree(vectors)]
    key = (vectors[:, :2] // box).astype("i8")
    order = np.lexsort((key[:, 0], key[:, 1]))
    first = np.flatnonzero(np.any(np.diff(key[order], axis=0, prepend=-1), axis=1))
    counts = np.diff(first, append=len(order))
    group = np.repeat(np.arange(len(first)), counts)
    lower, upper = first + (counts - 1) // 2, first + counts // 2
    medians = np.empty((len(first), vectors.shape[1]), "f4")
    for column, values in enumerate(vectors[order].T):
        ranked = values[np.lexsort((values, group))]
        medians[:, column] = (ranked[lower] + ranked[upper]) / 2
    return medians


def _agree(vectors: NDArray[np.float32], neighbours: int = 30, tolerance: float = 3.0) -> NDArray[np.bool_]:
    """Whether each vector is like its neighbours.

    Its distance from their median may be `tolerance` times the median distance of the neighbours themselves
    (Westerweel and Scarano 2005), which counts as at least 0.02 cells a minute: less is not resolved.
    """
    if len(vectors) < 4:
        return np.ones(len(vectors), dtype=bool)
    near = _nearest(vectors[:, :2], vectors[:, :2], min(neighbours, len(vectors) - 1) + 1)
    around = vectors[near, 2:]
    middle = np.median(around, axis=1)
    usual = np.median(np.linalg.norm(around - middle[:, None], axis=2), axis=1)
    own = np.linalg.norm(vectors[:, 2:] - middle, axis=1)
    agreed: NDArray[np.bool_] = own <= tolerance * np.maximum(usual, 0.02)
    return agreed


def spread(
    vectors: NDArray[np.float32],
    shape: tuple[int, int],
    nodes: tuple[int, int],
    width: tuple[float, float],
) -> NDArray[np.float32]:
    """Interpolate ``(n, 5)`` vectors of a grid of `shape` to the centres of ``nodes``: ``(rows, columns, 2)``.

    Weights are multiplied by a sum of Gaussians, each twice as wide as the one before: they fall with distance
    to the power of `FALL`, so that the smoothing widens where vectors are rare. A Gaussian is a product of one
    of rows and one of columns, hence a sum over all vectors is a product of two small matrices.

    Parameters
    ----------
    vectors
        Column, row, displacement (columns, rows) and weight of each; at least one.
    width
        Rows and columns of the narrowest Gaussian (its standard deviation).
    """
    row, column = ((np.arange(n) + 0.5) * size / n - 0.5 for n, size in zip(nodes, shape, strict=True))
    down = ((row[:, None] - vectors[:, 1]) / width[0]) ** 2 / -2
    across = ((vectors[:, :1] - column) / width[1]) ** 2 / -2
    weight = vectors[:, 4:5]
    parts = np.hstack([vectors[:, 2:4] * weight, weight]).T[..., None]
    # Beyond all Gaussians distance does not count.
    total = 1e-6 * parts.sum(axis=(1, 2))
    for i in range(WIDTHS):
        rows, columns = np.exp(down / 4**i), np.exp(across / 4**i)
        total = total + 2.0 ** (-FALL * i) * np.stack([rows @ (columns * part) for part in parts], axis=-1)
    field: NDArray[np.float32] = (total[..., :2] / total[..., 2:]).astype("f4")
    return field


def _nearest(at: NDArray[np.float32], points: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Return ``(len(at), count)``: which of `points` are nearest; those at equal distance by number."""
    if count >= len(points):
        return np.broadcast_to(np.arange(len(points)), (len(at), len(points)))
    found = np.empty((len(at), count), dtype=np.intp)
    order, rank = np.argsort(at[:, 1], kind="stable"), np.argsort(points[:, 1], kind="stable")
    ranked = points[rank]
    length = (ranked**2).sum(axis=1)
    # Rows over which twice as many points as are wanted lie in a square, if they lie evenly.
    reach = float(np.sqrt(2 * count / len(points)) * max(float(np.ptp(points)), 1.0))
    for start in range(0, len(at), 128):  # a block of rows needs only the points of a band of rows
        block = at[order[start : start + 128]]
        low, high = 0, len(points)
        band = reach
        while True:
            low, high = np.searchsorted(ranked[:, 1], [block[0, 1] - band, block[-1, 1] + band])
            if high - low >= count:
                # |a-b|^2 without |a|^2, which is the same for all points
                distance = length[low:high] - 2 * block @ ranked[low:high].T
                near = (
                    np.argpartition(distance, count - 1, axis=1)[:, :count]
                    if high - low > count
                    else (np.broadcast_to(np.arange(count), (len(block), count)))
                )
                farthest = np.take_along_axis(distance, near, axis=1).max(axis=1) + (block**2).sum(axis=1)
                if (low == 0 and high == len(points)) or farthest.max() <= band**2:
                    break
            band *= 2
        found[order[start : start + 128]] = rank[low + near]
    return found
