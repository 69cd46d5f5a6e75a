"""Verification: how well a forecast grid fits the observed one.

Two grids of one geometry enter; sums leave that can be added over many forecasts before a score is taken
(`Scores.__add__`), because the mean of scores weighs a drop like a flood. Cells that are not known in both
grids do not count. Grids of different geometry are a `DataError`.

Wilks 2011, Statistical Methods in the Atmospheric Sciences, ch. 8, has CSI, POD and FAR; Roberts and Lean
2008, Mon. Wea. Rev. 136, 78-97, Eqs. 5-7, the fractions skill score.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dynamo.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.radar.grid import Grid

__all__ = ["Scores", "compare"]


@dataclass(frozen=True, slots=True)
class Scores:
    """Sums at one threshold; adding two pools them.

    A score whose denominator is zero (nothing forecast, nothing observed) is NaN.
    """

    hits: int = 0
    misses: int = 0
    false_alarms: int = 0
    correct_negatives: int = 0
    fractions_error: float = 0.0
    fractions_reference: float = 0.0
    absolute_error: float = 0.0
    wet: int = 0

    def __add__(self, other: Scores) -> Scores:
        return Scores(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def csi(self) -> float:
        """Critical success index, 0..1: hits of all that was forecast or observed."""
        return _ratio(self.hits, self.hits + self.misses + self.false_alarms)

    @property
    def pod(self) -> float:
        """Probability of detection, 0..1: hits of all that was observed."""
        return _ratio(self.hits, self.hits + self.misses)

    @property
    def far(self) -> float:
        """False alarm ratio, 0..1: false alarms of all that was forecast."""
        return _ratio(self.false_alarms, self.hits + self.false_alarms)

    @property
    def bias(self) -> float:
        """Frequency bias: cells forecast per cell observed."""
        return _ratio(self.hits + self.false_alarms, self.hits + self.misses)

    @property
    def fss(self) -> float:
        """Fractions skill score, 0..1."""
        return 1 - _ratio(self.fractions_error, self.fractions_reference)

    @property
    def mae(self) -> float:
        """Mean absolute error over the wet cells, in the unit of the quantity."""
        return _ratio(self.absolute_error, self.wet)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def compare(
    forecast: Grid,
    observed: Grid,
    threshold: float = 35.0,
    *,
    window_km: float = 5.0,
    floor: float = 0.0,
    wet: float = 5.0,
    mask: NDArray[np.bool_] | None = None,
) -> Scores:
    """Compare two grids at `threshold`.

    Parameters
    ----------
    forecast, observed
        Of one geometry; their times are not looked at.
    threshold
        An event is a value at or above this, in the unit of the quantity (dBZ).
    window_km
        Side of the square in which the fractions skill score counts events, rounded to an odd number of
        cells (at least one). Beyond the mask and the grid's edge there are no events.
    floor
        Lower values, and cells without echo, count as this.
    wet
        The mean error is over cells where either grid is at or above this.
    mask
        ``(ny, nx)``: further restricts the cells that count, for one mask over several methods.

    Raises
    ------
    DataError
        The grids differ in geometry or quantity, or `mask` does not fit.
    """
    if apart := observed.geometry.difference(forecast.geometry):
        raise DataError(f"the forecast does not lie on the cells of the observation: {apart}")
    if forecast.quantity != observed.quantity:
        raise DataError(f"the forecast is {forecast.quantity}, the observation {observed.quantity}")
    if mask is not None and mask.shape != observed.geometry.shape:
        raise DataError(f"the mask is {mask.shape}, the grids are {observed.geometry.shape}")
    counted = forecast.known & observed.known & (True if mask is None else mask)
    guess, truth = (np.maximum(np.where(counted, g.values, floor), floor) for g in (forecast, observed))
    yes, real = (guess >= threshold) & counted, (truth >= threshold) & counted
    hits = int(np.count_nonzero(yes & real))
    either = int(np.count_nonzero(yes | real))
    misses = int(np.count_nonzero(real)) - hits
    east, north = observed.geometry.cell_size_km()
    size = (_odd(window_km / east), _odd(window_km / north))
    a, b = (
        cv2.blur(e.astype("f4"), size, borderType=cv2.BORDER_CONSTANT)[counted].astype("f8")
        for e in (yes, real)
    )
    rainy = counted & ((guess >= wet) | (truth >= wet))
    return Scores(
        hits,
        misses,
        either - hits - misses,
        int(np.count_nonzero(counted)) - either,
        float(((a - b) ** 2).sum()),
        float((a**2).sum() + (b**2).sum()),
        float(np.abs(guess - truth)[rainy].sum()),
        int(np.count_nonzero(rainy)),
    )


def _odd(cells: float) -> int:
    """Return the odd number nearest to `cells`, at least one."""
    return max(1, 2 * round((cells - 1) / 2) + 1)
