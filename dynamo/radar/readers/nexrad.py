"""NEXRAD Level II volumes: the lowest reflectivity sweep, put on a grid; needs the extra ``nexrad``.

Format: Interface Control Document for the RDA/RPG, build 20 (NOAA 2620002), message 31: raw 0 is below the
threshold (nothing detected), raw 1 is range-folded (missing), the rest is reflectivity. A ray that was not
sent is missing too; within the first gate and beyond the last it is out of range.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.polar import Sweep, default_geometry, to_grid
from dynamo.radar.readers import Reader
from dynamo.radar.readers.source import content, need, wrong

__all__ = ["reader"]

VOLUME_HEADER = 24  # bytes


def _sniff(_path: Path, head: bytes) -> bool:
    return head.startswith((b"AR2V", b"ARCHIVE2"))


def _sweeps(path: Path) -> list[Sweep]:
    try:
        import recast_radar
    except ImportError as error:
        raise need("nexrad", "recast-radar", f"{path}: NEXRAD Level II") from error
    try:
        tree = recast_radar.open(
            _joined(path, content(path)),
            decode=False,
            decode_times=False,
            first_dim="time",
            packed_attrs="attrs",
        )
    except recast_radar.DecodeError as error:
        raise wrong(path, f"is not a complete Level II volume: {error}") from error
    found = [node.to_dataset() for name, node in tree.children.items() if name.startswith("sweep_")]
    with_echo = [sweep for sweep in found if "DBZH" in sweep]
    if not with_echo:
        raise wrong(path, "holds no sweep with reflectivity (DBZH)")
    lowest = min(with_echo, key=lambda s: (round(float(s["sweep_fixed_angle"]), 1), -s["DBZH"].shape[1]))
    return [_sweep(tree, lowest)]


def _joined(path: Path, data: bytes) -> bytes:
    """Return the volume with all its compressed records marked as followed by another.

    A negative length marks the last record of a piece in transit. Files put together from such pieces keep
    the mark on records in the middle, where recast-radar would stop.
    """
    whole, start = bytearray(data), VOLUME_HEADER
    while data[start + 4 : start + 6] == b"BZ":
        length = abs(int.from_bytes(data[start : start + 4], "big", signed=True))
        whole[start : start + 4] = length.to_bytes(4, "big")
        start += 4 + length
    if start > len(data):
        raise wrong(path, f"is truncated: {start - len(data)} bytes are missing; was it still being written?")
    return bytes(whole)


def _sweep(tree: Any, data: Any) -> Sweep:
    moment = data["DBZH"]
    raw = np.asarray(moment.values)
    values = raw.astype("f4") * np.float32(moment.attrs["scale_factor"]) + np.float32(
        moment.attrs["add_offset"]
    )
    values[raw < 2] = np.nan
    start = datetime.fromisoformat(str(data["time"].attrs["units"]).removeprefix("seconds since "))
    end = start + timedelta(seconds=float(np.max(data["time"].values)))
    return Sweep(
        azimuths=np.asarray(data["azimuth"].values, dtype="f8"),
        ranges=np.asarray(data["range"].values, dtype="f8"),
        elevation=float(data["sweep_fixed_angle"]),
        moments={"reflectivity": values},
        undetect=raw == 0,
        latitude=float(tree["latitude"]),
        longitude=float(tree["longitude"]),
        altitude=float(tree["altitude"]),
        time=end.replace(microsecond=0),
        radar=str(tree.attrs["instrument_name"]),
    )


def _read(path: Path, geometry: Geometry | None) -> list[Grid]:
    sweeps = _sweeps(path)
    place = geometry or default_geometry(sweeps)
    return [to_grid(sweep, place) for sweep in sweeps]


reader = Reader("nexrad", "NEXRAD Level II volume", _sniff, _read, _sweeps)
