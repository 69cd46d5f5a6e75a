"""The methods by which motion is estimated, all behind one face.

Enters: frames of one geometry, oldest first, the rows and columns of nodes, and the cells whose echo stands still.
Leaves: ``(rows, columns, 2)`` columns and rows per minute at the nodes, and how many measurements they rest on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dynamo.radar.darts import darts
from dynamo.radar.hindcast import Look, moving
from dynamo.radar.lucas_kanade import NEW, gather, spread, track
from dynamo.radar.motion_images import (
    PROOF_MINUTES,
    WHITE_DBZ,
    as_bytes,
    halve,
    minutes_between,
    near_unknown,
    tracked_image,
    trust_in,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.radar.grid import Geometry, Grid

    Spots = NDArray[np.bool_] | None

__all__ = ["GAP_MINUTES", "METHODS", "nodes_for"]

# Frames closer than this see motion of a fraction of a cell, which is mostly noise; further apart, a squall line
# that crosses three cells a minute has changed too much to be found again.
APART_MINUTES = 3.0
# Further apart than this, two frames say nothing of today's motion.
GAP_MINUTES = 30.0
# How many pairs of frames are pooled.
PAIRS = 2
# Motion is smoothed over so many kilometres, whatever the size of the cells.
SMOOTH_KM = 7.0
# Whether it fits the frames better than standing still is judged over so many.
PROVED_KM = 15.0
# Motion varies over tens of cells; this many nodes along the longer side keep that and cost little.
NODES = 50
FINEST_NODE = 10


def block_of(shape: tuple[int, int]) -> float:
    """Return the cells along a side of what one node stands for."""
    return max(FINEST_NODE, max(shape) / NODES)


def nodes_for(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns of nodes for a grid of `shape`."""
    rows, columns = (max(2, round(n / block_of(shape))) for n in shape)
    return rows, columns


def _pairs(frames: Sequence[Grid]) -> list[tuple[Grid, Grid]]:
    """Choose up to `PAIRS` pairs, newest first, each as little over `APART_MINUTES` apart as there is.

    The times decide, not the count: a gap in the sequence only makes the pair across it longer, and one
    across more than `GAP_MINUTES` is not used.
    """
    pairs: list[tuple[Grid, Grid]] = []
    last = len(frames) - 1
    while last > 0 and len(pairs) < PAIRS:
        enough = [i for i in range(last) if minutes_between(frames[i], frames[last]) >= APART_MINUTES - 0.1]
        first = enough[-1] if enough else 0
        apart = minutes_between(frames[first], frames[last])
        # What is left over at the old end may be too short to measure anything.
        if apart > GAP_MINUTES or (pairs and apart < APART_MINUTES / 2):
            break
        pairs.append((frames[first], frames[last]))
        last = first
    return pairs or [(frames[-2], frames[-1])]


def _lucas_kanade(
    frames: Sequence[Grid], nodes: tuple[int, int], spots: Spots
) -> tuple[NDArray[np.float32], int]:
    newest = frames[-1]
    shape = newest.geometry.shape
    if min(shape) < 32:
        return _constant(frames, nodes, spots)
    pairs = _pairs(frames)
    used = {frame.time: frame for pair in pairs for frame in pair}
    images = {moment: halve(tracked_image(frame, spots)) for moment, frame in used.items()}
    trust = trust_in(frames, images)
    found, looks = [], []
    for before, after in pairs:
        seen = halve((~near_unknown(before, after)).astype("u1")) > 0
        first, second, apart = images[before.time], images[after.time], minutes_between(before, after)
        vectors = track(first, second, seen)
        column, row = vectors[:, :2].T.astype("i8")
        weight = trust[row, column]
        vectors[:, :2] = 2 * vectors[:, :2] + 0.5
        vectors[:, 2:] *= 2 / apart
        found.append(np.column_stack([vectors, weight]))
        looks.append(Look(first, second, apart / 2, trust * seen))
    vectors = np.vstack(found)
    if not len(vectors):
        return np.zeros((*nodes, 2), "f4"), 0
    vectors = gather(vectors, block_of(shape))
    flow = spread(vectors, shape, nodes, _width(newest.geometry))
    fits = moving(looks, flow, _in_nodes(PROVED_KM, newest.geometry, nodes))
    return flow * fits[..., None], len(vectors)


