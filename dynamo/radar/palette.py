"""Palettes: a value in, an index of at most 8 bits out, and the colour that stands for it.

The palettes themselves are data, in ``palettes.json``. Index 0 is "nothing to draw": no echo, out of range,
or a value below the first colour. Indices 1, 2, ... are equal steps of the value (half a dB for
reflectivity), so the value can be read back from an image. Values above the last colour have the last
colour. What can go wrong: a name that is not there (`DataError`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.errors import DataError, nearest
from dynamo.radar.quantities import QUANTITIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Palette", "colours", "palette", "palettes"]


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """Colours for the values of one quantity.

    Parameters
    ----------
    name
        How it is asked for.
    title
        What stands over a legend.
    quantity
        A name of `dynamo.radar.quantities.QUANTITIES`.
    scale
        ``"linear"`` or ``"log2"``: what equal steps are equal in.
    start, step
        Index 1 begins at the value `start`; each further index is one `step` higher, on the scale.
    rgb
        ``(n, 3)`` uint8, the colours of indices 1 to n.
    stops
        Values at which a colour is given.
    ticks
        Values to write beside a legend.
    names
        Of classes, what each tick is called; empty for what is measured.
    """

    name: str
    title: str
    quantity: str
    scale: str
    start: float
    step: float
    rgb: NDArray[np.uint8]
    stops: tuple[float, ...]
    ticks: tuple[float, ...]
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rgb)

    @property
    def units(self) -> str:
        """The units of the values."""
        return QUANTITIES[self.quantity].units

    def index(self, values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
        """Return the index of each value, any shape; 0 for NaN and for values below the first colour."""
        steps = values if self.scale == "linear" else np.log2(np.fmax(values, np.float32(self.start / 2)))
        first = self.start if self.scale == "linear" else np.log2(self.start)
        # Few passes over the field, in its own precision: this is half the time an image takes.
        steps = steps * np.float32(1 / self.step)
        steps += np.float32(1 - first / self.step)
        np.clip(steps, 0, len(self), out=steps)
        np.copyto(steps, 0, where=np.isnan(steps))
        return steps.astype(np.uint8)

    def value(self, index: NDArray[np.integer[Any]] | int) -> NDArray[np.float64]:
        """Return the lowest value of an index from 1."""
        steps = (np.asarray(index) - 1) * self.step
        return np.asarray(self.start + steps if self.scale == "linear" else self.start * 2.0**steps)

    def words(self, value: float) -> str:
        """Return a value as legends have it: as a number, or the name of the lowest class that it bounds below.

        >>> palette("hail_class").words(3.5), palette("wind_speed").words(20)
        ('hail', '20')
        """
        named = (name for tick, name in zip(self.ticks, self.names, strict=False) if tick >= value)
        return next(named, f"{value:g}")

    def colour(self, value: float) -> str:
        """Return the colour of a value as ``#rrggbb``; outside the range that of its end."""
        index = max(int(self.index(np.array([value], dtype=np.float32))[0]), 1)
        return "#{:02x}{:02x}{:02x}".format(*self.rgb[index - 1].tolist())


def palettes() -> dict[str, str]:
    """Return the names of all palettes and what each is, in one line."""
    return {name: entry["about"] for name, entry in _entries().items()}


@lru_cache(maxsize=1)
def _entries() -> dict[str, dict[str, Any]]:
    text = resources.files("dynamo.radar").joinpath("palettes.json").read_text(encoding="utf-8")
    entries: dict[str, dict[str, Any]] = json.loads(text)
    return entries


@lru_cache(maxsize=32)
def palette(name: str) -> Palette:
    """Return the palette of a name; a quantity's standard palette has the quantity's name.

    Raises `DataError` for a name that is not there.
    """
    entries = _entries()
    if name not in entries:
        raise DataError(f"no palette {name!r}{nearest(name, entries)}; there are {', '.join(entries)}")
    entry = entries[name]
    values = np.array([value for value, _ in entry["stops"]], dtype="f8")
    stops = np.array([bytes.fromhex(text[1:]) for _, text in entry["stops"]]).view("u1").reshape(-1, 3)
    at = values if entry["scale"] == "linear" else np.log2(values)
    steps = at[0] + entry["step"] * np.arange(round((at[-1] - at[0]) / entry["step"]) + 1)
    if entry["blend"]:
        rgb = np.stack([np.interp(steps, at, stops[:, i]) for i in range(3)], axis=1).round()
    else:
        rgb = stops[np.searchsorted(at, steps + 1e-9) - 1]
    return Palette(
        name,
        entry["title"],
        entry["quantity"],
        entry["scale"],
        float(values[0]),
        float(entry["step"]),
        rgb.astype(np.uint8),
        tuple(values.tolist()),
        tuple(float(t) for t in entry["ticks"]),
        tuple(entry.get("names", ())),
    )


def colours(quantity: str) -> Palette:
    """Return the standard palette of a quantity (a name of `dynamo.radar.quantities.QUANTITIES`)."""
    return palette(quantity)
