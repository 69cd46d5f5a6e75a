"""What a file of soundings lists: its levels, and what it says of time and place. No file is opened here.

A `Listing` is filled by the readers of `dynamo.radar.sounding_formats`. What a cell may hold and in which unit is
decided here once for all formats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dynamo.errors import DataError

__all__ = ["Column", "Listing", "at", "check_end", "column_of", "hour_of", "number"]

#: Cells that say that nothing was measured; numbers that say so are left out by `Listing.add`.
NOTHING = frozenset(["", "nan", "null", "none", "na", "n/a", "m"])
SENTINELS = frozenset([9999.0, 99999.0, 999999.0])
COLDEST, WARMEST = -98.0, 60.0  # C; -99, -99.9 and -99.99 say that nothing was measured
LOWEST, HIGHEST = -500.0, 60000.0  # m
KELVIN_FROM = 150.0  # a column without a unit whose numbers are all larger is in K

# unit: factor and addend to C, or to m
TEMPERATURES = {
    **dict.fromkeys(["c", "degc", "deg_c", "°c", "celsius"], (1.0, 0.0)),
    **dict.fromkeys(["k", "degk", "kelvin"], (1.0, -273.15)),
    **dict.fromkeys(["f", "degf", "deg_f", "°f", "fahrenheit"], (5 / 9, -160 / 9)),
}
HEIGHTS = {
    **dict.fromkeys(
        ["m", "gpm", "meter", "meters", "metre", "metres", "m_asl", "m asl", "masl", "msl"], (1.0, 0.0)
    ),
    **dict.fromkeys(["dam", "gpdam"], (10.0, 0.0)),
    "km": (1000.0, 0.0),
    **dict.fromkeys(["ft", "feet"], (0.3048, 0.0)),
    # geopotential, by the standard gravity of the World Meteorological Organization
    **dict.fromkeys(["m2/s2", "m2 s-2", "m**2/s**2", "m**2 s**-2", "j/kg"], (1 / 9.80665, 0.0)),
}
NAMES = {
    "height": re.compile(r"(geopotential[ _])?(height|hght|hgt|altitude|alt|gph|z|geopotential|ghgt)"),
    "temperature": re.compile(r"(air[ _]?)?(temperature|temp|tmp|tmpc|tmpk|tmpf|t|tt)"),
    "pressure": re.compile(r"(air[ _]?)?(pressure|pres|press|p|level)"),
    "time": re.compile(r"(date[ _]?)?(time|date|valid|datetime)([ _]?utc)?"),
    "latitude": re.compile(r"lat|latitude"),
    "longitude": re.compile(r"lon|long|longitude"),
    "station": re.compile(r"station([ _]?(id|name|number|identifier))?|icao|wmo"),
}
IMPLIED = {"tmpc": "c", "tmpk": "k", "tmpf": "f", "geopotential": "m2/s2"}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds, and how its numbers become C or m; `unit` is empty where the file gives none."""

    what: str
    unit: str = ""


@dataclass(slots=True)
class Listing:
    """The levels of one sounding as they are read, in C and m, and what the file says of it."""

    line: int = 0
    heights: list[float] = field(default_factory=list)
    temperatures: list[float] = field(default_factory=list)
    station: str = ""
    time: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None

    def fill(
        self,
        heights: list[float],
        temperatures: list[float],
        height_unit: str = "",
        temperature_unit: str = "",
    ) -> None:
        """Take over levels as they are written; what stands for "nothing measured" becomes NaN.

        Raises
        ------
        DataError
            A unit is not known, or temperatures are such as only another unit has.
        """
        known = [t for t in temperatures if math.isfinite(t) and abs(t) not in SENTINELS and t >= COLDEST]
        if not temperature_unit and known and min(known) > KELVIN_FROM:
            temperature_unit = "K"
        factor, addend = _unit(temperature_unit or "C", TEMPERATURES, "temperature")
        hot = {t for t in temperatures if WARMEST < t * factor + addend < KELVIN_FROM}
        if len(hot) > 1:  # one number again and again stands for nothing, as 99.9
            raise DataError(
                f"temperatures up to {max(hot):g} {temperature_unit or 'C'}: are they in F? "
                "Say so in a header, as TEMP [F]"
            )
        rise, offset = _unit(height_unit or "m", HEIGHTS, "height")
        for h, t in zip(heights, temperatures, strict=True):
            celsius, metres = t * factor + addend, h * rise + offset
            if abs(t) in SENTINELS or not COLDEST <= celsius <= WARMEST:
                celsius = math.nan
            if abs(h) in SENTINELS or not LOWEST <= metres <= HIGHEST:
                metres = math.nan
            self.heights.append(metres)
            self.temperatures.append(celsius)

    def place(self, latitude: float, longitude: float) -> None:
        """Take a place that can be one; -99.99 and the like is none."""
        if abs(latitude) <= 90 and abs(longitude) <= 360:
            self.latitude, self.longitude = latitude, (longitude + 180) % 360 - 180


def number(text: str) -> float:
    """Return the number in a cell, NaN where it says that there is none; raises ValueError."""
    text = text.strip().strip("/-*") and text.strip()
    return math.nan if text.lower() in NOTHING else float(text)


def check_end(line: int, rows: Sequence[Sequence[str]], width: int) -> None:
    """Raise `DataError` where the last row, whose line has no end, lacks columns or digits that all others have.

    A file that is cut off within a temperature would have another one.
    """
    last = rows[-1]
    decimals = [len(row[-1].strip().partition(".")[2]) for row in rows if row]
    if len(last) < width or decimals[-1] < min(decimals[:-1], default=len(last[-1])):
        raise DataError(f"line {line}: is cut off after {' '.join(last)[-20:]!r}, is it complete?")


def column_of(name: str) -> Column | None:
    """Return what a column is by its name, such as ``geopotential height_m``, ``TEMP`` or ``temp [K]``."""
    text = name.strip().strip('"').lower()
    bracketed = re.fullmatch(r"(.*?)\s*[\[(](.*)[\])]", text)
    words = text.split("_")
    splits = [("_".join(words[:n]), "_".join(words[n:])) for n in range(len(words), 0, -1)]
    for head, unit in [(bracketed[1], bracketed[2].strip())] if bracketed else splits:
        for what, pattern in NAMES.items():
            if pattern.fullmatch(head):
                return Column(what, unit or IMPLIED.get(head, ""))
    return None


def at(text: str) -> datetime | None:
    """Return the time in a cell, ``1999-05-03 23:02:00`` or with T, Z or an offset; UTC where none is said."""
    try:
        time = datetime.fromisoformat(text.strip().strip('"'))
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def hour_of(year: str, month: str, day: str, hour: str, minute: str | None = None) -> datetime | None:
    """Return a time of numbers as text; the month may be a name, a year of two digits is from 1950 to 2049."""
    try:
        years = int(year) if len(year) > 2 else int(year) + (1900 if int(year) >= 50 else 2000)
        months = int(month) if month.isdigit() else MONTHS.index(month[:3].lower()) + 1
        return datetime(years, months, int(day), int(hour), int(minute or 0), tzinfo=UTC)
    except ValueError:
        return None


def _unit(unit: str, known: dict[str, tuple[float, float]], what: str) -> tuple[float, float]:
    if unit.lower() in known:
        return known[unit.lower()]
    above = " above sea level" if what == "height" else ""
    raise DataError(f"{what} is in {unit!r}, expected one of {', '.join(known)}{above}")
