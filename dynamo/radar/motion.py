"""Motion: which way the echo goes, estimated from the newest frames.

A sequence of `Grid` on one geometry, oldest first, enters; a `Motion` leaves: columns and rows per minute at
coarse nodes. Frames that are too few, out of order, doubled or of another geometry are a `DataError` that names
them by time. Where nothing moves, or there is nothing to see, the motion is zero and ``vectors`` is 0.

``lk``        features tracked between frames about three minutes apart (the default)
``dis``       dense optical flow (Kroeger et al. 2016)
``darts``     the CASA network's own method, a fit in the Fourier domain (Ruzanski et al. 2011)
``constant``  one vector for the whole grid, by phase correlation
``none``      nothing moves: persistence
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from dynamo.errors import DataError, nearest
from dynamo.radar.cf_header import set_attribute
from dynamo.radar.darts import darts
from dynamo.radar.grid import Cell, Geometry, Grid
from dynamo.radar.lucas_kanade import NEW, WINDOW, gather, spread, track
from dynamo.radar.still import SPOT, around, standing, standing_edges

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Spots = NDArray[np.bool_] | None

__all__ = ["METHODS", "Motion", "estimate_motion", "read_motion", "write_motion"]

# The engine runs one process per core: OpenCV's own threads would only contend with them. Both modules that
# compute with OpenCV on whole grids start from a motion, so this is the one place.
cv2.setNumThreads(1)

# Frames closer than this see motion of a fraction of a cell, which is mostly noise; further apart, a squall line
# that crosses three cells a minute has changed too much to be found again.
APART_MINUTES = 3.0
# Further apart than this, two frames say nothing of today's motion.
GAP_MINUTES = 30.0
# How many pairs of frames are pooled.
PAIRS = 2
# Motion is smoothed over so many kilometres, whatever the size of the cells.
SMOOTH_KM = 7.0
# Motion varies over tens of cells; this many nodes along the longer side keep that and cost little.
NODES = 50
FINEST_NODE = 10
# Reflectivity that counts as white in the images that are tracked; hail above it shows no motion of its own.
WHITE_DBZ = 60.0
# What stands still is looked for in so many minutes, at least in so many, and must be so much brighter than what is
# beside it.
STILL_MINUTES = 15.0
PROOF_MINUTES = 10.0
STILL_DB = 8.0
# So many cells (of the halved grid) in a window are an edge and not a fleck. What is seen beside an edge weighs next
# to nothing where the grid says that a radar's range ends there, and little where that is only likely.
EDGE_CELLS = 5
EDGE_WEIGHT = 0.001
DOUBT_WEIGHT = 0.05


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
    nodes = _nodes(newest.geometry.shape)
    flow, vectors, still = np.zeros((*nodes, 2), "f4"), 0, np.empty(0, "i8")
    if method != "none":
        _check(frames)
        spots, minutes = _spots(frames)
        flow, vectors = METHODS[method](frames, nodes, spots)
        if spots is not None:
            gone = cv2.resize(np.linalg.norm(flow, axis=-1).astype("f4"), spots.shape[::-1]) * minutes
            still = np.flatnonzero(spots & (np.asarray(gone) > SPOT) & (newest.status == Cell.ECHO))
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
            f"motion needs at least two frames, there is one, of {_name(newest)}; give an earlier one too, "
            'or choose the method "none" (persistence)'
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
    if (gap := _minutes(frames[-2], newest)) > GAP_MINUTES:
        raise DataError(
            f"the newest frames, {_name(frames[-2])} and {_name(newest)}, are {gap:.0f} minutes apart; "
            f"motion needs at most {GAP_MINUTES:.0f}"
        )


def _name(frame: Grid) -> str:
    return f"{frame.time.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def _minutes(before: Grid, after: Grid) -> float:
    return (after.time - before.time).total_seconds() / 60


def _block(shape: tuple[int, int]) -> float:
    """Return the cells along a side of what one node stands for."""
    return max(FINEST_NODE, max(shape) / NODES)


def _nodes(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns of nodes for a grid of `shape`."""
    rows, columns = (max(2, round(n / _block(shape))) for n in shape)
    return rows, columns


def _pairs(frames: Sequence[Grid]) -> list[tuple[Grid, Grid]]:
    """Choose up to `PAIRS` pairs, newest first, each as little over `APART_MINUTES` apart as there is.

    The times decide, not the count: a gap in the sequence only makes the pair across it longer, and one
    across more than `GAP_MINUTES` is not used.
    """
    pairs: list[tuple[Grid, Grid]] = []
    last = len(frames) - 1
    while last > 0 and len(pairs) < PAIRS:
        enough = [i for i in range(last) if _minutes(frames[i], frames[last]) >= APART_MINUTES - 0.1]
        first = enough[-1] if enough else 0
        apart = _minutes(frames[first], frames[last])
        # What is left over at the old end may be too short to measure anything.
        if apart > GAP_MINUTES or (pairs and apart < APART_MINUTES / 2):
            break
        pairs.append((frames[first], frames[last]))
        last = first
    return pairs or [(frames[-2], frames[-1])]


