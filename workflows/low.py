"""The sweeps of a file that look near the ground.

Enters: a file of a radar. Leaves: its sweeps that are not above an elevation and have a moment.
Goes wrong: `DataError` that names the file; `AboveError` where nothing is wrong with it but that it looks too high.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dynamo.errors import DataError

if TYPE_CHECKING:
    from dynamo.radar.polar import Sweep

__all__ = ["AboveError", "low_sweeps"]


class AboveError(DataError):
    """All sweeps of a file are above the elevation up to which they are asked for."""


def low_sweeps(
    path: Path, highest: float, needed: str, *, moments: Sequence[str] | None = None
) -> list[Sweep]:
    """Return the sweeps of a file with the moment `needed` that are not above `highest` degrees.

    Only `needed` and `moments` are decoded (None: all), and of sweeps above nothing where the format allows it.
    """
    from dynamo.radar.readers import read_sweeps

    wanted = None if moments is None else (needed, *moments)
    low = [s for s in read_sweeps(path, moments=wanted, highest=highest) if needed in s.moments]
    if not low:
        there = ", ".join(f"{s.elevation:.1f}" for s in read_sweeps(path, moments=(needed,)))
        raise AboveError(f"{path}: holds no sweep up to {highest:g} degrees (`highest`); there are: {there}")
    return low
