"""A policy on trial: it decides beside the acting one, on a fleet that is not there, and nothing of it is done."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from dynamo.fleet.decision import Decision, Policy
from dynamo.fleet.policies.named import named
from dynamo.fleet.policies.phantom import Phantom
from dynamo.fleet.policies.trial import Trial
from dynamo.fleet.view import View

__all__ = ["SHADOW", "Shadow", "beside", "said"]

#: Where in the history of the acting policy that of the candidate stands, which the acting one takes no notice of.
SHADOW = "shadow"
#: Seconds without a decision after which the trial begins anew: what was there meanwhile is not known.
_GAP = 900.0


@dataclass(frozen=True, slots=True)
class Shadow:
    """Decides as `acting` does, and keeps in the history what `candidate` would have done.

    The candidate has the real queue and workers of its own, which begin as those that there are. What it buys within
    the limits boots as long as such machines do, costs what they cost, and is let go when it says so. Whatever goes
    wrong with it is kept, and stops nothing.

    Parameters
    ----------
    acting, candidate
        Who decides, and who is on trial.
    """

    acting: Policy
    candidate: Policy

    @property
    def name(self) -> str:
        """That of the policy that acts."""
        return self.acting.name

    def decide(self, view: View, history: Mapping[str, Any]) -> Decision:
        """Return what the acting policy decides."""
        made = self.acting.decide(view, history)
        kept = _Kept.of(history.get(SHADOW), self.candidate.name, view)
        try:
            new = self._beside(view, kept)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a candidate is no matter of the fleet
            new = kept.data() | {"failed": f"{type(error).__name__}: {error}"[:500]}
        return replace(
            made, history={**made.history, SHADOW: {"name": self.candidate.name, "at": view.now, **new}}
        )

    def _beside(self, view: View, kept: _Kept) -> dict[str, Any]:
        """Return what is kept of the candidate after this decision."""
        fleet = kept.fleet.after(view)
        seen = fleet.seen(view)
        wanted = self.candidate.decide(seen, kept.history)
        if not math.isfinite(wanted.target):
            raise ValueError(f"it wants {wanted.target} cores")
        fleet, done = fleet.obey(wanted, seen)
        new = _Kept(fleet, kept.trial.after(view, seen), wanted.history).data() | {"does": _does(done, seen)}
        orjson.dumps(new)  # what cannot be kept would end the turn in which it is written down
        return new


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of a candidate from one decision to the next."""

    fleet: Phantom
    trial: Trial
    history: Mapping[str, Any]

    @classmethod
    def of(cls, data: Any, name: str, view: View) -> _Kept:
        """Return it as it was kept; a trial that begins where it is another candidate's, too old, or not understood."""
        try:
            if data["name"] == name and 0.0 <= view.now - data["at"] < _GAP:
                return cls(Phantom.restore(data["fleet"]), Trial.restore(data["trial"]), data["history"])
        except (KeyError, TypeError, ValueError):  # there was none, or another dynamo wrote it
            pass
        return cls(Phantom.like(view), Trial(view.now), {})

    def data(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"fleet": self.fleet.state(), "trial": self.trial.state(), "history": dict(self.history)}


def beside(acting: Policy, candidate: str) -> Policy:
    """Return the acting policy with a candidate in its shadow, which is written ``NAME[:SETTING=VALUE,...]``.

    Where the text is empty that is the acting policy itself. Raises `UserError` as `named` does.
    """
    return Shadow(acting, named(candidate)) if candidate else acting


def said(history: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a history what a decision tells of a trial, without the fleet that is not there: that is much."""
    kept = history.get(SHADOW)
    if not kept:
        return {}
    return {SHADOW: {key: kept[key] for key in ("name", "does", "failed") if key in kept}}


def _does(decision: Decision, seen: View) -> dict[str, Any]:
    """Return what a candidate would have done, as JSON values."""
    buys: Counter[str] = Counter()
    for buy in decision.buys:
        buys[buy.offer] += buy.count
    return {
        "cores": sum(one.cores for one in seen.workers),
        "target": decision.target,
        "buys": dict(buys),
        "releases": len(decision.releases),
        "reasons": [str(reason) for reason in decision.reasons[:3]],
    }
