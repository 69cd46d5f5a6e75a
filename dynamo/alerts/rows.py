"""Rows: columns of a subscribers file in, chunk by chunk; `Subscribers` and the faults of single rows out.

Nothing is raised: what is wrong with a row is told with its line, and the row is left out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.alerts.subscriber import Rule, Subscribers
from dynamo.errors import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COLUMNS", "Fault", "Rows"]

COLUMNS = ("id", "lon", "lat", "distance_km", "hazard", "min_level", "max_lead_minutes", "channel")
_NUMBERS = ("distance_km", "min_level", "max_lead_minutes")
_TEXTS = ("hazard", "channel")
# Half the way around the earth.
_FARTHEST_KM = 20_004.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a row: its line in a CSV (from 1), its feature in a GeoJSON, and its id."""

    line: int
    feature: int
    subscriber: str
    message: str

    def __str__(self) -> str:
        where = f"feature {self.feature}" if self.feature else f"{self.line}"
        name = f" {self.subscriber!r}:" if self.subscriber else ""
        return f"{where}:{name} {self.message}"


class Rows:
    """The rows so far."""

    def __init__(
        self,
        rules: Sequence[Rule],
        hazards: Collection[str] | None = None,
        channels: Collection[str] | None = None,
    ) -> None:
        self._rules = tuple(rules)
        self._known = {"hazard": hazards, "channel": channels}
        self._faults: list[Fault] = []
        self._what = "line"
        self._parts: dict[str, list[Any]] = {name: [] for name in ("line", *COLUMNS)}
        self._codes: dict[str, dict[str, int]] = {name: {"": 0} for name in _TEXTS}
        self._ids: list[str] = []

    def fault(self, line: int, subscriber: str, message: str, *, what: str = "line") -> None:
        """Note that a row is wrong."""
        at = (line, 0) if what == "line" else (0, line)
        self._faults.append(Fault(*at, subscriber, message))

    def add(
        self,
        lines: Sequence[int],
        columns: Mapping[str, Sequence[Any]],
        *,
        what: str = "line",
        faulty: Sequence[int] = (),
    ) -> None:
        """Take rows; a column that is missing is empty. Lines are numbers of lines or, as `what` says, features.

        Of the rows at the places `faulty` it is known already that they are wrong: what else is, is told too.
        """
        self._what = what
        names = columns["id"]
        ids = list(map(str.strip, names if set(map(type, names)) <= {str} else map(_name, names)))
        empty: Sequence[Any] = ("",) * len(ids)
        good = np.ones(len(ids), bool)
        good[list(faulty)] = False

        def wrong(i: int, message: str) -> None:
            good[i] = False
            self.fault(lines[i], _printable(ids[i]), message, what=what)

        self._check_ids(ids, wrong)
        numbers = {
            name: _numbers(name, columns.get(name, empty), wrong, needed=name in {"lon", "lat"})
            for name in ("lon", "lat", *_NUMBERS)
        }
        _check_ranges(numbers, wrong)
        codes = {name: self._coded(name, columns.get(name, empty), wrong) for name in _TEXTS}
        keep = good.nonzero()[0]
        self._ids += ids if len(keep) == len(ids) else [ids[i] for i in keep.tolist()]
        self._parts["line"].append(np.asarray(lines)[keep])
        for name, values in (numbers | codes).items():
            self._parts[name].append(values[keep])

    @staticmethod
    def _check_ids(ids: list[str], wrong: Any) -> None:
        if "" in ids or not all(map(str.isascii, ids)):
            for i, name in enumerate(ids):
                if not name:
                    wrong(i, "it has no id")
                elif name != _printable(name):
                    wrong(i, "its id is not UTF-8 text")

    def _coded(self, name: str, values: Sequence[Any], wrong: Any) -> NDArray[Any]:
        codes = self._codes[name]
        try:
            distinct = set(values)
        except TypeError:
            values = [v if isinstance(v, str) or v is None else repr(v) for v in values]
            distinct = set(values)
        of: dict[Any, int] = {}
        known = self._known[name]
        for said in sorted(distinct, key=repr):
            text = "" if said is None else str(said).strip()
            bad = text != _printable(text) or (said is not None and not isinstance(said, str))
            unknown = text and known is not None and text not in known
            of[said] = -1 if bad or unknown else codes.setdefault(text, len(codes))
        coded = np.fromiter(map(of.__getitem__, values), "i4", len(values))
        hints: dict[str, str] = {}
        for i in (coded < 0).nonzero()[0].tolist():
            text = _printable(str(values[i]).strip())
            if text not in hints:  # a million rows may have the same fault
                hints[text] = nearest(text, known or ())
            wrong(i, f"its {name} {text!r} is not known{hints[text]}")
        return coded

    def close(self) -> tuple[Subscribers, tuple[Fault, ...]]:
        """Return the subscribers of all good rows, and the faults by line."""
        columns = {
            name: np.concatenate(parts) if parts else np.empty(0, "i4" if name in _TEXTS else "f8")
            for name, parts in self._parts.items()
            if name != "id"
        }
        ids = np.empty(len(self._ids), dtype=object)
        ids[:] = self._ids
        kept = np.ones(len(ids), bool)
        self._swapped(columns, ids, kept)
        first = self._same(columns, ids, kept)
        places, owner = np.unique(first[kept], return_inverse=True)
        at: dict[str, Any] = {name: columns[name][places] for name in ("lon", "lat")}
        columns = {name: values[kept] for name, values in columns.items()}
        self._asking(columns, ids[places][owner])
        subscribers = Subscribers(ids=ids[places], **at, **self._made(columns, owner, ids[places]))
        return subscribers, tuple(
            sorted(dict.fromkeys(self._faults), key=lambda fault: (fault.line, fault.feature))
        )

    def _note(self, columns: Mapping[str, NDArray[Any]], ids: NDArray[Any], i: int, message: str) -> None:
        self.fault(int(columns["line"][i]), ids[i], message, what=self._what)

    def _swapped(
        self, columns: Mapping[str, NDArray[Any]], ids: NDArray[Any], kept: NDArray[np.bool_]
    ) -> None:
        """Leave out who lies far from most others, but would lie among them with the numbers swapped."""
        lon, lat = columns["lon"], columns["lat"]
        if len(lon) < 8:
            return
        box = [np.quantile(values, (0.1, 0.9)) for values in (lon, lat)]
        pads = [max(3.0, float(high - low)) for low, high in box]

        def among(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
            (x0, x1), (y0, y1) = box
            found = (x >= x0 - pads[0]) & (x <= x1 + pads[0]) & (y >= y0 - pads[1]) & (y <= y1 + pads[1])
            return np.asarray(found)

        for i in (~among(lon, lat) & among(lat, lon)).nonzero()[0].tolist():
            kept[i] = False
            at = f"longitude {lon[i]:g}, latitude {lat[i]:g}"
            self._note(columns, ids, i, f"{at} is far from most others, and among them if swapped")

    def _same(
        self, columns: Mapping[str, NDArray[Any]], ids: NDArray[Any], kept: NDArray[np.bool_]
    ) -> NDArray[np.intp]:
        """Return the first row of each row's id; leave out rows that put one id at a second place."""
        seen: dict[str, int] = {}
        first = np.arange(len(ids))
        if len(set(self._ids)) == len(ids):
            return first
        rows = kept.nonzero()[0]
        first[rows] = rows[np.fromiter(map(seen.setdefault, ids[rows].tolist(), count()), np.intp, len(rows))]
        moved = (columns["lon"] != columns["lon"][first]) | (columns["lat"] != columns["lat"][first])
        for i in (moved & kept).nonzero()[0].tolist():
            kept[i] = False
            other = f"{self._what} {int(columns['line'][first[i]])}"
            self._note(columns, ids, i, f"its id is that of {other}, at another position")
        return first

    def _asking(self, columns: dict[str, NDArray[Any]], ids: NDArray[Any]) -> None:
        """Fill what rows with a rule of their own leave out from the run file's rule for their hazard."""
        asks = (columns["hazard"] > 0) | (columns["channel"] > 0)
        for name in _NUMBERS:
            asks |= ~np.isnan(columns[name])
        columns["asks"] = asks
        if not self._rules:
            for i in (~asks).nonzero()[0].tolist():
                self._note(columns, ids, i, "it asks for nothing, and the run file has no rules")
        for hazard, code in self._codes["hazard"].items():
            rows = (asks & (columns["hazard"] == code)).nonzero()[0]
            if not len(rows):
                continue
            rule = self._base(hazard)
            values = (rule.within_km, rule.min_level, rule.max_lead_minutes)
            for name, value in zip(_NUMBERS, values, strict=True):
                own = columns[name][rows]
                columns[name][rows] = np.where(np.isnan(own), value, own)
            unsaid = rows[columns["channel"][rows] == 0]
            channels = self._codes["channel"]
            columns["channel"][unsaid] = channels.setdefault(rule.channel, len(channels))

    def _base(self, hazard: str) -> Rule:
        alike = [rule for rule in self._rules if rule.hazard == hazard]
        alike += [rule for rule in self._rules if not rule.hazard or not hazard]
        return alike[0] if alike else Rule(hazard)

    def _made(
        self, columns: Mapping[str, NDArray[Any]], owner: NDArray[np.intp], ids: NDArray[Any]
    ) -> dict[str, Any]:
        """Return the table of rules: those of the rows, and the run file's for who has none."""
        asks = columns["asks"]
        own = np.zeros(len(ids), bool)
        own[owner[asks]] = True
        none = (~own).nonzero()[0]
        codes = {name: dict(self._codes[name]) for name in _TEXTS}
        found: dict[str, list[Any]] = {"owner": [owner[asks]]}
        for name in (*_NUMBERS, *_TEXTS):
            found[name] = [columns[name][asks]]
        for rule in self._rules:
            found["owner"].append(none)
            for name, value in zip(
                _NUMBERS, (rule.within_km, rule.min_level, rule.max_lead_minutes), strict=True
            ):
                found[name].append(np.full(len(none), value))
            for name, text in zip(_TEXTS, (rule.hazard, rule.channel), strict=True):
                found[name].append(np.full(len(none), codes[name].setdefault(text, len(codes[name])), "i4"))
        table = {name: np.concatenate(parts) for name, parts in found.items()}
        order = np.argsort(table["owner"], kind="stable")
        table = {name: values[order] for name, values in table.items()}
        table["within_km"] = table.pop("distance_km")
        return table | {"hazards": tuple(codes["hazard"]), "channels": tuple(codes["channel"])}


def _name(value: Any) -> str:
    return "" if value is None or isinstance(value, bool | list | dict) else str(value)


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _numbers(name: str, values: Sequence[Any], wrong: Any, *, needed: bool) -> NDArray[Any]:
    """Return numbers; NaN where there is none, which is wrong where one is needed."""
    found: NDArray[Any]
    if set(map(type, values)) <= {str}:
        try:
            found = np.fromiter(map(float, values), "f8", len(values))
        except ValueError:
            pass
        else:
            if np.isfinite(found).all():
                return found
    found = np.full(len(values), np.nan)
    for i, value in enumerate(values):
        if value is None or (isinstance(value, str) and not value.strip()):
            if needed:
                wrong(i, f"it has no {name}")
            continue
        with suppress(TypeError, ValueError):
            found[i] = math.nan if isinstance(value, bool) else float(value)
        if not math.isfinite(found[i]):
            found[i] = math.nan
            said = _printable(value) if isinstance(value, str) else value
            wrong(i, f"its {name} is {said!r}; expected a number")
    return found


def _check_ranges(numbers: Mapping[str, NDArray[Any]], wrong: Any) -> None:
    lon, lat, distance, lead = (numbers[name] for name in ("lon", "lat", "distance_km", "max_lead_minutes"))
    for i in ((np.abs(lon) > 180) | (np.abs(lat) > 90)).nonzero()[0].tolist():
        swapped = ": are longitude and latitude swapped?" if abs(lat[i]) <= 180 and abs(lon[i]) <= 90 else ""
        said = [
            f"{what} {x[i]:g}" for what, x in (("longitude", lon), ("latitude", lat)) if not math.isnan(x[i])
        ]
        at = ", ".join(said)  # what is no number is told already
        wrong(i, f"{at} is out of range{swapped or '; expected -180 to 180 and -90 to 90'}")
    for i in ((distance < 0) | (distance > _FARTHEST_KM)).nonzero()[0].tolist():
        wrong(i, f"its distance_km is {distance[i]:g}; expected 0 to {_FARTHEST_KM:g}")
    for i in (lead < 0).nonzero()[0].tolist():
        wrong(i, f"its max_lead_minutes is {lead[i]:g}; expected 0 or more")
