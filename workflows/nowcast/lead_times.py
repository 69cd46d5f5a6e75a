"""The lead times of a nowcast."""

from __future__ import annotations

from dynamo.workflows.checks import expect

__all__ = ["lead_times"]


def lead_times(horizon: int, step: int) -> range:
    """Return the lead times, minutes: 0 to `horizon` in steps of `step`."""
    expect(horizon >= 0, "horizon", horizon, "0 or more minutes")
    expect(step >= 1, "step", step, "1 or more minutes")
    return range(0, horizon + 1, step)
