"""What a policy decides: what to buy, what to let go, and why, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from dynamo.fleet.view import View

__all__ = ["Buy", "Decision", "Policy", "Release"]


@dataclass(frozen=True, slots=True)
class Buy:
    """Order `count` machines by an offer, for the reason `why`."""

    offer: str
    count: int
    why: str


@dataclass(frozen=True, slots=True)
class Release:
    """Drain the worker of an order, and then give it back; `why` says for what reason."""

    token: str
    why: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done now.

    Parameters
    ----------
    buys, releases
        The actions.
    target
        Cores that the policy wants, in all.
    reasons
        Why, in sentences; the limit that bit, if one did, is named.
    figures
        The numbers behind it, by name, for the journal and the metrics.
    history
        What the policy wants to be given the next time: plain JSON, for it is kept over a restart.
    """

    buys: tuple[Buy, ...] = ()
    releases: tuple[Release, ...] = ()
    target: float = 0.0
    reasons: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    history: Mapping[str, Any] = field(default_factory=dict)


class Policy(Protocol):
    """Decides; a pure function with settings: the same view and history give the same decision."""

    @property
    def name(self) -> str:
        """What it is called on the command line and in the journal."""

    def decide(self, view: View, history: Mapping[str, Any]) -> Decision:
        """Return what is to be done; `history` is that of the last decision, empty at first."""
