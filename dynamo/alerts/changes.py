"""Changes: what an update says that the alert before it did not.

Two alerts of an episode enter, words leave. What was decided by is the most that was told before (`State`), so what
made an update is always among its changes; of a rule that asks for nearer, which no alert names, it is what remains.
Nothing can go wrong.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dynamo.alerts.alert import Alert
from dynamo.alerts.policy import Policy
from dynamo.alerts.state import km_between

__all__ = ["changes"]


def changes(before: Alert, after: Alert, policy: Policy) -> list[str]:
    """Return in words what makes an update: it is worse, sooner, here, longer or elsewhere, or was told long ago."""
    found = []
    if after.level > before.level:
        found.append(f"worse: {after.level:g} {after.units}, not {before.level:g}")
    if _is_later(before.onset, after.onset, policy.arrival_step) and _is_later(before.onset, after.issued, 0):
        found.append(f"sooner: from {_time(after.onset)} on, not {_time(before.onset)}")
    if after.inside and not before.inside:
        found.append("inside: it is to pass over the place")
    if _is_later(after.ends, before.ends, policy.ends_step):
        found.append(f"longer: until {_time(after.ends)}, not {_time(before.ends)}")
    moved = km_between((before.lon, before.lat), (after.lon, after.lat))
    if moved > policy.moved_km:
        found.append(f"moved: {moved:.1f} km from where the place was")
    if after.issued >= before.expires:
        found.append(f"expired: what was told held until {_time(before.expires)}")
    return found or ["nearer: also by a rule that asks for less distance"]


def _is_later(one: datetime | None, other: datetime | None, seconds: float) -> bool:
    """Whether one time is later than another by more than so many seconds."""
    return one is not None and other is not None and one > other + timedelta(seconds=seconds)


def _time(at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
