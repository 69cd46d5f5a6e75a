"""Which workers to let go when there are more than is needed: those that cost least to lose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dynamo.fleet.decision import Release
from dynamo.fleet.view import Offer, View, Worker

__all__ = ["Keep", "choose"]


@dataclass(slots=True)
class Keep:
    """Cores of speed 1 that workers of some offers must go on to have, and that they have now.

    `usable` is what one machine of an offer counts for, `needed` what is needed just now, `held` what is kept for
    a while after it was needed.
    """

    usable: Mapping[str, float]
    needed: float
    held: float
    have: float


def choose(view: View, keeps: Sequence[Keep], most: int, near: float) -> list[Release]:
    """Return whom to let go: idle ones first, then who is done soonest; of equals the dearest, then the nearest step.

    Parameters
    ----------
    view
        Nothing is released on one that is not to be trusted.
    keeps
        What must remain; what is released is taken off.
    most
        How many may go.
    near
        Seconds before its next billing step from which on a worker may go: until then it is paid anyway.
    """
    if not view.trusted:
        return []
    offers = {offer.key: offer for offer in view.offers}
    floors = _floors(view)
    gone: list[Release] = []
    for worker in sorted(_candidates(view, near), key=lambda worker: _loss(worker, offers, view.now)):
        if len(gone) >= most:
            break
        idle = view.now - worker.idle_since if worker.idle_since is not None else 0.0
        group = view.groups.get(worker.group)
        tired = group is not None and worker.busy == 0 and idle >= group.idle
        touched = [keep for keep in keeps if worker.offer in keep.usable]
        if floors[worker.group] <= 0 or any(not _spare(keep, worker, tired=tired) for keep in touched):
            continue
        floors[worker.group] -= 1
        for keep in touched:
            keep.have -= keep.usable[worker.offer]
        state = (
            f"idle for {idle:,.0f} s"
            if worker.busy == 0
            else f"done in {(worker.ends or view.now) - view.now:,.0f} s"
        )
        gone.append(Release(worker.token, f"more cores than are needed; {state}"))
    return gone


def _spare(keep: Keep, worker: Worker, *, tired: bool) -> bool:
    """Whether enough remains without a worker; one that idled for as long as its group allows is not held."""
    return (
        keep.have - keep.usable[worker.offer]
        >= (keep.needed if tired else max(keep.needed, keep.held)) - 1e-6
    )


def _floors(view: View) -> Counter[str]:
    """Return how many workers of each group may go for all that its `min` and `warm` say."""
    floors: Counter[str] = Counter()
    for worker in view.workers:
        floors[worker.group] += worker.stage == "ready"
    for name, group in view.groups.items():
        floors[name] -= max(group.min, group.warm)
    return floors


def _candidates(view: View, near: float) -> Iterator[Worker]:
    for worker in view.workers:
        if worker.stage != "ready" or worker.urgent or worker.paid_until - view.now > near:
            continue
        if worker.busy and worker.ends is None:
            continue
        yield worker


def _loss(
    worker: Worker, offers: Mapping[str, Offer], now: float
) -> tuple[bool, float, float, float, float, str]:
    offer = offers.get(worker.offer)
    price = offer.price / (offer.cores * offer.speed) if offer else 0.0
    ends = max((worker.ends or now) - now, 0.0) if worker.busy else 0.0
    tick = max(worker.paid_until - now, 0.0)
    return worker.busy > 0, -price, ends, tick, worker.idle_since or now, worker.token
