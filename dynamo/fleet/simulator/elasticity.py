"""How well the supply of cores follows the demand: the elasticity metrics of the SPEC Research Group.

After N. Herbst, R. Krebs, G. Oikonomou, G. Kousiouris, A. Evangelinou, A. Iosup, S. Kounev: "Ready for Rain? A View
from SPEC Research on the Future of Cloud Metrics" (SPEC-RG-2016-01, arXiv:1604.03470, section 4), and A. Ilyushkin,
A. Ali-Eldin, N. Herbst, A. Bauer, A. V. Papadopoulos, D. Epema, A. Iosup: "An Experimental Performance Evaluation of
Autoscalers for Complex Workflows" (ACM ToMPECS 3(2), 2018, section 4) for the form that divides by the demand. With
the demand ``d``, the supply ``s`` and the length ``T`` of the time, both as curves of steps, all sums are exact.
"""

from __future__ import annotations

import numpy as np

from dynamo.fleet.simulator.curve import Curve, together

__all__ = ["instability", "over_provisioned", "over_timeshare", "under_provisioned", "under_timeshare"]


def under_provisioned(demand: Curve, supply: Curve, least: float = 1.0) -> float:
    """Return ``theta_U = (100 / T) * sum of max(d - s, 0) / max(d, least) * dt``, in per cent.

    `least` keeps a demand near nothing from weighing more than one core does.
    """
    wanted, given, lasts = together(demand, supply)
    return _percent(np.maximum(wanted - given, 0.0) / np.maximum(wanted, least), lasts)


def over_provisioned(demand: Curve, supply: Curve, least: float = 1.0) -> float:
    """Return ``theta_O = (100 / T) * sum of max(s - d, 0) / max(d, least) * dt``, in per cent."""
    wanted, given, lasts = together(demand, supply)
    return _percent(np.maximum(given - wanted, 0.0) / np.maximum(wanted, least), lasts)


def under_timeshare(demand: Curve, supply: Curve) -> float:
    """Return ``tau_U = (100 / T) * sum of [d > s] * dt``: the per cent of the time in which too little was there."""
    wanted, given, lasts = together(demand, supply)
    return _percent(wanted > given + 1e-9, lasts)


def over_timeshare(demand: Curve, supply: Curve) -> float:
    """Return ``tau_O = (100 / T) * sum of [s > d] * dt``: the per cent of the time in which too much was there."""
    wanted, given, lasts = together(demand, supply)
    return _percent(given > wanted + 1e-9, lasts)


def instability(demand: Curve, supply: Curve, step: float = 60.0) -> float:
    """Return ``upsilon = 100 / (T - t1) * sum of min(|sgn(ds) - sgn(dd)|, 1) * dt``, in per cent.

    The share of the time in which supply and demand do not change in the same direction, both read every `step`
    seconds.
    """
    times = np.arange(demand.times[0], demand.times[-1], step)
    if len(times) < 2:
        return 0.0
    wanted, given = np.diff(demand.at(times)), np.diff(supply.at(times))
    apart = np.abs(_sign(given) - _sign(wanted))
    return float(100.0 * np.mean(np.minimum(apart, 1.0)))


def _percent(values: np.ndarray, lasts: np.ndarray) -> float:
    whole = float(lasts.sum())
    return 100.0 * float(np.sum(values * lasts)) / whole if whole else 0.0


def _sign(values: np.ndarray) -> np.ndarray:
    return np.sign(np.where(np.abs(values) < 1e-9, 0.0, values))
