"""MRMS GRIB2: instantaneous rain rate (PrecipRate) in mm h-1; needs the extra ``grib``.

MRMS marks with -3 where there is no radar coverage (out of range) and with -1 a missing value, as is one that
the bit map leaves out; zero is "no rain". The product is known by discipline 209, category 6, parameter 1
(MRMS GRIB2 tables, NSSL).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.readers import Reader
from dynamo.radar.readers.source import content, need, wrong

__all__ = ["reader"]

PRECIP_RATE = (209, 6, 1)
NO_COVERAGE = -3.0  # other negative values are missing


def _sniff(_path: Path, head: bytes) -> bool:
    return head.startswith(b"GRIB") and len(head) > 8 and head[7] == 2


def _read(path: Path, _geometry: Geometry | None) -> list[Grid]:
    # pyproj first: the eccodes wheel brings a PROJ library of its own, and pyproj, loaded after it, crashes
    import pyproj  # noqa: F401

    try:
        import eccodes
    except ImportError as error:
        raise need("grib", "eccodes", f"{path}: GRIB2") from error
    grids = []
    for message in _messages(path):
        try:
            handle = eccodes.codes_new_from_message(message)
            try:
                grids.append(_grid(path, eccodes, handle))
            finally:
                eccodes.codes_release(handle)
        except eccodes.CodesInternalError as error:
            raise wrong(path, f"is damaged GRIB2: {error}") from error
    return grids


def _messages(path: Path) -> Iterator[bytes]:
    """Yield the messages of a file, each checked to be whole: section 0 has its length, section 8 ends it."""
    data = content(path)
    start = 0
    while start < len(data):
        length = int.from_bytes(data[start + 8 : start + 16], "big")
        message = data[start : start + length]
        if message[:4] != b"GRIB" or len(message) < max(length, 20) or message[-4:] != b"7777":
            raise wrong(path, f"is truncated or damaged GRIB2 at byte {start}; was it still being written?")
        yield message
        start += length


def _grid(path: Path, eccodes: Any, handle: Any) -> Grid:
    def get(key: str) -> Any:
        return eccodes.codes_get(handle, key)

    product = tuple(int(get(k)) for k in ("discipline", "parameterCategory", "parameterNumber"))
    if product != PRECIP_RATE:
        raise wrong(
            path,
            f"is product {'-'.join(map(str, product))} (discipline-category-parameter); "
            "only MRMS PrecipRate (209-6-1) is read",
        )
    if get("gridType") != "regular_ll" or get("iScansNegatively") or get("jPointsAreConsecutive"):
        raise wrong(
            path, f"grid type {get('gridType')!r} is not a latitude/longitude grid by rows from the west"
        )
    nx, ny = int(get("Ni")), int(get("Nj"))
    values = eccodes.codes_get_values(handle).astype("f4").reshape(ny, nx)
    dx, dy = float(get("iDirectionIncrementInDegrees")), float(get("jDirectionIncrementInDegrees"))
    west, north = (
        float(get("longitudeOfFirstGridPointInDegrees")),
        float(get("latitudeOfFirstGridPointInDegrees")),
    )
    if get("jScansPositively"):
        values, north = values[::-1], north + (ny - 1) * dy
    geometry = Geometry(round((west + 180) % 360 - 180, 6), north, dx, -dy, nx, ny)
    outside = values == NO_COVERAGE
    undetect = values == 0
    values[(values < 0) | (values == get("missingValue"))] = np.nan
    year, month, day, hour, minute, second = (
        int(get(k)) for k in ("year", "month", "day", "hour", "minute", "second")
    )
    time = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    lead = float(get("forecastTime"))
    return Grid.from_values(
        values, geometry, time + timedelta(minutes=lead), undetect=undetect,
        out_of_range=outside, quantity="rain_rate", lead_minutes=lead, source="MRMS PrecipRate",
    )  # fmt: skip


reader = Reader("mrms", "MRMS GRIB2 PrecipRate", _sniff, _read)