def _bytes(frame: Grid) -> NDArray[np.uint8]:
    """Return bytes from no echo, or no data, to `WHITE_DBZ`."""
    values: NDArray[Any] = frame.values
    if frame.quantity == "rain_rate":
        # Z = 200 R^1.6 (Marshall and Palmer 1948), so that drizzle and downpour are seen on one scale.
        rate = np.where(frame.status == Cell.ECHO, values, np.float32(0))
        values = 10 * np.log10(200 * np.maximum(rate, np.float32(0.02)) ** np.float32(1.6))
    # OpenCV's thresholds make NaN zero, in a third of the time of `np.where` and `np.clip`.
    positive = cv2.threshold(values, 0, 0, cv2.THRESH_TOZERO)[1]
    dark = cv2.threshold(positive, WHITE_DBZ, WHITE_DBZ, cv2.THRESH_TRUNC)[1]
    return np.asarray(cv2.convertScaleAbs(dark, alpha=255 / WHITE_DBZ), dtype="u1")


def _image(frame: Grid, spots: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    """Return the bytes without what stands still, and without specks that no 3 x 3 cells fit into."""
    image = _bytes(frame)
    if spots is not None:
        image[spots] = around(image)[spots]
    solid = cv2.morphologyEx(np.minimum(image, 1), cv2.MORPH_OPEN, np.ones((3, 3), "u1"))
    return np.asarray(cv2.multiply(image, solid), dtype="u1")


def _spots(frames: Sequence[Grid]) -> tuple[NDArray[np.bool_] | None, float]:
    """Return where echo may stand still, if anywhere, and over how many minutes that was seen."""
    newest = frames[-1]
    recent = [f for f in frames if _minutes(f, newest) <= STILL_MINUTES]
    minutes = _minutes(recent[0], newest)
    if len(recent) < 3 or minutes < PROOF_MINUTES - 0.1:
        return None, minutes
    spots = standing(map(_bytes, reversed(recent)), STILL_DB * 255 / WHITE_DBZ)
    spots &= ~_blind(newest)
    return (spots if spots.any() else None), minutes


def _blind(*frames: Grid) -> NDArray[np.bool_]:
    """Return the cells near any of which one of `frames` says nothing: edges there are not the weather's."""
    dark = np.logical_or.reduce([~frame.known for frame in frames])
    return np.asarray(cv2.dilate(dark.astype("u1"), np.ones((9, 9), "u1"))) > 0


def _trust(frames: Sequence[Grid], images: dict[datetime, NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return the weight of what is seen around each cell of the halved grid.

    The edge of what a radar sees stands still while the rain moves, and a window that holds a part of it sees
    too little motion. Where the grid does not tell how far its radars see, edges that have stood for long may be
    such, or the flank of a line that moves along itself: they lose against better vectors nearby, no more.
    """
    newest = frames[-1]
    trust = np.where(
        _in_window(_halve(newest.known.astype("u1")) == 0), np.float32(EDGE_WEIGHT), np.float32(1)
    )
    oldest = next(f for f in frames if _minutes(f, newest) <= STILL_MINUTES)
    if _minutes(oldest, newest) >= PROOF_MINUTES - 0.1:
        first = images.get(oldest.time)
        first = _halve(_image(oldest, None)) if first is None else first
        edges = standing_edges([first, *images.values()], STILL_DB * 255 / WHITE_DBZ)
        trust = np.where(_in_window(edges), np.float32(DOUBT_WEIGHT) * trust, trust)
    return trust


def _in_window(marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the cells in whose window there are marks, not only a fleck of them."""
    count = cv2.boxFilter(marks.astype("f4"), -1, (WINDOW, WINDOW), normalize=False)
    return np.asarray(count) > EDGE_CELLS - 0.5


def _halve(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    ny, nx = image.shape
    even = image[: ny // 2 * 2, : nx // 2 * 2]
    return np.asarray(cv2.resize(even, (nx // 2, ny // 2), interpolation=cv2.INTER_AREA), dtype="u1")


def _lucas_kanade(
    frames: Sequence[Grid], nodes: tuple[int, int], spots: Spots
) -> tuple[NDArray[np.float32], int]:
    newest = frames[-1]
    shape = newest.geometry.shape
    if min(shape) < 32:
        return _constant(frames, nodes, spots)
    pairs = _pairs(frames)
    used = {frame.time: frame for pair in pairs for frame in pair}
    images = {moment: _halve(_image(frame, spots)) for moment, frame in used.items()}
    trust = _trust(frames, images)
    found = []
    for before, after in pairs:
        seen = _halve((~_blind(before, after)).astype("u1")) > 0
        vectors = track(images[before.time], images[after.time], seen)
        column, row = vectors[:, :2].T.astype("i8")
        weight = trust[row, column]
        vectors[:, :2] = 2 * vectors[:, :2] + 0.5
        vectors[:, 2:] *= 2 / _minutes(before, after)
        found.append(np.column_stack([vectors, weight]))
    vectors = np.vstack(found)
    if not len(vectors):
        return np.zeros((*nodes, 2), "f4"), 0
    vectors = gather(vectors, _block(shape))
    return spread(vectors, shape, nodes, _width(newest.geometry)), len(vectors)


def _width(geometry: Geometry) -> tuple[float, float]:
    """Return the rows and columns over which motion is smoothed: less than a node would leave steps."""
    east, north = geometry.cell_size_km()
    finest = _block(geometry.shape) / 3
    return max(SMOOTH_KM / north, finest), max(SMOOTH_KM / east, finest)


def _dis(frames: Sequence[Grid], nodes: tuple[int, int], spots: Spots) -> tuple[NDArray[np.float32], int]:
    before, after = _pairs(frames)[0]
    first, second = _image(before, spots), _image(after, spots)
    if min(first.shape) < 32:
        return _constant(frames, nodes, spots)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(first, second, NEW)
    # Flow means something where there is echo; it is spread from there with a smoothing of a few nodes.
    wet = ((first > 0) & before.known & after.known).astype("f4")
    size = nodes[::-1]
    weight = cv2.resize(wet, size, interpolation=cv2.INTER_AREA)
    if not weight.any():
        return np.zeros((*nodes, 2), "f4"), 0
    total = cv2.resize(flow * wet[..., None], size, interpolation=cv2.INTER_AREA)
    row, column = np.nonzero(weight > 0.1) if (weight > 0.1).any() else np.nonzero(weight)
    cells = np.array([first.shape[1] / nodes[1], first.shape[0] / nodes[0]])
    at = (np.stack([column, row], axis=-1) + 0.5) * cells - 0.5
    alike = np.ones((len(at), 1))
    vectors = np.hstack([at, total[row, column] / weight[row, column, None], alike]).astype("f4")
    flow = spread(vectors, first.shape, nodes, _width(after.geometry))
    return flow / _minutes(before, after), len(vectors)


def _darts(frames: Sequence[Grid], nodes: tuple[int, int], spots: Spots) -> tuple[NDArray[np.float32], int]:
    """Fit frames of about ten minutes; it takes them as equally spaced, so those before a gap are left out."""
    step = _minutes(frames[-2], frames[-1])
    used = [frames[-1]]
    for frame in reversed(frames[:-1]):
        regular = abs(_minutes(frame, used[-1]) - step) < 0.2 * step
        if not regular or (len(used) > 4 and _minutes(frame, frames[-1]) > PROOF_MINUTES):
            break
        used.append(frame)
    images = np.stack([_image(f, spots) for f in reversed(used)]).astype("f4")
    wet = int(np.count_nonzero(cv2.resize(images[-1], nodes[::-1], interpolation=cv2.INTER_AREA)))
    if not wet:
        return np.zeros((*nodes, 2), "f4"), 0
    return darts(images, nodes) / step, wet


def _constant(
    frames: Sequence[Grid], nodes: tuple[int, int], spots: Spots
) -> tuple[NDArray[np.float32], int]:
    before, after = _pairs(frames)[0]
    first, second = _image(before, spots).astype("f4"), _image(after, spots).astype("f4")
    if not (first.any() and second.any()):
        return np.zeros((*nodes, 2), "f4"), 0
    window = cv2.createHanningWindow(first.shape[::-1], cv2.CV_32F)
    shift, _ = cv2.phaseCorrelate(first, second, window)
    vector = np.array(shift, dtype="f4") / np.float32(_minutes(before, after))
    return np.broadcast_to(vector, (*nodes, 2)), 1


def _none(frames: Sequence[Grid], nodes: tuple[int, int], spots: Spots) -> tuple[NDArray[np.float32], int]:  # noqa: ARG001
    return np.zeros((*nodes, 2), "f4"), 0


METHODS: dict[str, Callable[[Sequence[Grid], tuple[int, int], Spots], tuple[NDArray[np.float32], int]]] = {
    "lk": _lucas_kanade,
    "dis": _dis,
    "darts": _darts,
    "constant": _constant,
    "none": _none,
}
