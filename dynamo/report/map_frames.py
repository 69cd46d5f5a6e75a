"""What a map shows of a run, by valid time: images with where they lie, and polygons; out of the store.

A file of `dynamo.radar.image.write_bounds` says that an image goes on a map, and where. Files of other kinds are
passed over, as are those of an old run whose results were removed.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from dynamo.journal import Journal, Workspace
from dynamo.worker.store import stored_path

__all__ = ["Frame", "find_frames", "find_legend", "published"]

#: Bytes of images and polygons in one map, about; beyond, only every other frame is shown, or every third ...
TOGETHER = 40_000_000
#: A file larger than this says not where an image lies.
_SIDECAR = 20_000
#: Coordinates are told in steps of this many degrees, 11 m.
STEP = 1e-4


@dataclass(slots=True)
class Frame:
    """One valid time (RFC 3339): minutes of lead, what its levels are of, its image with name and bounds, polygons."""

    valid: str
    lead: float
    hazard: str = ""
    units: str = ""
    name: str = ""
    image: str = ""
    bounds: tuple[float, float, float, float] | None = None
    polygons: list[str] = field(default_factory=list)

    def size(self) -> int:
        """Return about how many bytes it takes in the map."""
        image = Path(self.image).stat().st_size * 4 // 3 if self.image else 0
        return image + sum(Path(path).stat().st_size for path in self.polygons) // 3

    def to_json(self) -> dict[str, Any]:
        """Return it for the page: the image as a data URL, rings of each level as steps from point to point."""
        image = base64.b64encode(Path(self.image).read_bytes()).decode() if self.image else ""
        return {
            "valid": self.valid,
            "lead": self.lead,
            "image": image and f"data:image/png;base64,{image}",
            "bounds": self.bounds,
            "bands": _bands(self.polygons),
        }


def published(workspace: Workspace, journal: Journal, run: str) -> dict[str, tuple[str, int]]:
    """Return the files that the tasks of a run made: name to path in the store and size."""
    found: dict[str, tuple[str, int]] = {}
    for task in journal.tasks(run).values():
        result = journal.result(task.key) if task.key and task.state in ("done", "reused") else None
        for name, made in result.made.items() if result else ():
            path = stored_path(workspace.store, made.digest)
            if Path(path).is_file():
                found[name] = (path, made.size)
    return found


def find_frames(made: dict[str, tuple[str, int]]) -> list[Frame]:
    """Return the frames of a run in the order of time, thinned out evenly where all would be too large."""
    frames: dict[str, Frame] = {}
    for name, (path, size) in made.items():
        said = _json(path) if name.endswith(".json") and size < _SIDECAR else None
        if said and _is_bounds(said) and said["image"] in made:
            frame = frames.setdefault(
                said["valid_time"], Frame(said["valid_time"], float(said["lead_minutes"]))
            )
            if not frame.image:
                frame.name, frame.bounds = said["image"], tuple(said["bounds"])
                frame.image = made[frame.name][0]
    for name, (path, _) in made.items():
        said = _json(path) if name.endswith(".geojson") else None
        if said and isinstance(said.get("valid_time"), str) and isinstance(said.get("features"), list):
            lead = said.get("lead_minutes")
            frame = frames.setdefault(said["valid_time"], Frame(said["valid_time"], float(lead or 0)))
            frame.polygons.append(path)
            frame.units = frame.units or str(said.get("units") or "")
            frame.hazard = frame.hazard or str(said.get("hazard") or "")
    found = sorted(frames.values(), key=lambda frame: frame.valid)
    step = max(-(-sum(frame.size() for frame in found) // TOGETHER), 1)
    return found[::step]


def find_legend(made: dict[str, tuple[str, int]], frames: list[Frame]) -> str:
    """Return the legend of the images as a data URL, empty where there is none.

    Where a run has several, each bears the name of its image.
    """
    of_image = f"legend_{next((frame.name for frame in frames if frame.name), '')}"
    path, size = made.get("legend.png", made.get(of_image, ("", 0)))
    if not path or size > 200_000:
        return ""
    return f"data:image/png;base64,{base64.b64encode(Path(path).read_bytes()).decode()}"


def _json(path: str) -> dict[str, Any] | None:
    try:
        said = orjson.loads(Path(path).read_bytes())
    except orjson.JSONDecodeError:
        return None
    return said if isinstance(said, dict) else None


def _is_bounds(said: dict[str, Any]) -> bool:
    return {"image", "bounds", "valid_time", "lead_minutes"} <= said.keys() and str(said["image"]).endswith(
        ".png"
    )


def _bands(paths: list[str]) -> list[dict[str, Any]]:
    bands: dict[float, list[list[int]]] = {}
    for path in paths:
        for feature in (_json(path) or {})["features"]:
            geometry = (feature or {}).get("geometry") or {}
            if geometry.get("type") in ("Polygon", "MultiPolygon"):
                level = float((feature.get("properties") or {}).get("level", 0))
                bands.setdefault(level, []).extend(_rings(geometry))
    return [{"level": level, "rings": bands[level]} for level in sorted(bands)]


def _rings(geometry: dict[str, Any]) -> Iterator[list[int]]:
    many = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    for polygon in many:
        for ring in polygon:
            points = np.rint(np.array(ring)[:, :2] / STEP).astype("i8")
            steps = np.diff(points, axis=0, prepend=0)
            yield steps[steps.any(axis=1)].ravel().tolist()
