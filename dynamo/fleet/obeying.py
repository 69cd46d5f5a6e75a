"""What a fleet does whatever its policy says: budgets and bounds hold, and groups that are no more are let go."""

from __future__ import annotations

from dynamo.fleet import guard
from dynamo.fleet.decision import Release
from dynamo.fleet.roster import Roster
from dynamo.fleet.slice import Slice
from dynamo.fleet.view import Limits

__all__ = ["obey"]


def obey(roster: Roster, slice_: Slice, limits: Limits, now: float, *, ahead: float, trusted: bool) -> None:
    """Let go who has no place any more.

    Parameters
    ----------
    limits
        Of the slice, with what was spent today.
    ahead
        Seconds within which the budget of a day must not be used up, or machines are taken away at once.
    trusted
        Whether the pool answers: only then are workers let go that exceed other bounds.
    """
    at_once = {one.token for one in guard.must_go(roster.all, limits, now, ahead, roster.day)}
    for one in roster.live:
        if one.token in at_once and one.stage != "stopping":
            roster.put([one.step("stopping", now, "the budget of the day is used up")])
    roster.release(guard.must_go(roster.all, limits, now, guard.AHEAD + ahead, roster.day), now)
    orphans = [one for one in roster.live if one.group not in slice_.nodes]
    roster.release([Release(one.token, "the slice has no such node group any more") for one in orphans], now)
    most = {name: group.most for name, group in slice_.nodes.items()}
    over = guard.over_limits(roster.live, most, limits)
    roster.release(guard.allowed_releases(over, roster.live, {}, now, trusted=trusted), now)
    roster.drain_again(now)
