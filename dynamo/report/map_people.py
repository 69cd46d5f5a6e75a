"""Who asked to be told: the subscribers of a run's run file, or of another file, as far as a map can show them.

Goes wrong: a file that was asked for and cannot be used (`UserError`); that of a run file is passed over, and told.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynamo.alerts.subscriber import Rule, Subscribers
from dynamo.alerts.subscribers_file import read_subscribers
from dynamo.errors import UserError
from dynamo.report.outlines import Window
from dynamo.runfile.draft import load
from dynamo.runfile.paths import under

__all__ = ["Shown", "people_of"]

log = logging.getLogger(__name__)

#: Subscribers on one map at most: each is a mark that a browser draws.
MOST = 5_000


@dataclass(frozen=True, slots=True)
class Shown:
    """Those who are shown (``id``, ``lon``, ``lat``), and how many more there are within the map."""

    people: list[dict[str, Any]]
    more: int = 0


def people_of(path: Path | None, settings: Mapping[str, Any], window: Window) -> Shown:
    """Return who is within a window: of the file `path`, else of the run file that the settings of a run name.

    Of very many, some evenly out of all. Raises `UserError` where `path` cannot be used or has rows that are wrong.
    """
    if path is not None:
        return _within(_read(path, strict=True), window)
    if not (runfile := settings.get("runfile")):
        return Shown([])
    try:
        alerts = load(runfile).alerts
        if alerts is None:
            return Shown([])
        return _within(_read(under(Path(runfile).parent, alerts.subscribers), strict=False), window)
    except UserError as error:
        log.warning("subscribers are not shown: %s", error)
        return Shown([])


def _read(path: Path, *, strict: bool) -> Subscribers:
    # Where they are does not depend on what they ask for.
    return read_subscribers(path, [Rule()], strict=strict)[0]


def _within(known: Subscribers, window: Window) -> Shown:
    west, south, east, north = window
    inside = (known.lon >= west) & (known.lon <= east) & (known.lat >= south) & (known.lat <= north)
    rows = inside.nonzero()[0]
    chosen = rows[:: -(-len(rows) // MOST) or 1].tolist()
    people = [
        {"id": str(known.ids[row]), "lon": float(known.lon[row]), "lat": float(known.lat[row])}
        for row in chosen
    ]
    return Shown(people, len(rows) - len(chosen))
