"""The life of a worker: from the wish for a machine to its end, and how long each part of it may take.

::

    requested -> booting -> joined -> draining -> stopping -> gone

Any but the last may go to stopping at once, and to gone when the machine is there no more. One that was believed to be
gone and is listed again goes back to joined where the pool hears of it, to booting where it may still join, else to
stopping.

Pure: what happens next is decided in `dynamo.fleet.settle`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dynamo.errors import InternalError

__all__ = ["LIVE", "TRANSITIONS", "LifeStage", "Patience", "check_step", "lasting"]

#: Ordered, and no answer yet; made, and on its way up; heard of in the pool; takes no new job; being taken away; gone.
LifeStage: TypeAlias = Literal["requested", "booting", "joined", "draining", "stopping", "gone"]

TRANSITIONS: dict[LifeStage, frozenset[LifeStage]] = {
    "requested": frozenset({"booting", "joined", "stopping", "gone"}),
    "booting": frozenset({"joined", "stopping", "gone"}),
    "joined": frozenset({"draining", "stopping", "gone"}),
    "draining": frozenset({"stopping", "gone"}),
    "stopping": frozenset({"gone"}),
    # A machine that was believed to be gone, and is listed again.
    "gone": frozenset({"booting", "joined", "stopping"}),
}
#: Stages in which a machine may cost money.
LIVE: frozenset[LifeStage] = frozenset({"requested", "booting", "joined", "draining", "stopping"})


@dataclass(frozen=True, slots=True)
class Patience:
    """For how many seconds something must be so before it is believed or acted on.

    Parameters
    ----------
    requested
        An order whose outcome is unknown, and no listing has its machine.
    booting
        A machine that has not joined the pool, where nothing was learned yet of how long those of its offer take.
    missing, many_missing
        A machine that no listing has: one or two of a provider, or more than half of them; where the pool does not know
        most of its own any more either, two are many.
    believed
        One that is gone without having been taken away: if it is listed again, it goes on as it was.
    said
        One that is missing, and of which the pool still knows: longer than workers take to say that they are there.
    unheard
        A worker that the pool does not hear of; above the time after which it ends itself.
    unheard_queue
        An access point likewise: its queue is lost with it.
    ghost
        A machine that the journal does not know, before it is adopted or taken away.
    draining
        A worker that takes no new job, until it is taken away with those it has.
    again
        A machine that is being taken away and is still listed, until that is asked for again.
    """

    requested: float = 120.0
    booting: float = 900.0
    missing: float = 30.0
    many_missing: float = 300.0
    believed: float = 900.0
    said: float = 90.0
    unheard: float = 720.0
    unheard_queue: float = 3600.0
    ghost: float = 120.0
    draining: float = 3600.0
    again: float = 60.0


def lasting(lifetime: float, token: str) -> float:
    """Return the seconds that the worker of an order lives: nine tenths of its lifetime at least, by its token.

    Those that were bought in one burst do not end in one minute then.

    >>> [round(lasting(1000.0, token)) for token in ("one", "other", "one")]
    [946, 985, 946]
    """
    share = int.from_bytes(hashlib.sha256(token.encode()).digest()[:4]) / 2**32
    return lifetime * (0.9 + 0.1 * share)


def check_step(one: LifeStage, other: LifeStage) -> None:
    """Raise `InternalError` where a worker cannot come from one stage to the other."""
    if other not in TRANSITIONS[one]:
        raise InternalError(f"a worker that is {one} cannot become {other}")
