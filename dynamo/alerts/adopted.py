"""Adopted: which episodes go on in another way, because their rules name other channels than before.

What is under way and who is asked for now enter; what is under way by the ways of now leaves. Pure; nothing can go
wrong: an episode that nobody can adopt stays what it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import TypeAlias

from dynamo.alerts.state import State

__all__ = ["Way", "adopted", "inherited"]

#: A subscriber, and the channel that his rules name; empty where they name none.
Way: TypeAlias = tuple[str, str]


def adopted(states: Mapping[Way, State], gone: Collection[Way], asked: Collection[Way]) -> dict[Way, Way]:
    """Return by new way the old one whose episode it takes over, each once.

    Parameters
    ----------
    states
        All that is under way.
    gone
        Those of them that are not asked for any more.
    asked
        What their subscribers ask for now.
    """
    new: dict[str, list[str]] = defaultdict(list)
    for subscriber, way in asked if gone else ():
        if (subscriber, way) not in states:
            new[subscriber].append(way)
    found: dict[Way, Way] = {}
    for subscriber, old in gone:
        told = states[subscriber, old].channels
        for way in new[subscriber]:
            if (subscriber, way) not in found and (not way or way in told):
                found[subscriber, way] = (subscriber, old)
                break
    return found


def inherited(
    states: Mapping[Way, State], gone: Collection[Way], asked: Collection[Way], met: Collection[Way]
) -> dict[Way, State]:
    """Return all that is under way by the ways of now; `met` are those with a match.

    A way that takes over an episode also keeps the other channels that were told, for the all clear: as long as rules
    name them, and until they have an episode of their own.
    """
    after = dict(states)
    for new, old in adopted(states, gone, asked).items():
        subscriber, way = new
        state = after.pop(old)
        kept = [name for name in state.channels if not way or name == way or (subscriber, name) in asked]
        after[new] = state._replace(channels=kept)
    for (subscriber, way), state in after.items():
        if way and len(state.channels) > 1:
            own = {
                name for name in state.channels if (subscriber, name) in after or (subscriber, name) in met
            }
            if own - {way}:
                kept = [name for name in state.channels if name == way or name not in own]
                after[subscriber, way] = state._replace(channels=kept)
    return after
