"""The `trigger` section of a run file: when `dynamo watch` runs, and what it does when too much comes at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dynamo.errors import nearest
from dynamo.graph.units import format_count, parse_duration
from dynamo.runfile.faults import say
from dynamo.runfile.keys import COUNT, DURATION, KEYS, TEXT, Key, form_of, mapping
from dynamo.runfile.values import At, Read, Tell, by, count, flag, some_seconds, text_by
from dynamo.runfile.when import WhenRule, read_when
from dynamo.triggers.clock import Cron, Every, Schedule

__all__ = ["NeedRule", "TriggerRule", "choice"]

Backlog = Literal["all", "latest", "none"]
Same = Literal["first", "last", "all"]


@dataclass(frozen=True, slots=True)
class NeedRule:
    """What a window needs of one input, and whether its files start any."""

    files: int = 1
    source: str | None = None
    sources: int = 1
    quorum: int | None = None
    starts: bool = True


@dataclass(frozen=True, slots=True)
class TriggerRule:
    """What starts a run: files that arrive, joined by the time of their data, or the clock."""

    join: float = 0.0
    wait: float = 20.0
    late: float = 0.0
    needs: Mapping[str, NeedRule] = field(default_factory=dict)
    every: float | None = None
    cron: str | None = None
    zone: str = "UTC"
    same: Same = "first"
    backlog: Backlog = "latest"
    at_once: int = 2
    priority: int = 0
    stale: float = 600.0
    when: WhenRule | None = None

    @property
    def schedule(self) -> Schedule | None:
        """The clock that starts runs, where it is a clock."""
        if self.cron:
            return Cron(self.cron, self.zone)
        return Every(self.every) if self.every else None


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


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise ValueError(f"expected a whole number, not {say(value)}")
    return value


def _quorum(value: Any, at: At, tell: Tell) -> Any:
    return 0 if value == 0 and type(value) is int else count(value, at, tell)


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


def _pattern(value: str) -> None:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from None


def _needs(value: Any, at: At, tell: Tell) -> Any:
    if not isinstance(value, dict):
        tell.expected("a mapping", value, at)
        return {}
    return {name: _need(one, (*at, name), tell) for name, one in value.items()}


def _need(value: Any, at: At, tell: Tell) -> Any:
    need = mapping(NeedRule, value, at, tell)
    if need and need.quorum is not None and need.quorum > need.sources:
        tell(at, f"a quorum of {need.quorum} of {format_count(need.sources, 'source')} cannot be met")
    return need


KEYS[NeedRule] = {
    "starts": Key(
        flag,
        {"type": "boolean", "default": True},
        "Whether its files start runs; where not, a run takes what is known of it at its time.",
    ),
    "files": Key(count, {**COUNT, "default": 1}, "How many files a run needs at least."),
    "source": Key(
        text_by(_pattern),
        TEXT,
        "A regular expression whose group tells, in a file name, who made it (a radar).",
    ),
    "sources": Key(count, {**COUNT, "default": 1}, "How many sources make it complete."),
    "quorum": Key(
        _quorum,
        {"type": "integer", "minimum": 0},
        "How many sources are enough when `wait` is over, 0 where it may be absent; all by default.",
    ),
}
KEYS[TriggerRule] = {
    "join": Key(
        by(parse_duration), {**DURATION, "default": 0}, "Data times so far apart at most belong to one run."
    ),
    "wait": Key(
        by(parse_duration),
        {**DURATION, "default": "20 s"},
        "For so long is what is missing waited for, from the first file of a window on.",
    ),
    "late": Key(
        by(parse_duration),
        {**DURATION, "default": 0},
        "How much older than the newest window data may be and still be run.",
    ),
    "needs": Key(
        _needs,
        {"type": "object", "additionalProperties": form_of(NeedRule)},
        "What a run needs of each input.",
    ),
    "every": Key(by(some_seconds), TEXT, "Run by the clock, in such steps of the day, not when files come."),
    "cron": Key(text_by(_cron), TEXT, "Run by the clock, at times like '*/5 * * * *'."),
    "zone": Key(text_by(_zone), {**TEXT, "default": "UTC"}, "The time zone of the clock."),
    "same": Key(
        choice("first", "last", "all"),
        {"enum": ["first", "last", "all"], "default": "first"},
        "Which of two files counts that are of one input, source and time.",
    ),
    "backlog": Key(
        choice("all", "latest", "none"),
        {"enum": ["all", "latest", "none"], "default": "latest"},
        "What is run of the files that are there when a watch first begins.",
    ),
    "at_once": Key(count, {**COUNT, "default": 2}, "How many runs are under way at one time, at most."),
    "priority": Key(
        by(_integer),
        {"type": "integer", "default": 0},
        "Of run files that are watched together: those with a higher one go first.",
    ),
    "stale": Key(
        by(some_seconds),
        {**TEXT, "default": "10 min"},
        "What waits and is so much older than the newest data is passed over.",
    ),
    "when": Key(
        read_when, form_of(WhenRule), "Run only while another run file's products show such weather."
    ),
}
