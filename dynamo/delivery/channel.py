"""Channel: one way to tell somebody, behind one small interface.

A user's own channel is any object like `Channel`. It may raise nothing: what happened is its `Outcome`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from dynamo.alerts.alert import Alert

__all__ = ["Channel", "Outcome", "Said"]

Said = Literal["sent", "again", "refused"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one try ended.

    Parameters
    ----------
    said
        ``sent``: it arrived. ``again``: it may arrive later. ``refused``: it never will.
    response
        The beginning of the answer, or the error, in words; no secret in it.
    status
        Of HTTP, where there was one.
    after
        Seconds that the other side asked to wait for before the next try.
    close
        The other side wants nothing any more, of no alert.
    """

    said: Said
    response: str = ""
    status: int | None = None
    after: float | None = None
    close: bool = False


class Channel(Protocol):
    """Sends alerts to one place.

    One that ends each try by itself may say after how many seconds, as an attribute ``timeout``; any other is
    interrupted by the sender.
    """

    @property
    def name(self) -> str:
        """What the run file and the journal call it."""

    async def send(self, alert: Alert, delivery: str) -> Outcome:
        """Try once to deliver `alert`; `delivery` is the id that is the same at every try."""

    async def close(self) -> None:
        """Let connections go."""
