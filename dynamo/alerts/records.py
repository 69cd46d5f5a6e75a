"""What the journal holds of alerts beside the alerts themselves, as frozen rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from dynamo.alerts.lifecycle import Judgement

__all__ = ["Clearing", "CycleRecord", "Delivery", "DeliveryState", "Lapse", "Queue", "Try"]

DeliveryState: TypeAlias = Literal["waiting", "sent", "dead", "dropped"]


@dataclass(frozen=True, slots=True)
class CycleRecord:
    """One run that was judged for one kind of hazard: its analysis time, and the share of the field that was seen."""

    run: str
    hazard: str
    feed: str
    issued: datetime
    judged: datetime
    outcome: Judgement
    known: float


@dataclass(frozen=True, slots=True)
class Clearing:
    """Why an all clear was given: so many cycles in a row held nothing of what the rules asked for.

    Parameters
    ----------
    count
        How many.
    level, lead_minutes
        From which level on, and how far ahead, the rules asked for it; None for any.
    cycles
        Those of them that are in the journal still, the first first.
    """

    count: int
    level: float | None
    lead_minutes: float | None
    cycles: tuple[CycleRecord, ...]


@dataclass(frozen=True, slots=True)
class Lapse:
    """When and why nothing more was said of an alert, without an all clear, and to which channels."""

    at: datetime
    reason: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Try:
    """One try of a delivery: when, for how many seconds, and what was answered."""

    n: int
    at: datetime
    seconds: float
    outcome: Literal["sent", "again", "refused"]
    status: int | None
    response: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert on its way through one channel: how that stands, why, and its tries, the first first."""

    id: str
    alert: str
    channel: str
    state: DeliveryState
    due: datetime
    expires: datetime
    ended: datetime | None
    reason: str
    tries: tuple[Try, ...]


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for one channel: how many deliveries, and when the oldest of their alerts was made."""

    channel: str
    waiting: int
    oldest: datetime
