"""Specks: gates of a sweep whose value does not go with the values around it; in compiled loops.

Values in order of azimuth enter; by how much each is off, or how many go with it, leaves. Nothing can go wrong.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.compiled import compiled, kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["departures", "support"]


@compiled
def _around(v: Any, i: int, j: int, near: Any) -> int:
    """Write the values of the 5 x 5 gates around one to `near`; return how many there are."""
    n = 0
    for di in range(-2, 3):
        row = (i + di) % v.shape[0]
        for column in range(max(j - 2, 0), min(j + 3, v.shape[1])):
            value = v[row, column]
            if not math.isnan(value):
                near[n] = value
                n += 1
    return n


@kept
def departures(v: NDArray[np.float32], apart: float, fewest: int) -> NDArray[np.float32]:
    """Return by how much the median around a gate lies above it: 0 where that is `apart` or less.

    Parameters
    ----------
    v
        ``(nray, ngate)``, NaN where there is no value; rays in order of azimuth, all around, at least 5 of them.
    apart
        Up to so much is no departure.
    fewest
        So many of the 5 x 5 gates must have a value, the gate itself counted.

    Returns
    -------
    ndarray
        ``(nray, ngate)``, NaN where there is no value or too few are around. Of an even number of values the median
        is the higher of the two in the middle.
    """
    out = np.full(v.shape, np.nan, dtype=np.float32)
    near = np.empty(25, dtype=np.float32)
    for i in range(v.shape[0]):
        for j in range(v.shape[1]):
            here = v[i, j]
            if math.isnan(here):
                continue
            n = _around(v, i, j, near)
            if n < fewest:
                continue
            low = high = 0
            for k in range(n):
                low += near[k] < here - apart
                high += near[k] > here + apart
            if low <= n // 2 and high < n - n // 2:  # the median is neither: counting is quicker than sorting
                out[i, j] = 0.0
            else:
                out[i, j] = np.sort(near[:n])[n // 2] - here
    return out


@kept
def support(v: NDArray[np.float32], apart: float) -> NDArray[np.int8]:
    """Return how many of the 5 x 5 gates around each differ from it by `apart` at most, itself counted.

    ``(nray, ngate)`` in and out; 0 where there is no value. Rays in order of azimuth, all around, at least 5 of them.
    """
    out = np.zeros(v.shape, dtype=np.int8)
    near = np.empty(25, dtype=np.float32)
    for i in range(v.shape[0]):
        for j in range(v.shape[1]):
            if not math.isnan(v[i, j]):
                n = _around(v, i, j, near)
                out[i, j] = (np.abs(near[:n] - v[i, j]) <= apart).sum()
    return out
