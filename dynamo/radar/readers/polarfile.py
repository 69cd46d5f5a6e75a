"""What readers of all files of a single radar do alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.radar.polar import Sweep
from dynamo.radar.readers.packed import UNWRITTEN

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["VERTICAL", "is_around", "lowest", "table", "usual", "wavelength_of"]

#: What is said of a file of which `is_around` leaves nothing.
VERTICAL = "holds only scans through the vertical (RHI) or of the sun, no sweep around the radar"

LIGHT = 299_792_458.0  # m/s
LEVEL = 3.0  # degrees: rays of a turn do not differ more in elevation, but for a few
RADAR_FREQUENCIES = (1e9, 1e11)  # Hz


def usual(values: Any, *, positive: bool = True) -> float | None:
    """Return the median of the numbers of an attribute or variable; None where it holds none that can be."""
    try:
        numbers = np.asarray(values, dtype="f8").ravel()
    except (TypeError, ValueError):
        return None
    numbers = numbers[np.isfinite(numbers) & (np.abs(numbers) < UNWRITTEN)]
    if positive:
        numbers = numbers[numbers > 0]
    return float(np.median(numbers)) if numbers.size else None


def wavelength_of(frequency: Any) -> float | None:
    """Return the wavelength in m of a frequency in Hz; None where it is not one of a radar."""
    hertz = usual(frequency)
    least, most = RADAR_FREQUENCIES
    return LIGHT / hertz if hertz is not None and least <= hertz <= most else None


def is_around(elevations: NDArray[np.floating]) -> bool:
    """Return whether rays of these elevations, degrees, go around the radar, and not through the vertical."""
    known = elevations[np.abs(elevations) <= 360]
    if not known.size:
        return False
    low, high = np.percentile(known, [10, 90])
    return bool(high - low <= LEVEL)


def table(array: NDArray[Any], keep: NDArray[np.bool_], ngates: int, beyond: float) -> NDArray[Any]:
    """Return the rays to `keep` of an array ``(nray, ngate)``, and `beyond` where it ends before `ngates`."""
    rays = array if keep.all() else array[keep]
    short = ngates - array.shape[1]
    return np.pad(rays, ((0, 0), (0, short)), constant_values=beyond) if short else rays


def lowest(sweeps: Sequence[Sweep]) -> Sweep:
    """Return the lowest of some sweeps, to a tenth of a degree; of several the one of most gates, the first such."""
    return min(sweeps, key=lambda sweep: (round(sweep.elevation, 1), -sweep.ranges.size))
