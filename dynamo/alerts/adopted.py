"""Adopted: which episodes go on in another way, because their rules name other channels than before.

Who is asked for now enters; for each new way the old one whose episode it goes on with leaves. Pure; nothing can go
wrong: an episode that nobody can adopt stays what it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import TypeAlias

from dynamo.alerts.state import State

__all__ = ["Way", "adopted"]

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
