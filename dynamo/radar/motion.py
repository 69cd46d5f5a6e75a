"""Motion: which way the echo goes, estimated from the newest frames.

A sequence of `Grid` on one geometry, oldest first, enters; a `Motion` leaves: columns and rows per minute at
coarse nodes. Frames that are too few, out of order, doubled or of another geometry are a `DataError` that names
them by time. Where nothing moves, or there is nothing to see, the motion is zero and ``vectors`` is 0.

``lk``        features tracked between frames about three minutes apart (the default)
``dis``       dense optical flow (Kroeger et al. 2016)
``darts``     the CASA network's own method, a fit in the Fourier domain (Ruzanski et al. 2011)
``constant``  one vector for the whole grid, by phase correlation
``none``      nothing moves: persistence
``pysteps``   that of pysteps, for comparison; the extra ``dynamo-weather[pysteps]``
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dynamo.errors import DataError, nearest
from dynamo.radar.cf_header import set_attribute
from dynamo.radar.grid import Cell, Geometry, Grid
from dynamo.radar.motion_images import find_spots, minutes_between
from dynamo.radar.motion_methods import GAP_MINUTES, METHODS, nodes_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["METHODS", "Motion", "estimate_motion", "read_motion", "write_motion"]

# The engine runs one process per core: OpenCV's own threads would only contend with them. Both modules that
# compute with OpenCV on whole grids start from a motion, so this is the one place.
cv2.setNumThreads(1)


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """A motion field.

    Parameters
    ----------
    u, v
        Columns per minute (eastward) and rows per minute (southward), ``(rows, columns)`` float32, at the
        centres of equal blocks of the grid: node ``i`` of ``n`` lies at cell ``(i + 0.5) * size / n - 0.5``.
    geometry
        The cells of the frames.
    time
        That of the newest frame.
    method
        A name of `METHODS`.
    vectors
        How many independent measurements it rests on (for dense methods: wet nodes); 0 means that nothing
        could be measured and the field is zero.
    still
        Cells, counted along rows from the north-west one, whose echo does not take part in the motion (see
        `dynamo.radar.still`); rising, int64.
    """

    u: NDArray[np.float32]
    v: NDArray[np.float32]
    geometry: Geometry
    time: datetime
    method: str
    vectors: int
    still: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, "i8"))

    def speed_kmh(self) -> NDArray[np.float64]:
        """Return the speed at the nodes, km/h."""
        east, north = self.geometry.cell_size_km()
        speed: NDArray[np.float64] = np.hypot(self.u * (60.0 * east), self.v * (60.0 * north)).astype("f8")
        return speed


def estimate_motion(frames: Sequence[Grid], *, method: str = "lk") -> Motion:
    """Estimate the motion at the time of the newest frame.

    Parameters
    ----------
    frames
        Oldest first, one geometry and quantity. The newest ten minutes are used (for what stands still fifteen),
        or three frames.
    method
        A name of `METHODS`.

    Raises
    ------
    DataError
        The method is unknown; there are fewer than two frames; frames are out of order, doubled, of
        different geometry, or too far apart.
    """
    if method not in METHODS:
        known = ", ".join(METHODS)
        raise DataError(f"unknown motion method {method!r}{nearest(method, METHODS)}; known are {known}")
    if not frames:
        raise DataError("no frame to estimate motion from; give at least two, some minutes apart")
    newest = frames[-1]
    nodes = nodes_for(newest.geometry.shape)
    flow, vectors, still = np.zeros((*nodes, 2), "f4"), 0, np.empty(0, "i8")
    if method != "none":
        _check(frames)
        widths, minutes = find_spots(frames)
        flow, vectors = METHODS[method](frames, nodes, None if widths is None else widths > 0)
        if widths is not None:
            # It stands still if the rain around it has gone farther than it is wide.
            gone = cv2.resize(np.linalg.norm(flow, axis=-1).astype("f4"), widths.shape[::-1]) * minutes
            left = (widths > 0) & (np.asarray(gone) > widths)
            still = np.flatnonzero(left & (newest.status == Cell.ECHO))
    flow = flow.astype("f4")
    u, v = np.ascontiguousarray(flow[..., 0]), np.ascontiguousarray(flow[..., 1])
    return Motion(u, v, newest.geometry, newest.time, method, vectors, still)


def write_motion(path: str | Path, motion: Motion) -> None:
    """Write a motion as NetCDF-4 after CF-1.10; equal motions give equal bytes.

    ``u`` and ``v`` lie on the centres of the blocks, in cells per minute; the cells are in the attributes.
    """
    import h5py

    geometry = motion.geometry
    names = ("lat", "lon") if geometry.is_geographic else ("y", "x")
    units = ("degrees_north", "degrees_east") if geometry.is_geographic else ("m", "m")
    starts, steps = (geometry.y0, geometry.x0), (geometry.dy, geometry.dx)
    with h5py.File(path, "w", libver=("v108", "v108"), track_order=True) as file:
        set_attribute(file.id, "Conventions", "CF-1.10")
        for name in ("x0", "y0", "dx", "dy", "nx", "ny", "crs"):
            set_attribute(file.id, name, getattr(geometry, name))
        set_attribute(file.id, "method", motion.method)
        set_attribute(file.id, "vectors", motion.vectors)
        set_attribute(file.id, "time", motion.time.astimezone(UTC).isoformat())
        for name, unit, start, step, nodes, cells in zip(
            names, units, starts, steps, motion.u.shape, geometry.shape, strict=True
        ):
            centres = start + step * ((np.arange(nodes) + 0.5) * cells / nodes - 0.5)
            axis = file.create_dataset(name, data=centres)
            set_attribute(axis.id, "units", unit)
            axis.make_scale(name)
        file.create_dataset("still", data=motion.still)
        for name, values, said in (("u", motion.u, "columns, eastward"), ("v", motion.v, "rows, southward")):
            part = file.create_dataset(name, data=values)
            set_attribute(part.id, "units", "1/min")
            set_attribute(part.id, "long_name", f"motion of echo in {said}, per minute")
            for number, dimension in enumerate(names):
                part.dims[number].attach_scale(file[dimension])


def read_motion(path: str | Path) -> Motion:
    """Read what `write_motion` wrote.

    Raises
    ------
    DataError
        The file is missing, damaged, or holds no motion.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            u, v = (np.asarray(file[name][()], dtype="f4") for name in ("u", "v"))
            still = np.asarray(file["still"][()], dtype="i8")
            said = {name: file.attrs[name] for name in ("method", "time", "crs")}
            said = {k: x.decode() if isinstance(x, bytes) else str(x) for k, x in said.items()}
            x0, y0, dx, dy = (float(np.squeeze(file.attrs[name])) for name in ("x0", "y0", "dx", "dy"))
            nx, ny, vectors = (int(np.squeeze(file.attrs[name])) for name in ("nx", "ny", "vectors"))
            time = datetime.fromisoformat(said["time"])
    except OSError as error:
        raise DataError(f"{path}: cannot be read as NetCDF-4: {error}") from error
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: holds no motion ('u', 'v' and their attributes): {error}") from error
    if u.ndim != 2 or u.shape != v.shape or not (np.isfinite(u).all() and np.isfinite(v).all()):
        raise DataError(f"{path}: 'u' {u.shape} and 'v' {v.shape} should be finite and of one shape")
    if still.ndim != 1 or (still.size and not (still.min() >= 0 and still.max() < nx * ny)):
        raise DataError(f"{path}: 'still' should be numbers of cells below {nx * ny}")
    geometry = Geometry(x0, y0, dx, dy, nx, ny, said["crs"])
    return Motion(u, v, geometry, time, said["method"], vectors, still)


