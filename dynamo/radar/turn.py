"""The rays of a sweep in order around the circle, so that neighbours in an array are neighbours in the sky.

Azimuths in any order enter; places leave. Where rays lie apart, empty places stand between them: the two ends of a
sector are no neighbours, nor are the rays on both sides of lost ones. Nothing can go wrong with finite azimuths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["places", "spacing", "spread"]

# Degrees: rays nearer than the first are one, sent twice; rays further apart than the second tell nothing in between.
_SAME, _WIDEST = 0.02, 10.0


def spacing(azimuths: NDArray[np.floating]) -> float:
    """Return the usual angle from one ray to the next, degrees, of rays in any order and however often sent.

    The widest gap does not count: behind a sector, or a few rays that came through, it says nothing of the rays.
    """
    turned = np.sort(azimuths % 360)
    ahead = np.sort(np.diff(turned, append=turned[0] + 360))[:-1]
    ahead = ahead[ahead > _SAME]
    return min(float(np.median(ahead)), _WIDEST) if ahead.size else _SAME


def places(azimuths: NDArray[np.floating], most: int) -> tuple[NDArray[np.intp], NDArray[np.floating]]:
    """Return where each ray belongs, ``(nray,)``, and the azimuth at each place, degrees.

    At most `most` empty places stand between two rays; their azimuth is 0.
    """
    turned = azimuths % 360
    order = np.argsort(turned, kind="stable")
    ahead = np.diff(turned[order], append=turned[order[0]] + 360)
    empty = np.clip(np.rint(ahead / spacing(azimuths)) - 1, 0, most).astype(np.intp)
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
