"""The people that a run file names: its subscribers, with the rules that the run file gives to the others."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from dynamo.alerts.subscriber import Rule, Subscribers
from dynamo.alerts.subscribers_file import read_subscribers
from dynamo.errors import UserError, nearest
from dynamo.runfile.alerts import AlertsRule
from dynamo.runfile.paths import under

__all__ = ["read_people"]


def read_people(alerts: AlertsRule, base: Path, channels: Collection[str]) -> tuple[Subscribers, list[str]]:
    """Return the subscribers of a run file in the folder `base`, and the lines that were left out, in words.

    Raises
    ------
    UserError
        A file cannot be read or has lines that are wrong (unless these are to be skipped); a channel is not there.
    """
    rules = [
        Rule(r.hazard, r.level, r.within, r.lead / 60 if r.lead is not None else float("inf"), to)
        for r in alerts.rules
        for to in r.to or [""]
    ]
    path = under(base, alerts.subscribers)
    people, faults = read_subscribers(path, rules, strict=alerts.faults == "refuse")
    for name in sorted({*people.channels, *(rule.channel for rule in rules)} - {"", *channels}):
        raise UserError(
            f"subscribers ask for the channel {name!r}, which the run file does not have{nearest(name, channels)}"
        )
    return people, [f"{path}:{fault}" for fault in faults]
