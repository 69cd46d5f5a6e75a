"""Attenuation: what rain on the way has taken from the beam is put back, by the phase that it has added.

In rain the attenuation is nearly proportional to specific differential phase, so that of a path is proportional to
the phase that was gathered on it: ``loss = alpha * phase`` for reflectivity and ``beta * phase`` for differential
reflectivity. The phase is made to rise along the ray first, and the loss has a cap, for hail on the way makes the
relation fail. The coefficients of a band are in its scheme, with where they come from.

Where the beam has lost so much that rain would not be seen any more, "nothing detected" is not true: such a gate
becomes missing. Nothing can go wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dynamo.compiled import kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.radar.polar import Sweep

__all__ = ["Coefficients", "corrected", "rising"]


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Of a band.

    Parameters
    ----------
    alpha, beta
        dB per degree of two-way phase, of reflectivity and of differential reflectivity.
    cap
        dB that are put back at most; behind a gate that has lost so much nothing is known where nothing is seen.
    lost, unseen
        dB and dBZ: where so much is lost, and not even rain of this reflectivity could be seen, nothing is known.
    """

    alpha: float
    beta: float
    cap: float = 30.0
    lost: float = 6.0
    unseen: float = 20.0


def corrected(sweep: Sweep, phase: NDArray[np.float32], coefficients: Coefficients) -> Sweep:
    """Return a sweep with the attenuation put back in reflectivity and differential reflectivity.

    Parameters
    ----------
    sweep
        After `dynamo.radar.quality.clean`, with reflectivity.
    phase
        ``(nray, ngate)`` degrees that the path has added, NaN where not known (`dynamo.radar.phase.propagation`).
    coefficients
        Of its band.
    """
    path = rising(phase)
    loss = np.minimum(coefficients.alpha * path, np.float32(coefficients.cap))
    moments = dict(sweep.moments)
    reflectivity = moments["reflectivity"]
    seen = _weakest_seen(reflectivity, sweep.ranges) + loss
    blind = (loss >= coefficients.cap) | ((loss >= coefficients.lost) & (seen > coefficients.unseen))
    moments["reflectivity"] = reflectivity + loss
    if "differential_reflectivity" in moments:
        share = np.float32(coefficients.beta / coefficients.alpha)
        moments["differential_reflectivity"] = moments["differential_reflectivity"] + share * loss
    return replace(sweep, moments=moments, undetect=sweep.undetect & ~blind)


def _weakest_seen(reflectivity: NDArray[np.float32], ranges: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the reflectivity in dBZ that is just seen at each range, judged by what is; it grows with range."""
    far = 20 * np.log10(np.maximum(ranges, 1.0) / 1000)
    known = (reflectivity - far)[np.isfinite(reflectivity)]
    weakest = np.percentile(known[:: max(1, known.size // 20000)], 1) if known.size else -np.inf
    return np.asarray(weakest + far, dtype="f4")


@kept
def rising(phase: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the phase that rises along each ray and is nearest to the given one, by least squares; none is below 0.

    Neighbours that fall are replaced by their mean until none do (pool adjacent violators: Barlow et al. 1972,
    Statistical Inference under Order Restrictions). Between gates that are known, the one before holds.

    Parameters
    ----------
    phase
        ``(nray, ngate)`` degrees, NaN where not known.
    """
    rays, gates = phase.shape
    out = np.zeros((rays, gates), dtype=np.float32)
    means, counts, ends = np.empty(gates), np.empty(gates), np.empty(gates, dtype=np.int64)
    for ray in range(rays):
        pools = 0
        for gate in range(gates):
            if not np.isfinite(phase[ray, gate]):
                continue
            means[pools], counts[pools], ends[pools] = phase[ray, gate], 1.0, gate
            while pools > 0 and means[pools - 1] >= means[pools]:
                both = counts[pools - 1] + counts[pools]
                means[pools - 1] = (
                    means[pools - 1] * counts[pools - 1] + means[pools] * counts[pools]
                ) / both
                counts[pools - 1], ends[pools - 1] = both, ends[pools]
                pools -= 1
            pools += 1
        pool, level = 0, 0.0
        for gate in range(gates):
            while pool < pools and gate > ends[pool]:
                pool += 1
            if pool < pools and np.isfinite(phase[ray, gate]):
                level = max(0.0, means[pool])
            out[ray, gate] = level
    return out
