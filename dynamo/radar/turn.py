"""The rays of a sweep in order around the circle, so that neighbours in an array are neighbours in the sky.

Azimuths in any order enter; places leave. Where rays lie apart, empty places stand between them: the two ends of a
sector are no neighbours, nor are the rays on both sides of lost ones. Nothing can go wrong with finite azimuths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["places", "spread"]


def places(azimuths: NDArray[np.floating], most: int) -> tuple[NDArray[np.intp], NDArray[np.floating]]:
    """Return where each ray belongs, ``(nray,)``, and the azimuth at each place, degrees.

    At most `most` empty places stand between two rays; their azimuth is 0.
    """
    turned = azimuths % 360
    order = np.argsort(turned, kind="stable")
    ahead = np.diff(turned[order], append=turned[order[0]] + 360)
    spacing = max(float(np.median(ahead)), 0.01)  # rays may have been sent twice
    empty = np.clip(np.rint(ahead / spacing) - 1, 0, most).astype(np.intp)
    place = np.empty(order.size, dtype=np.intp)
    place[order] = np.arange(order.size) + np.cumsum(empty) - empty
    out = np.zeros(order.size + int(empty.sum()))
    out[place] = turned
    return place, out


def spread(values: NDArray[np.float32], place: NDArray[np.intp], rays: int) -> NDArray[np.float32]:
    """Return the values of rays at their places, ``(rays, ngate)``; NaN where there is no ray or no finite number."""
    out = np.full((rays, values.shape[1]), np.nan, dtype="f4")
    out[place] = values
    out[np.isinf(out)] = np.nan
    return out
