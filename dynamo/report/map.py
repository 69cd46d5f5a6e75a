"""The map of a run: one HTML file with its frames on a time slider, hazards, subscribers, and who was alerted.

Enters: a workspace, the id of a run and, if wanted, a file of subscribers. Leaves: the file. It holds all that it
shows, and a content security policy that lets a browser fetch nothing. Goes wrong: `UserError` where the run is
not known, made nothing that goes on a map, or the file cannot be written.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import orjson

from dynamo.alerts.alert import Alert
from dynamo.alerts.words import CLASSES
from dynamo.errors import UserError
from dynamo.journal import Journal, Workspace
from dynamo.report.map_alerts import alerts_of, told
from dynamo.report.map_frames import STEP, Frame, find_frames, find_legend, published
from dynamo.report.map_people import people_of
from dynamo.report.markup import escape
from dynamo.report.outlines import Window, outlines

__all__ = ["write_map"]


def write_map(workspace: Workspace, run_id: str, path: Path, *, subscribers: Path | None = None) -> Path:
    """Write the map of a run to `path` and return that.

    ``subscribers`` is a GeoJSON or CSV file of those to show beside those who were alerted, by default that of the
    run's run file. The file appears whole. Raises `UserError` where there is no such run, nothing of it goes on a map,
    or a file cannot be read or written.
    """
    path = path.absolute()
    with Journal(workspace.journal) as journal:
        run = journal.run(run_id)
        made = published(workspace, journal, run.id)
    frames = find_frames(made)
    if not frames:
        raise UserError(
            f"run {run.id} has nothing to show on a map: expected images with their bounds (.png with .json, as "
            "`plot` of the nowcast writes them) or GeoJSON with a valid_time; its results may have been removed"
        )
    alerts = alerts_of(
        workspace.journal, run.id, run.workflow, issued=frames[0].valid, ended=run.ended or run.created
    )
    window = _window(frames, alerts)
    shown_people = people_of(subscribers, run.settings, window)
    units = next((frame.units for frame in frames if frame.units), "")
    hazard = next((frame.hazard for frame in frames if frame.hazard), "")
    shown = {
        "run": run.id,
        "workflow": run.workflow,
        "step": STEP,
        "units": units,
        "classes": [] if units not in {"", "1"} else CLASSES.get(hazard, []),
        "frames": [frame.to_json() for frame in frames],
        "legend": find_legend(made, frames),
        "base": outlines(window),
        "people": shown_people.people,
        "more": shown_people.more,
        "alerts": [told(alert) for alert in alerts],
    }
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(render(shown), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise UserError(f"cannot write the map {path}: {error.strerror}") from error
    return path


def render(shown: Mapping[str, Any]) -> str:
    """Return the page of what is shown; any text in it stays text."""
    package = files("dynamo.report")

    def read(name: str) -> str:
        return (package / name).read_text(encoding="utf-8")

    scripts = {"leaflet": read("vendor/leaflet.js"), "script": read("map.js")}
    hashes = (base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts.values())
    # A browser ends a script at "</script", also within JSON, and "<!--" changes how it reads on.
    data = orjson.dumps(shown).decode().replace("<", "\\u003c")
    return Template(read("map.html")).substitute(
        scripts,
        title=escape(f"Map of {shown['run']}"),
        style=read("vendor/leaflet.css") + read("map.css"),
        data=data,
        allowed=" ".join(f"'sha256-{digest}'" for digest in hashes),
    )


def _window(frames: Iterable[Frame], alerts: Iterable[Alert]) -> Window:
    """Return what the frames and alerts cover, with as much again around."""
    boxes = [frame.bounds for frame in frames if frame.bounds]
    boxes += [(alert.lon, alert.lat, alert.lon, alert.lat) for alert in alerts]
    if not boxes:
        return (-180.0, -90.0, 180.0, 90.0)
    west, south = min(box[0] for box in boxes), min(box[1] for box in boxes)
    east, north = max(box[2] for box in boxes), max(box[3] for box in boxes)
    wide, tall = max(east - west, 1.0), max(north - south, 1.0)
    return west - wide, south - tall, east + wide, north + tall
