"""Extrapolation: the newest frame carried along its motion, a lead time at a time.

A `Grid` and a `Motion` on the same cells enter, a `Grid` at a later time leaves. Each cell asks where its air
came from: the way back is integrated on the motion's coarse nodes with the midpoint rule (semi-Lagrangian;
Germann and Zawadzki 2002, Mon. Wea. Rev. 130, 2859-2873), spread over the grid, and looked up once.

* What comes from outside the grid, or from where no radar looks, is ``OUT_OF_RANGE``; from ``MISSING`` is
  ``MISSING``; each cell's status is that of the one cell nearest to its origin, so echo edges stay sharp.
* Values are linear between echo cells only, and not below that of the nearest: peaks stay, and no echo and
  no data never mix into a number.
* Echo that the motion calls still stays where it is; what surrounds it moves on underneath.
* Lead times do not depend on each other: one computed alone is equal to the same one of many.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from dynamo.errors import DataError
from dynamo.radar.grid import Cell
from dynamo.radar.quantities import QUANTITIES
from dynamo.radar.still import around

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dynamo.radar.grid import Grid
    from dynamo.radar.motion import Motion

__all__ = ["Extrapolator", "extrapolate"]

# Motion changes over tens of km: in a minute nothing moves far enough to need a finer step.
STEP_MINUTES = 1.0
# Cells that are looked up at one time: what is needed for all cells of a continent at once would be 1 GB.
BLOCK_CELLS = 1 << 21
# Columns and rows come as one array; OpenCV's type stubs do not know that they may.
NO_SECOND_MAP: Any = None


def extrapolate(frame: Grid, motion: Motion, minutes: float) -> Grid:
    """Return `frame` carried along `motion` for `minutes`; see `Extrapolator` for many lead times.

    Raises
    ------
    DataError
        The motion belongs to another grid, or `minutes` is negative or not finite.
    """
    return Extrapolator(frame, motion)(minutes)


class Extrapolator:
    """Carries one frame to any number of lead times; ``Extrapolator(frame, motion)(minutes)`` is a `Grid`.

    Parameters
    ----------
    frame
        The newest observation.
    motion
        Its motion; see `dynamo.radar.motion.estimate_motion`.

    Raises
    ------
    DataError
        The motion belongs to another grid.
    """

    def __init__(self, frame: Grid, motion: Motion) -> None:
        if apart := frame.geometry.difference(motion.geometry):
            raise DataError(f"the motion of {motion.time:%Y-%m-%d %H:%MZ} does not lie on the frame: {apart}")
        self._frame = frame
        self._motion = np.stack([motion.u, motion.v], axis=-1).astype("f4")
        rows, columns = motion.u.shape
        ny, nx = frame.geometry.shape
        self._cells_per_node = np.array([nx / columns, ny / rows], dtype="f4")
        self._nodes = _places(rows, columns)
        # The way back after each whole step; grown on demand, so order and number of calls do not matter.
        self._ways = [np.zeros_like(self._motion)]
        self._still = motion.still
        self._moving = _without(frame, motion.still) if motion.still.size else frame
        self._values = _beyond_edges(self._moving)

    def __call__(self, minutes: float) -> Grid:
        """Return the grid `minutes` after the frame.

        Raises
        ------
        DataError
            `minutes` is negative or not finite.
        """
        if not (np.isfinite(minutes) and minutes >= 0):
            raise DataError(f"a lead time must be a number of minutes from 0 up, not {minutes}")
        frame, geometry = self._frame, self._frame.geometry
        values, status = np.empty(geometry.shape, "f4"), np.empty(geometry.shape, "u1")
        floor = np.float32(QUANTITIES[frame.quantity].floor)
        for rows, origin in self._origins(self._way_back(minutes)):
            here, what = values[rows], status[rows]
            _look_up(self._moving.status, origin, cv2.INTER_NEAREST, what, beyond=Cell.OUT_OF_RANGE)
            _look_up(self._values, origin, cv2.INTER_LINEAR, here)
            # The mean of neighbours lowers every peak; the one cell that the air came from holds it up.
            cv2.max(here, _look_up(self._values, origin, cv2.INTER_NEAREST), dst=here)
            # As bytes: with members of an enumeration NumPy compares 64-bit integers, ten times as long.
            np.copyto(here, floor, where=what == np.uint8(Cell.UNDETECT))
            np.copyto(here, np.float32(np.nan), where=what >= np.uint8(Cell.MISSING))
        values.flat[self._still] = frame.values.flat[self._still]
        status.flat[self._still] = frame.status.flat[self._still]
        return replace(
            frame,
            values=values,
            status=status,
            time=frame.time + timedelta(minutes=minutes),
            lead_minutes=frame.lead_minutes + minutes,
        )

    def _origins(self, way: NDArray[np.float32]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield from which column and row the air of each cell came: all rows at a time, or of many cells parts."""
        ny, nx = self._frame.geometry.shape
        if ny * nx <= BLOCK_CELLS:
            away = cv2.resize(way, (nx, ny), interpolation=cv2.INTER_LINEAR)
            yield slice(0, ny), np.asarray(cv2.add(_places(ny, nx), away, dst=away), dtype="f4")
            return
        wide = np.asarray(cv2.resize(way, (nx, len(way)), interpolation=cv2.INTER_LINEAR), dtype="f4")
        wide[..., 0] += np.arange(nx, dtype="f4")
        for rows in _blocks((ny, nx)):
            yield rows, self._origin(wide, rows)

    def _origin(self, wide: NDArray[np.float32], rows: slice) -> NDArray[np.float32]:
        """Return the same for some rows, from columns and ways back of whole rows of nodes."""
        row = np.arange(rows.start, rows.stop, dtype="f4")
        at = np.clip((row + np.float32(0.5)) / self._cells_per_node[1] - np.float32(0.5), 0, len(wide) - 1)
        above = np.minimum(at.astype("i8"), len(wide) - 2)
        # One product of small matrices: two rows of nodes weighted for each row of cells, and its own number added.
        first, last = above[0], above[-1] + 2
        weight = np.zeros((row.size, last - first + 1), "f4")
        each, part = np.arange(row.size), at - above.astype("f4")
        weight[each, above - first], weight[each, above - first + 1], weight[:, -1] = 1 - part, part, row
        down = np.broadcast_to(np.array([0, 1], "f4"), (1, *wide.shape[1:]))
        nodes = np.concatenate([wide[first:last], down])
        origin: NDArray[np.float32] = weight @ nodes.reshape(len(nodes), -1)
        return origin.reshape(row.size, -1, 2)

    def _way_back(self, minutes: float) -> NDArray[np.float32]:
        """Return, at the nodes, how many columns and rows away the air was `minutes` earlier."""
        whole = int(minutes // STEP_MINUTES)
        while len(self._ways) <= whole:
            self._ways.append(self._back(self._ways[-1], STEP_MINUTES))
        rest = minutes - whole * STEP_MINUTES
        return self._back(self._ways[whole], rest) if rest else self._ways[whole]

    def _back(self, way: NDArray[np.float32], minutes: float) -> NDArray[np.float32]:
        halfway = way - np.float32(minutes / 2) * self._motion_at(way)
        back: NDArray[np.float32] = way - np.float32(minutes) * self._motion_at(halfway)
        return back

    def _motion_at(self, way: NDArray[np.float32]) -> NDArray[np.float32]:
        at = self._nodes + way / self._cells_per_node
        return _look_up(self._motion, at, cv2.INTER_LINEAR)


def _look_up(
    field: NDArray[Any],
    at: NDArray[np.float32],
    how: int,
    into: NDArray[Any] | None = None,
    beyond: int | None = None,
) -> NDArray[Any]:
    """Return `field` at the columns and rows `at`; outside of it `beyond`, or its nearest edge."""
    edge: dict[str, Any] = {"borderMode": cv2.BORDER_REPLICATE}
    if beyond is not None:
        edge = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": float(beyond)}
    return np.asarray(cv2.remap(field, at, NO_SECOND_MAP, how, into, **edge))


def _blocks(shape: tuple[int, int]) -> Iterator[slice]:
    """Yield the rows of a grid in parts of at most `BLOCK_CELLS`."""
    ny, nx = shape
    rows = max(BLOCK_CELLS // nx, 1)
    for top in range(0, ny, rows):
        yield slice(top, min(top + rows, ny))


@lru_cache(maxsize=4)
def _places(rows: int, columns: int) -> NDArray[np.float32]:
    """Return the column and row of every cell, ``(rows, columns, 2)``."""
    return np.stack(np.meshgrid(np.arange(columns, dtype="f4"), np.arange(rows, dtype="f4")), axis=-1)


def _without(frame: Grid, cells: NDArray[np.int64]) -> Grid:
    """Return `frame` with the echo of `cells` levelled to what surrounds it."""
    rain = np.maximum(np.where(frame.status == Cell.ECHO, frame.values, np.float32(0)), np.float32(0))
    level = around(rain).flat[cells]
    values, status = frame.values.copy(), frame.status.copy()
    values.flat[cells] = np.where(level > 0, level, np.float32(QUANTITIES[frame.quantity].floor))
    status.flat[cells] = np.where(level > 0, np.uint8(Cell.ECHO), np.uint8(Cell.UNDETECT))
    return replace(frame, values=values, status=status)


def _beyond_edges(frame: Grid) -> NDArray[np.float32]:
    """Return the values, with the cells around an echo given the mean of the echo beside them.

    Linear interpolation at the rim of an echo then finds echo on all sides, and neither a floor nor NaN.
    """
    beside = np.empty(frame.geometry.shape, "f4")
    for rows in _blocks(frame.geometry.shape):
        top = max(rows.start - 1, 0)  # a row more above and below, which the means of the outer rows need
        seen = slice(top, rows.stop + 1)
        echo = frame.status[seen] == np.uint8(Cell.ECHO)
        values = np.where(echo, frame.values[seen], np.float32(0))
        total = cv2.boxFilter(values, -1, (3, 3), normalize=False)
        count = cv2.boxFilter(echo.astype("f4"), -1, (3, 3), normalize=False)
        mean = np.where(echo, values, total / np.maximum(count, 1))
        beside[rows] = mean[rows.start - top : rows.stop - top]
    return beside
