"""The `trigger` section of a run file: when `dynamo watch` runs, and what it does when too much comes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from dynamo.errors import nearest
from dynamo.graph.units import parse_seconds
from dynamo.runfile.faults import say
from dynamo.runfile.keys import COUNT, KEYS, TEXT, Key, one_of
from dynamo.runfile.values import At, Read, Tell, by, count, text_by

__all__ = ["TriggerRule", "choice"]

Backlog = Literal["all", "latest", "none"]
Same = Literal["first", "last"]


@dataclass(frozen=True, slots=True)
class TriggerRule:
    """What starts a run: files that arrive, joined by the time of their data, or the clock."""

    every: float | None = None
    cron: str | None = None
    zone: str = "UTC"
    wait: float = 20.0
    need: int | None = None
    same: Same = "first"
    backlog: Backlog = "latest"
    at_once: int = 2
    stale: float = 600.0


def choice(*known: str) -> Read:
    """Read one of a few words."""

    def read(value: Any, at: At, tell: Tell) -> Any:
        if value not in known:
            tell(
                at,
                f"expected {', '.join(map(repr, known))}, not {say(value)}{nearest(str(value), list(known))}",
            )
        return value

    return read


def _some_seconds(value: Any) -> float:
    seconds = parse_seconds(value)
    if seconds <= 0:
        raise ValueError(f"{value!r} is no time at all")
    return seconds


def _cron(value: str) -> None:
    from datetime import UTC, datetime

    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(value, datetime.now(UTC)))
    except (CronSimError, StopIteration) as error:
        raise ValueError(f"{value!r} is no cron line like '*/5 * * * *' ({error})") from None


def _zone(value: str) -> None:
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"unknown time zone {value!r}{nearest(value, available_timezones())}") from None


_SECONDS = one_of(TEXT, {"type": "number", "minimum": 0})

KEYS[TriggerRule] = {
    "every": Key(
        by(_some_seconds), _SECONDS, "One run for each such period of data, like '1 min'; else one a file."
    ),
    "cron": Key(
        text_by(_cron), TEXT, "Run at these times of the clock, like '*/5 * * * *', not when files come."
    ),
    "zone": Key(text_by(_zone), {**TEXT, "default": "UTC"}, "The time zone of `cron`."),
    "wait": Key(
        by(parse_seconds),
        {**_SECONDS, "default": "20 s"},
        "For so long are inputs waited for that are still missing, from the first of their time on.",
    ),
    "need": Key(count, COUNT, "How many files a period must have to be complete; run at once when it has."),
    "same": Key(
        choice("first", "last"),
        {"enum": ["first", "last"], "default": "first"},
        "Which of two files counts that are of one input and time.",
    ),
    "backlog": Key(
        choice("all", "latest", "none"),
        {"enum": ["all", "latest", "none"], "default": "latest"},
        "What is run of the files that are there when a watch first begins.",
    ),
    "at_once": Key(count, {**COUNT, "default": 2}, "How many runs are under way at one time, at most."),
    "stale": Key(
        by(_some_seconds),
        {**_SECONDS, "default": "10 min"},
        "What waits and is so much older than the newest data is passed over.",
    ),
}
