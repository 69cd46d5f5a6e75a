"""How well supply followed demand of late: the figures of the simulator, from rows of the journal. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dynamo.fleet.simulator import elasticity
from dynamo.fleet.simulator.curve import Curve

__all__ = ["elasticity_of"]


def elasticity_of(rows: Sequence[Mapping[str, Any]], now: float, most: float) -> dict[str, float]:
    """Return ``theta_u``, ``theta_o``, ``tau_u`` and ``tau_o`` in per cent; empty where nothing is known.

    Parameters
    ----------
    rows
        How the fleet stood, the oldest first: `at`, `demand` and `supply`. Each holds until the next.
    now
        Until when the last one holds.
    most
        Seconds that a row holds at most: while no controller was at work nobody knows how it stood, and that time is
        left out.
    """
    known = [row for row in rows if "demand" in row and "supply" in row]
    ends = [*(float(row["at"]) for row in known[1:]), now]
    lasts = [min(max(end - row["at"], 0.0), most) for row, end in zip(known, ends, strict=False)]
    if sum(lasts) <= 0.0:
        return {}
    times = np.cumsum([0.0, *lasts])
    demand = Curve(times, np.array([row["demand"] for row in known], dtype=float))
    supply = Curve(times, np.array([row["supply"] for row in known], dtype=float))
    return {
        "theta_u": elasticity.under_provisioned(demand, supply),
        "theta_o": elasticity.over_provisioned(demand, supply),
        "tau_u": elasticity.under_timeshare(demand, supply),
        "tau_o": elasticity.over_timeshare(demand, supply),
    }
