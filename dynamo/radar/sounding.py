"""Stored soundings: a file of any known format in, `Sounding` out.

What a file is shows in its content; gzip and bzip2 are seen through. Time and place come from the content where they
are in it, else from the station by a table and from the file's name; who knows better says so. A file that is
damaged, cut off or no sounding is a `DataError` that names it, the line, and what was expected. Which sounding serves
a product, and what where none does, is decided by `dynamo.radar.environment`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamo.errors import DataError, UserError
from dynamo.radar.profile import Profile
from dynamo.radar.readers.source import HDF5, content, hdf5, head, wrong
from dynamo.radar.sounding_formats import listings
from dynamo.radar.sounding_listing import Listing, column_of
from dynamo.radar.sounding_origin import named_station, named_time, station

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Sounding", "read_all_soundings", "read_soundings"]


@dataclass(frozen=True, slots=True, eq=False)
class Sounding:
    """One ascent, or a profile of a model.

    Parameters
    ----------
    profile
        Temperature over height above sea level.
    source
        The file.
    station
        ICAO name, WMO number or what the file says; empty if nothing does.
    time
        Aware, UTC: of the launch, or the hour it stands for, as the file has it; None where nothing says it.
    latitude, longitude
        Degrees; None where nothing says them.
    """

    profile: Profile
    source: str
    station: str = ""
    time: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None

    def __post_init__(self) -> None:
        if self.time is not None and self.time.tzinfo is None:
            raise DataError(f"{self.source}: a sounding's time must be aware (UTC)")

    def __str__(self) -> str:
        """Name it in a line: station, or file, and time."""
        name = self.station or Path(self.source).name
        return f"{name} {self.time:%Y-%m-%d %H:%M} UTC" if self.time else f"{name}, of unknown time"


def read_soundings(
    path: str | Path,
    *,
    name: str | None = None,
    time: datetime | None = None,
    latitude: float | None = None,
    longitude: float | None = None,
) -> list[Sounding]:
    """Read all soundings of one file, in the file's order.

    Parameters
    ----------
    path
        The file; gzip and bzip2 are decompressed.
    name, time, latitude, longitude
        Station, time (aware) and place in degrees, where you know better than file, name and table.

    Raises
    ------
    DataError
        The file is missing, damaged, cut off, no sounding, or has too few levels; it says which, and the line.
    UserError
        A latitude without a longitude, or the reverse.
    """
    if (latitude is None) != (longitude is None):
        raise UserError("a sounding's place needs both latitude and longitude")
    path = Path(path)
    try:
        found = [_hdf5(path)] if head(path).startswith(HDF5) else listings(content(path))
        return [_sounding(path, one, name, time, (latitude, longitude)) for one in found]
    except DataError as error:
        if str(path) in str(error):
            raise
        raise wrong(path, str(error)) from error


def read_all_soundings(paths: Iterable[str | Path]) -> tuple[list[Sounding], list[str]]:
    """Read the soundings of several files; of those that cannot be read, return what is wrong, in place of them.

    For chains that must go on: the second list is the `left_out` of `dynamo.radar.environment.environment`.
    """
    soundings: list[Sounding] = []
    left_out: list[str] = []
    for path in paths:
        try:
            soundings += read_soundings(path)
        except DataError as error:
            left_out.append(str(error))
    return soundings, left_out


def _hdf5(path: Path) -> Listing:
    """Read a table of HDF5 with fields HGHT and TEMP, as wradlib stores what it fetched from Wyoming."""
    with hdf5(path) as file:
        for table in (item[...] for item in file.values() if getattr(item, "dtype", None) is not None):
            names = {column.what: name for name in table.dtype.names or () if (column := column_of(name))}
            if {"height", "temperature"} <= names.keys():
                return _hdf5_levels(table[names["height"]], table[names["temperature"]])
        raise wrong(
            path, f"HDF5 without a table that has HGHT and TEMP; there is: {', '.join(file) or 'nothing'}"
        )


def _hdf5_levels(heights: NDArray[Any], temperatures: NDArray[Any]) -> Listing:
    listing = Listing()
    try:
        listing.fill([float(h) for h in heights], [float(t) for t in temperatures])
    except (TypeError, ValueError) as error:
        raise DataError(f"HGHT or TEMP is not a column of numbers: {error}") from error
    return listing


def _sounding(
    path: Path,
    listing: Listing,
    name: str | None,
    time: datetime | None,
    place: tuple[float | None, float | None],
) -> Sounding:
    where = f"from line {listing.line} on: " if listing.line else f"{listing.station}: ".removeprefix(": ")
    if all(map(math.isnan, listing.temperatures)):
        raise DataError(f"{where}no level has a temperature")
    try:
        profile = Profile.of(listing.heights, listing.temperatures)
    except DataError as error:
        raise DataError(f"{where}{error}") from error
    said = name or listing.station
    known = station(said) if said else named_station(path.name)
    if place[0] is None and listing.latitude is not None:
        place = listing.latitude, listing.longitude
    if place[0] is None and known:
        place = known.latitude, known.longitude
    return Sounding(
        profile,
        str(path),
        name or (known.name if known else listing.station),
        time or listing.time or named_time(path.name),
        *place,
    )
