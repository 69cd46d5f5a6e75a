"""NEXRAD Level II volumes: the lowest reflectivity sweep, put on a grid, or all of them; needs the extra ``nexrad``.

Format: Interface Control Document for the RDA/RPG, build 20 (NOAA 2620002), message 31: raw 0 is below the
threshold (nothing detected), raw 1 is range-folded (missing), the rest is reflectivity. A ray that was not sent is
missing too; within the first gate and beyond the last it is out of range. The other moments have the same codes.

Sweeps are given as the radar made them: at low elevations it turns twice, first for reflectivity and the
dual-polarisation moments, then, with a higher Nyquist velocity and fewer gates, for velocity.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.polar import Sweep, default_geometry, to_grid
from dynamo.radar.readers import Reader
from dynamo.radar.readers.packed import unpack
from dynamo.radar.readers.polarfile import usual, wavelength_of
from dynamo.radar.readers.source import content, need, wrong

__all__ = ["reader"]

VOLUME_HEADER = 24  # bytes
WAVELENGTH = 0.105  # m, of 2.85 GHz: the middle of the band of the WSR-88D, for files that do not tell
NO_NUMBER = (0, 1)  # below the threshold, range-folded
MOMENTS = {
    "reflectivity": "DBZH",
    "velocity": "VRADH",
    "spectral_width": "WRADH",
    "differential_reflectivity": "ZDR",
    "differential_phase": "PHIDP",
    "cross_correlation": "RHOHV",
}


def _sniff(_path: Path, head: bytes) -> bool:
    return head.startswith((b"AR2V", b"ARCHIVE2"))


def _sweeps(path: Path) -> list[Sweep]:
    tree, found = _open(path)
    with_echo = [sweep for sweep in found if "DBZH" in sweep]
    if not with_echo:
        raise wrong(path, "holds no sweep with reflectivity (DBZH)")
    lowest = min(with_echo, key=lambda s: (round(float(s["sweep_fixed_angle"]), 1), -s["DBZH"].shape[1]))
    return [_sweep(tree, lowest, ("reflectivity",))]


def _moments(path: Path, names: tuple[str, ...] | None, highest: float = math.inf) -> list[Sweep]:
    tree, found = _open(path)
    wanted = tuple(n for n in MOMENTS if names is None or n in names)
    low = [sweep for sweep in found if float(sweep["sweep_fixed_angle"]) <= highest]
    held = [sweep for sweep in low if any(MOMENTS[n] in sweep for n in wanted)]
    return [
        _sweep(tree, sweep, wanted) for sweep in held if min(sweep["azimuth"].size, sweep["range"].size) > 1
    ]


def _open(path: Path) -> tuple[Any, list[Any]]:
    """Return the volume, of which nothing is decoded yet, and its sweeps."""
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
    return tree, [node.to_dataset() for name, node in tree.children.items() if name.startswith("sweep_")]


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


def _sweep(tree: Any, data: Any, names: tuple[str, ...]) -> Sweep:
    moments = {}
    undetect = np.zeros((data["azimuth"].size, data["range"].size), bool)
    for name in names:
        if MOMENTS[name] not in data:
            continue
        field = data[MOMENTS[name]]
        raw = np.asarray(field.values)
        moments[name] = unpack(raw, field.attrs["scale_factor"], field.attrs["add_offset"], NO_NUMBER)
        if name == "reflectivity":
            undetect = raw == 0
    start = datetime.fromisoformat(str(data["time"].attrs["units"]).removeprefix("seconds since "))
    end = start + timedelta(seconds=float(np.max(data["time"].values)))
    return Sweep(
        azimuths=np.asarray(data["azimuth"].values, dtype="f8"),
        ranges=np.asarray(data["range"].values, dtype="f8"),
        elevation=float(data["sweep_fixed_angle"]),
        moments=moments,
        undetect=undetect,
        latitude=float(tree["latitude"]),
        longitude=float(tree["longitude"]),
        altitude=float(tree["altitude"]),
        time=end.replace(microsecond=0),
        radar=str(tree.attrs["instrument_name"]),
        nyquist=usual(data["nyquist_velocity"].values) if "nyquist_velocity" in data else None,
        wavelength=_wavelength(data),
    )


def _wavelength(data: Any) -> float:
    told = wavelength_of(data["frequency"].values) if "frequency" in data.variables else None
    return told or WAVELENGTH


def _read(path: Path, geometry: Geometry | None) -> list[Grid]:
    sweeps = _sweeps(path)
    place = geometry or default_geometry(sweeps)
    return [to_grid(sweep, place) for sweep in sweeps]


reader = Reader("nexrad", "NEXRAD Level II volume", _sniff, _read, _sweeps, _moments, _moments)
