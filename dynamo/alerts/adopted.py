"""Adopted: what is under way, by the ways of now, where rules name other channels than before.

A channel that was told goes on with its episode, whether its rules name it or mean all channels together. So an
episode of several channels is taken apart when rules name one of them, or the run file has one no more, and one of a
single channel stays one when rules mean all: until it is over, the rule for all is one for each channel. Pure; nothing
can go wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias, TypeVar

from dynamo.alerts.state import State

__all__ = ["Way", "apart", "dealt", "inherited"]

#: A subscriber, and the channel that his rules name; empty where they name none.
Way: TypeAlias = tuple[str, str]
T = TypeVar("T")


def apart(states: Mapping[Way, State], channels: Collection[str]) -> frozenset[str]:
    """Return the subscribers of whom not just all of `channels`, the feed's, stand together."""
    every = frozenset(channels)
    return frozenset(
        name for (name, way), state in states.items() if way or every != frozenset(state.channels)
    )


def dealt(
    by_way: Mapping[Way, T], names: Collection[str], channels: Collection[str], on: Callable[[T, str], T]
) -> dict[Way, T]:
    """Return the same, where for the subscribers of these names what is for all channels is for each.

    `on` makes one for a channel of one for all.
    """
    if not names:
        return dict(by_way)
    found: dict[Way, T] = {}
    for (name, way), one in by_way.items():
        if way or name not in names:
            found[name, way] = one
        else:
            found.update({(name, channel): on(one, channel) for channel in channels})
    return found


def inherited(
    states: Mapping[Way, State], ways: Collection[Way], branch: Callable[[Way], str]
) -> dict[Way, State]:
    """Return all that is under way by the ways of now.

    Parameters
    ----------
    states
        All that is under way.
    ways
        Those that are asked for or met now.
    branch
        Returns the id of a branch that begins now.
    """
    after = dict(states)
    named = {name for name, way in (*states, *ways) if way}
    for (name, old), state in states.items():
        if name not in named:
            continue
        leaving = [
            one for one in state.channels if one != old and ((name, one) in ways or (name, one) in states)
        ]
        if not leaving:
            continue
        rest = [one for one in state.channels if one not in leaving]
        new = [one for one in leaving if (name, one) not in after]
        for n, one in enumerate(new):
            own = state._replace(channels=[one])
            if rest or n:  # else all of it goes on there
                own = own._replace(branch=branch((name, one)), branched=len(state.sent))
            after[name, one] = own
        if rest:
            after[name, old] = state._replace(channels=rest)
        else:
            del after[name, old]
    return after
