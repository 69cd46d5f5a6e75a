"""A policy on trial: it decides beside the acting one, on the same views, and nothing that it decides is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dynamo.fleet.decision import Decision, Policy
from dynamo.fleet.view import View

__all__ = ["RECORDS", "Shadow"]

#: Records of the candidate's decisions that are kept: those that would have done something.
RECORDS = 50


@dataclass(frozen=True, slots=True)
class Shadow:
    """Decides as `acting` does, and keeps what `candidate` would have done in the history and the figures.

    The candidate sees the workers that the acting policy has, so each of its decisions is what it would do next, from
    there; what would come of many in a row only a simulation can tell. One that fails is recorded, and stops nothing.
    """

    acting: Policy
    candidate: Policy

    @property
    def name(self) -> str:
        """That of the policy that acts."""
        return self.acting.name

    def decide(self, view: View, history: Mapping[str, Any]) -> Decision:
        """Return what the acting policy decides."""
        made = self.acting.decide(view, history.get("acting", {}))
        records = list(history.get("records", []))
        kept: Mapping[str, Any] = history.get("candidate", {})
        figures = dict(made.figures)
        try:
            other = self.candidate.decide(view, kept)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a candidate is no matter of the fleet
            records.append({"at": view.now, "failed": f"{type(error).__name__}: {error}"})
            figures["shadow_failed"] = 1.0
        else:
            kept = other.history
            figures |= {f"shadow_{name}": value for name, value in _figures(other, view).items()}
            if other.buys or other.releases:
                records.append(_record(other, made, view))
        ours = {"acting": dict(made.history), "candidate": dict(kept), "records": records[-RECORDS:]}
        return replace(made, figures=figures, history=ours)


def _figures(decision: Decision, view: View) -> dict[str, float]:
    cores = {offer.key: offer.cores for offer in view.offers}
    prices = {offer.key: offer.usd_per_hour for offer in view.offers}
    return {
        "target": decision.target,
        "buy_cores": float(sum(buy.count * cores.get(buy.offer, 0) for buy in decision.buys)),
        "buy_usd_per_hour": sum(buy.count * prices.get(buy.offer, 0.0) for buy in decision.buys),
        "releases": float(len(decision.releases)),
    }


def _record(decision: Decision, acting: Decision, view: View) -> dict[str, Any]:
    return {
        "at": view.now,
        "target": decision.target,
        "acting_target": acting.target,
        "buys": _counts(decision),
        "acting_buys": _counts(acting),
        "releases": len(decision.releases),
        "acting_releases": len(acting.releases),
        "reasons": list(decision.reasons[:3]),
    }


def _counts(decision: Decision) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for buy in decision.buys:
        counts[buy.offer] += buy.count
    return dict(counts)
