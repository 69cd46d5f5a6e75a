"""The air around the storm, as a run gives it: heights by hand, or soundings, or what stands in for both.

Enters: files of soundings, or two heights. Leaves: the `Environment` at a time and place.
Goes wrong: one height without the other, or not below it (`UserError`). A sounding that cannot be read is named in
the warnings of the products, and on stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dynamo.errors import DataError

if TYPE_CHECKING:
    from dynamo.radar.environment import Environment
    from dynamo.radar.sounding import Sounding

__all__ = ["Air"]


class Air:
    """Soundings that were read once, for all sweeps of a task.

    Parameters
    ----------
    files
        Soundings of any known format.
    freezing_level, minus20_level
        Heights of 0 and -20 degrees C in m above sea level, by hand: then no sounding is looked at.
    undated
        Take a sounding that names no time as of the time of the product, with a warning.
    """

    def __init__(
        self,
        files: Sequence[Path],
        freezing_level: float | None,
        minus20_level: float | None,
        *,
        undated: bool = False,
    ) -> None:
        from dynamo.radar.environment import given
        from dynamo.radar.sounding import read_all_soundings

        if (freezing_level is None) != (minus20_level is None):
            raise DataError("`freezing_level` and `minus20_level` go together: give both, or neither")
        self._by_hand = (
            None if freezing_level is None or minus20_level is None else given(freezing_level, minus20_level)
        )
        self._undated = undated
        self._soundings: list[Sounding] = []
        self._left_out: list[str] = []
        if self._by_hand is None:
            self._soundings, reasons = read_all_soundings(files)
            folders = {f"{file.parent}/" for file in map(Path, files)}
            for reason in reasons:
                plain = reason
                for folder in folders:
                    plain = plain.replace(folder, "")
                self._left_out.append(plain)
                print(f"left out: {plain}", file=sys.stderr)

    def at(self, time: datetime, latitude: float, longitude: float) -> Environment:
        """Return what serves at this time and place; see `dynamo.radar.environment.environment`."""
        from dynamo.radar.environment import environment

        if self._by_hand is not None:
            return self._by_hand
        if not self._undated:
            return environment(self._soundings, time, latitude, longitude, left_out=self._left_out)
        dated = [s if s.time else replace(s, time=time) for s in self._soundings]
        where = environment(dated, time, latitude, longitude, left_out=self._left_out)
        names = {str(new) for old, new in zip(self._soundings, dated, strict=True) if old.time is None}
        if where.sounding not in names:
            return where
        warning = f"sounding {where.sounding} names no time: taken as of now (`undated`)"
        return replace(where, warnings=(*where.warnings, warning))
