"""Numbers that change in steps over time, such as the cores that are wanted and those that are there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Curve", "together"]


@dataclass(frozen=True, slots=True)
class Curve:
    """A value from each time to the next; the last time is the end, and has no value.

    Parameters
    ----------
    times
        Seconds, ascending, one more than there are values.
    values
        What holds from each time to the next.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, changes: Iterable[tuple[float, float]], begin: float, end: float) -> Curve:
        """Return the curve that is 0 at first and changes by so much at such times."""
        table = np.array(sorted(changes), dtype=float).reshape(-1, 2)
        at = np.clip(table[:, 0], begin, end)
        times, where = np.unique(np.concatenate([[begin, end], at]), return_inverse=True)
        steps = np.bincount(where[2:], weights=table[:, 1], minlength=len(times))
        values = np.cumsum(steps)[:-1]
        return cls(times, np.where(np.abs(values) < 1e-9, 0.0, values))

    def at(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values at these times; before the first and after the last, those there."""
        places = np.searchsorted(self.times, times, side="right") - 1
        return self.values[np.clip(places, 0, len(self.values) - 1)]

    @property
    def mean(self) -> float:
        """The mean over the whole time."""
        return float(np.sum(self.values * np.diff(self.times)) / (self.times[-1] - self.times[0]))

    @property
    def peak(self) -> float:
        """The highest value."""
        return float(self.values.max(initial=0.0))


def together(
    first: Curve, second: Curve
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return both curves over the steps of both: the values of each, and how long they hold."""
    times = np.union1d(first.times, second.times)
    return first.at(times[:-1]), second.at(times[:-1]), np.diff(times)
