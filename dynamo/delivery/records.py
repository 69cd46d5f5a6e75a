"""What passes between the outbox and a sender: data, nothing else; frozen, but for news, which are gathered."""

from __future__ import annotations

from dataclasses import dataclass, field

from dynamo.alerts.alert import Alert
from dynamo.delivery.channel import Outcome
from dynamo.delivery.retry import Verdict

__all__ = ["Batch", "Item", "News", "Tried"]


@dataclass(frozen=True, slots=True)
class Item:
    """One delivery whose turn it is.

    Parameters
    ----------
    seq, id
        Its place in the outbox, and its id on the wire.
    alert
        What to say.
    expires
        Not to be sent after that, Unix seconds.
    tries, begun
        How often it was tried in vain, and when first (Unix seconds; None for never).
    aside
        Whether others of its channel go ahead of it.
    """

    seq: int
    id: str
    alert: Alert
    expires: float
    tries: int
    begun: float | None
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Deliveries of one channel that a sender has leased, in order, and how often it failed in a row just now."""

    channel: str
    items: tuple[Item, ...]
    failures: int = 0

    @property
    def failing(self) -> bool:
        """Whether the last try of the channel failed."""
        return self.failures > 0


@dataclass(frozen=True, slots=True)
class Tried:
    """One try: of which delivery, when (Unix seconds), how long it took, how it ended, what becomes of it."""

    channel: str
    seq: int
    at: float
    seconds: float
    outcome: Outcome
    verdict: Verdict


@dataclass(slots=True)
class News:
    """What the journal is to be told: tries, and channels that are given back."""

    tried: list[Tried] = field(default_factory=list)
    released: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.tried or self.released)
