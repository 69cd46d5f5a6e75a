"""The people that a run file names: its subscribers, with the rules that the run file gives to the others."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

from dynamo.alerts.subscriber import Rule, Subscribers
from dynamo.alerts.subscribers_file import read_subscribers
from dynamo.errors import DynamoError, UserError, nearest
from dynamo.runfile.alerts import AlertsRule
from dynamo.runfile.paths import under

__all__ = ["People", "read_people"]

log = logging.getLogger(__name__)


class People:
    """The subscribers of a watched run file: read when it begins, and again when their file has changed.

    So somebody who moves, comes or goes is minded from the next cycle on, by a new file in place of the old one.

    Raises
    ------
    UserError
        As `read_people`; later, what is wrong is told and those known before stay.
    """

    def __init__(self, alerts: AlertsRule, base: Path, channels: Collection[str]) -> None:
        self._alerts, self._base, self._channels = alerts, base, channels
        self._path = under(base, alerts.subscribers)
        self._state = self._look()
        self._known = self._read()

    def now(self) -> Subscribers:
        """Return those who are to be told now."""
        state = self._look()
        if state != self._state:
            self._state = state
            try:
                self._known = self._read()
                log.info("read %s anew: %d subscribers", self._path, len(self._known))
            except DynamoError as error:
                log.error("subscribers stay as they were: %s", error)  # noqa: TRY400 - the user's fault, not ours
        return self._known

    def _look(self) -> tuple[int, int, int] | None:
        try:
            state = self._path.stat()
        except OSError:
            return None
        return state.st_ino, state.st_size, state.st_mtime_ns

    def _read(self) -> Subscribers:
        known, faults = read_people(self._alerts, self._base, self._channels)
        for fault in faults:
            log.warning("left out: %s", fault)
        return known


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
