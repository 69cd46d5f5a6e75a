"""Outlines of countries, states and counties for maps: a window enters, lines near it leave.

From the packaged editions of us-atlas (US Census Bureau) and world-atlas (Natural Earth); both are TopoJSON
(github.com/topojson/topojson-specification): lines ("arcs") of steps on a grid, which borders share. Nothing can
go wrong with files that came with the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import numpy as np
import orjson

__all__ = ["Window", "outlines"]

#: West, south, east and north, degrees.
Window = tuple[float, float, float, float]

_UNITED_STATES = "840"  # drawn from the finer of the two sets


def outlines(window: Window) -> dict[str, list[list[list[float]]]]:
    """Return the lines that touch a window, ``[[lat, lon], ...]`` each, by ``country``, ``state`` and ``county``."""
    found: dict[str, list[list[list[float]]]] = {"country": [], "state": [], "county": []}
    states = _read("us-counties-10m.json")
    kinds = dict.fromkeys(_arcs(states["objects"]["counties"]), "county")
    kinds |= dict.fromkeys(_arcs(states["objects"]["states"]), "state")
    kinds |= dict.fromkeys(_arcs(states["objects"]["nation"]), "country")
    world = _read("world-countries-50m.json")
    countries = world["objects"]["countries"]["geometries"]
    inside = {i for g in countries if g.get("id") == _UNITED_STATES for i in _arcs(g)}
    others = dict.fromkeys((i for g in countries for i in _arcs(g) if i not in inside), "country")
    for atlas, chosen in ((states, kinds), (world, others)):
        for index, kind in chosen.items():
            if line := _line(atlas, index, window):
                found[kind].append(line)
    return found


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads((files("dynamo.report") / "vendor" / name).read_bytes())
    return content


def _arcs(node: Any) -> Iterator[int]:
    """Return which arcs a geometry has; one that is run backwards is given as its complement."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, int):
            yield one if one >= 0 else ~one
        elif isinstance(one, list):
            waiting += one
        else:
            waiting += one.get("arcs", one.get("geometries", []))


def _line(atlas: dict[str, Any], index: int, window: Window) -> list[list[float]]:
    transform = atlas["transform"]
    steps = np.cumsum(np.array(atlas["arcs"][index], "f8"), axis=0)
    line = steps * transform["scale"] + transform["translate"]
    low, high = line.min(axis=0), line.max(axis=0)
    if low[0] > window[2] or high[0] < window[0] or low[1] > window[3] or high[1] < window[1]:
        return []
    said: list[list[float]] = line[:, ::-1].round(4).tolist()
    return said
