"""A decision in words, for ``dynamo fleet explain``: what was seen, what was done, and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from dynamo.fleet.decision import Decision
from dynamo.fleet.policies.shadow import SHADOW
from dynamo.fleet.view import Load, View

__all__ = ["explain"]

_SHOWN = 8  # lines of one kind


def explain(decision: Decision, view: View) -> str:
    """Return what a policy decided on a view, as lines of plain sentences."""
    return "\n".join(_lines(decision, view))


def _lines(decision: Decision, view: View) -> Iterator[str]:
    yield from _queue(view)
    yield from _forecast(view)
    yield from _workers(view)
    yield f"Wanted: {_number(decision.target)} cores of speed 1."
    yield from (f"Why: {reason}" for reason in decision.reasons)
    for buy in decision.buys:
        said = any(reason.startswith(buy.why) for reason in decision.reasons)
        yield f"Buy {buy.count} x {buy.offer}{'.' if said else f': {buy.why}'}"
    gone = Counter(release.why for release in decision.releases)
    yield from (f"Let {count} go: {why}" for why, count in gone.most_common(_SHOWN))
    if not decision.buys and not decision.releases:
        yield "Nothing is bought, and nothing is let go."
    yield from _limits(view)
    yield from _trial(decision)
    figures = [f"{name} {_number(value)}" for name, value in sorted(decision.figures.items()) if value]
    if figures:
        yield f"Figures: {', '.join(figures)}."


def _trial(decision: Decision) -> Iterator[str]:
    """Yield what a policy on trial would have done then, with a fleet of its own."""
    shadow = decision.history.get(SHADOW)
    if not shadow:
        return
    if shadow.get("failed"):
        yield f"On trial, {shadow['name']} failed: {shadow['failed']}. Nothing else comes of it."
        return
    does = shadow["does"]
    done = [f"buy {count:,} x {offer}" for offer, count in does["buys"].items()]
    done += [f"let {does['releases']:,} go"] if does["releases"] else []
    said = (
        f"{' and '.join(done) or 'do nothing'}{': ' if does['reasons'] else '.'}{'; '.join(does['reasons'])}"
    )
    own = f" with {_number(does['cores'])} cores of its own" if "cores" in does else ""  # of an older dynamo
    yield f"On trial, {shadow['name']}{own} wants {_number(does['target'])}, and would {said}"


def _queue(view: View) -> Iterator[str]:
    if not view.trusted:
        yield "The queue and the pool were not both seen just now: nothing is let go."
    if not view.loads:
        yield "The queue is empty."
    loads = sorted(view.loads, key=lambda load: load.due)
    yield from (f"Queue: {_load(load, view.now)}" for load in loads[:_SHOWN])
    rest: Sequence[Load] = loads[_SHOWN:]
    if rest:
        jobs = sum(load.waiting + load.running for load in rest)
        yield f"Queue: {jobs:,} more jobs, with {_number(sum(load.work for load in rest))} core-seconds left"


def _load(load: Load, now: float) -> str:
    if math.isinf(load.due):
        due = "without a deadline"
    elif load.due <= now:
        due = f"due {_number(now - load.due)} s ago"
    else:
        due = f"due in {_number(load.due - now)} s"
    known = "" if load.known else "; how long they take is a guess"
    return (
        f"{load.kind}: {load.waiting:,} waiting, {load.running:,} running, {due}, with {_number(load.work)} "
        f"core-seconds left ({_number(load.high)} at most, nine times in ten){known}"
    )


def _forecast(view: View) -> Iterator[str]:
    for one in view.coming[:_SHOWN]:
        why = f" ({one.why})" if one.why else ""
        yield f"Forecast: {_number(one.work)} core-seconds in {_number(max(one.at - view.now, 0.0))} s{why}"


def _workers(view: View) -> Iterator[str]:
    if not view.workers:
        yield "There are no workers."
        return
    stages = Counter(worker.stage for worker in view.workers)
    cores = sum(worker.cores for worker in view.workers)
    busy = sum(worker.busy for worker in view.workers)
    counts = ", ".join(
        f"{stages[stage]:,} {stage}" for stage in ("ready", "booting", "draining") if stages[stage]
    )
    yield f"Workers: {counts}; {busy:,} of {cores:,} cores have a job."


def _limits(view: View) -> Iterator[str]:
    limits = view.limits
    said = [
        f"{_number(value)} {unit}"
        for value, unit in (
            (limits.cores, "cores"),
            (limits.usd_per_hour, "dollars an hour"),
            (limits.usd_per_day, f"dollars a day, of which {limits.usd_today:.2f} are spent"),
        )
        if math.isfinite(value)
    ]
    if said:
        yield f"Limits: {', '.join(said)}."
    resting = [offer.key for offer in view.offers if offer.rests_until > view.now]
    if resting:
        yield f"After a refusal these are not asked for a while: {', '.join(resting)}."


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:,.2f}"
