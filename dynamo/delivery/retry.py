"""When a delivery is tried again: pure decisions over answers, numbers of tries, times and a random number.

An answer of HTTP becomes an `Outcome`; an outcome and what happened before become a `Verdict`, of the delivery and of
its channel. Nothing can go wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal

from dynamo.delivery.channel import Outcome
from dynamo.graph.units import format_count

__all__ = ["Patience", "Verdict", "answered", "judge", "seconds_asked"]

#: Of HTTP (RFC 9110, RFC 8470, RFC 6585): the same request may succeed later. So may all of 5xx.
LATER = frozenset({408, 425, 429})
GONE = 410
#: After so many failures in a row, of one delivery or of its channel, what failed is set aside.
ENOUGH = 3


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited between tries, all in seconds.

    Parameters
    ----------
    first
        About so long after the first failure; then twice as long each time.
    most
        Never longer by ourselves.
    most_asked
        Never longer than this, whatever the other side asks for.
    all_in_all
        After so long since the first try a delivery is given up.
    """

    first: float = 1.0
    most: float = 60.0
    most_asked: float = 900.0
    all_in_all: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery, and of its channel, after a try.

    Parameters
    ----------
    state, due, reason
        Of the delivery: when it is due if it waits, Unix seconds; why it is dead.
    aside
        Others go ahead of it from now on.
    served
        What is aside had its turn with this, and the line has the next.
    failures, pause
        Of the channel: failures in a row, and until when it is left alone, Unix seconds.
    """

    state: Literal["waiting", "sent", "dead"]
    due: float = 0.0
    reason: str = ""
    aside: bool = False
    served: bool = False
    failures: int = 0
    pause: float = 0.0


def answered(status: int, text: str, *, after: float | None = None, location: str = "") -> Outcome:
    """Return what an answer of HTTP means.

    A redirect is not followed, since it could lead anywhere: whoever runs the endpoint must give its new address.

    Parameters
    ----------
    status, text
        Of HTTP, and the beginning of its body.
    after
        Seconds asked for by ``Retry-After``.
    location
        To where it redirects.
    """
    if 200 <= status < 300:
        return Outcome("sent", text, status)
    if 300 <= status < 400:
        to = f" to {location}" if location else ""
        return Outcome("refused", f"redirects{to}, which is not followed; give the new address", status)
    if status == GONE:
        return Outcome("refused", text, status, close=True)
    if status in LATER or status >= 500:
        return Outcome("again", text, status, after)
    return Outcome("refused", text, status)


def seconds_asked(header: str | None, now: float) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for (RFC 9110, 10.2.3: seconds or a date), None for none."""
    if not header:
        return None
    said = header.strip()
    if said.isascii() and said.isdigit():
        return float(said[:12])  # more is no less than too much
    try:
        at = parsedate_to_datetime(said)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)


def judge(
    outcome: Outcome,
    *,
    tries: int,
    begun: float,
    now: float,
    chance: float,
    patience: Patience,
    failures: int = 0,
    aside: bool = False,
) -> Verdict:
    """Return what becomes of a delivery, and of its channel, after a try.

    A delivery waits the longer the more often it failed, a channel the more often it failed in a row; whoever is
    asked to wait (``Retry-After``) is the channel. What is aside is known to fail, so its failures say little of the
    channel: the first after a success costs no pause, and alone they make none longer than the line has seen.

    Parameters
    ----------
    outcome
        Of this try.
    tries
        With this one.
    begun
        When the first of them was, Unix seconds.
    now
        Unix seconds.
    chance
        Random, 0 to 1: it spreads the tries of many that failed together.
    patience
        How long to wait.
    failures
        Of the channel in a row, without this one.
    aside
        Whether it is aside already.
    """
    if outcome.said == "sent":
        return Verdict("sent")
    told = f"HTTP {outcome.status} {outcome.response}" if outcome.status else outcome.response
    if outcome.said == "refused":
        return Verdict("dead", reason=f"refused: {told}".rstrip(" :"))
    asked = min(outcome.after or 0.0, patience.most_asked)
    count = failures + (not aside or failures < ENOUGH)
    due = now + max(_wait(tries, chance, patience), asked)
    rest = 0.0 if aside and failures == 0 else _wait(count, chance, patience)
    state: Literal["waiting", "dead"] = "waiting"
    why = ""
    if due - begun > patience.all_in_all:
        took = f"{format_count(tries, 'try', 'tries')} in {now - begun:.0f} s"
        state, why = "dead", f"given up after {took}: {told}".rstrip(" :")
    served = aside or tries >= ENOUGH
    return Verdict(state, due, why, served or count >= ENOUGH, served, count, now + max(rest, asked))


def _wait(failures: int, chance: float, patience: Patience) -> float:
    """Seconds after so many failures."""
    return min(patience.most, patience.first * 2.0 ** min(failures - 1, 60)) * (0.5 + chance / 2)