def _check(frames: Sequence[Grid]) -> None:
    """Refuse sequences that have no motion to speak of."""
    newest = frames[-1]
    if len(frames) < 2:
        raise DataError(
            f"motion needs at least two frames, there is one, of {_name(newest)}{_left_out(newest)}; "
            'give an earlier one too, or choose the method "none" (persistence)'
        )
    for before, after in pairwise(frames):
        if after.time == before.time:
            raise DataError(f"two frames are of the same time, {_name(after)}; give each frame once")
        if after.time < before.time:
            raise DataError(f"frames are out of order: {_name(after)} comes after {_name(before)}; sort them")
    for frame in frames:
        if apart := newest.geometry.difference(frame.geometry):
            raise DataError(f"the frame of {_name(frame)} does not fit that of {_name(newest)}: {apart}")
        if frame.quantity != newest.quantity:
            raise DataError(
                f"the frame of {_name(frame)} is {frame.quantity}, that of {_name(newest)} {newest.quantity}"
            )
    if (gap := minutes_between(frames[-2], newest)) > GAP_MINUTES:
        raise DataError(
            f"the newest frames, {_name(frames[-2])} and {_name(newest)}, are {gap:.0f} minutes apart"
            f"{_left_out(newest)}; motion needs at most {GAP_MINUTES:.0f}"
        )


def _name(frame: Grid) -> str:
    return f"{frame.time.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def _left_out(frame: Grid) -> str:
    """Say which files could not be read, if whoever read the frames noted any."""
    files = frame.attributes.get("damaged_files")
    return f"; left out, since they cannot be read: {files}" if files else ""