def _in_nodes(km: float, geometry: Geometry, nodes: tuple[int, int]) -> tuple[float, float]:
    """Return `km` in rows and columns of nodes."""
    east, north = geometry.cell_size_km()
    return km / north * nodes[0] / geometry.ny, km / east * nodes[1] / geometry.nx


def _width(geometry: Geometry) -> tuple[float, float]:
    """Return the rows and columns over which motion is smoothed: less than a node would leave steps."""
    east, north = geometry.cell_size_km()
    finest = block_of(geometry.shape) / 3
    return max(SMOOTH_KM / north, finest), max(SMOOTH_KM / east, finest)


def _dis(frames: Sequence[Grid], nodes: tuple[int, int], spots: Spots) -> tuple[NDArray[np.float32], int]:
    before, after = _pairs(frames)[0]
    first, second = tracked_image(before, spots), tracked_image(after, spots)
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
    return flow / minutes_between(before, after), len(vectors)


def _darts(frames: Sequence[Grid], nodes: tuple[int, int], spots: Spots) -> tuple[NDArray[np.float32], int]:
    """Fit frames of about ten minutes; it takes them as equally spaced, so those before a gap are left out."""
    step = minutes_between(frames[-2], frames[-1])
    used = [frames[-1]]
    for frame in reversed(frames[:-1]):
        regular = abs(minutes_between(frame, used[-1]) - step) < 0.2 * step
        if not regular or (len(used) > 4 and minutes_between(frame, frames[-1]) > PROOF_MINUTES):
            break
        used.append(frame)
    images = np.stack([tracked_image(f, spots) for f in reversed(used)]).astype("f4")
    wet = int(np.count_nonzero(cv2.resize(images[-1], nodes[::-1], interpolation=cv2.INTER_AREA)))
    if not wet:
        return np.zeros((*nodes, 2), "f4"), 0
    return darts(images, nodes) / step, wet


def _constant(
    frames: Sequence[Grid], nodes: tuple[int, int], spots: Spots
) -> tuple[NDArray[np.float32], int]:
    before, after = _pairs(frames)[0]
    first, second = tracked_image(before, spots).astype("f4"), tracked_image(after, spots).astype("f4")
    if not (first.any() and second.any()):
        return np.zeros((*nodes, 2), "f4"), 0
    window = cv2.createHanningWindow(first.shape[::-1], cv2.CV_32F)
    shift, _ = cv2.phaseCorrelate(first, second, window)
    vector = np.array(shift, dtype="f4") / np.float32(minutes_between(before, after))
    return np.broadcast_to(vector, (*nodes, 2)), 1


def _none(frames: Sequence[Grid], nodes: tuple[int, int], spots: Spots) -> tuple[NDArray[np.float32], int]:  # noqa: ARG001
    return np.zeros((*nodes, 2), "f4"), 0


def _pysteps(frames: Sequence[Grid], nodes: tuple[int, int], spots: Spots) -> tuple[NDArray[np.float32], int]:  # noqa: ARG001
    """Ask pysteps, on as many as three frames that are equally far apart."""
    pairs = _pairs(frames)
    steps = [minutes_between(*pair) for pair in pairs]
    even = max(steps) - min(steps) < 0.2 * min(steps)
    used = [*reversed([before for before, _ in pairs[: len(pairs) if even else 1]]), frames[-1]]
    images = np.stack([as_bytes(frame) for frame in used]).astype("f8") * (WHITE_DBZ / 255)
    wet = int(np.count_nonzero(images[-1]))
    if not wet:
        return np.zeros((*nodes, 2), "f4"), 0
    images[~np.stack([frame.known for frame in used])] = np.nan
    from dynamo.radar.pysteps_motion import pysteps_motion

    return pysteps_motion(images, nodes) / np.float32(np.mean(steps if even else steps[:1])), wet


METHODS: dict[str, Callable[[Sequence[Grid], tuple[int, int], Spots], tuple[NDArray[np.float32], int]]] = {
    "lk": _lucas_kanade,
    "dis": _dis,
    "darts": _darts,
    "constant": _constant,
    "none": _none,
    "pysteps": _pysteps,
}
