"""Lattice: the edges of a polygon and many places in, bounds on their distances out; few distances are measured.

The square of the distance to a set of points, less that of the distance to any fixed point, is the least of linear
functions, so it is concave: between the corners of a square it is at least what they give by interpolation. Of
the distance itself that leaves ``h^2 / 4d`` at most, for a square of side `h` that is `d` away. And a place is no
farther than the point that is nearest to a corner. Nothing can go wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.alerts.edges import Edges

__all__ = ["bounds"]

# Places to a square, were they spread evenly.
_CROWD = 20
# Share of a square's side that rounding may be wrong by.
_ROUNDED = 1e-6


def bounds(edges: Edges, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return how far each place is from the nearest edge at least and at most, in metres of the plane."""
    u, v = x - x.min(), y - y.min()
    side = max(
        float(np.sqrt(u.max() * v.max() * _CROWD / len(x))), float(max(u.max(), v.max())) / len(x), 1.0
    )
    u /= side
    v /= side
    column, row = u.astype(np.intp), v.astype(np.intp)
    u -= column
    v -= row
    shape = (int(row.max()) + 2, int(column.max()) + 2)
    at = row * shape[1] + column
    square, end_x, end_y = _corners(edges, at, shape, (x.min(), y.min()), side)
    low = (square[at] * (1 - u) + square[at + 1] * u) * (1 - v)
    at += shape[1]
    low += (square[at] * (1 - u) + square[at + 1] * u) * v
    low -= (u * (1 - u) + v * (1 - v)) * side**2
    low = np.maximum(np.sqrt(np.maximum(low, 0.0)) - _ROUNDED * side, 0.0)
    at += u > 0.5
    at -= (v <= 0.5) * shape[1]
    return low, np.hypot(x - end_x[at], y - end_y[at]) + _ROUNDED * side


def _corners(
    edges: Edges, at: NDArray[np.intp], shape: tuple[int, int], corner: tuple[float, float], side: float
) -> NDArray[Any]:
    """Return the squared distances of the corners of all squares in use, and x and y of their nearest points."""
    used = np.zeros(shape, bool)
    used.ravel()[at] = True
    used[:, 1:] |= used[:, :-1].copy()
    used[1:] |= used[:-1].copy()
    row, column = used.nonzero()
    found = np.zeros((3, used.size))
    far, end_x, end_y = edges.nearest(corner[0] + column * side, corner[1] + row * side)
    found[:, row * shape[1] + column] = far**2, end_x, end_y
    return found
