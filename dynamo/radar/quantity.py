"""Conversions between the quantities of a grid: rain rate to reflectivity.

A rain-rate grid enters, a reflectivity grid leaves; what each cell is stays as it was.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dynamo.errors import DataError
from dynamo.radar.grid import Cell, Grid
from dynamo.radar.quantities import QUANTITIES

__all__ = ["to_reflectivity"]


def to_reflectivity(grid: Grid, *, a: float = 300.0, b: float = 1.4) -> Grid:
    """Return the grid as reflectivity, by ``Z = a R^b`` with Z in mm6 m-3 and R in mm h-1.

    Parameters
    ----------
    grid
        ``rain_rate`` in mm h-1; a ``reflectivity`` grid is returned as it is.
    a, b
        Coefficients; the defaults are those of the WSR-88D for convective rain (Fulton et al. 1998, Weather
        and Forecasting 13, 377-395). Marshall and Palmer (1948) is 200 and 1.6.

    Returns
    -------
    Grid
        Reflectivity in dBZ. A cell where it does not rain stays ``UNDETECT``; no echo is weaker than the
        -32 dBZ that stand for "nothing detected".

    Raises
    ------
    DataError
        A coefficient is not positive.
    """
    if grid.quantity == "reflectivity":
        return grid
    if not (a > 0 and b > 0):
        raise DataError(f"Z = a R^b needs positive coefficients, not a={a:g}, b={b:g}")
    floor = QUANTITIES["reflectivity"].floor
    echo = grid.status == np.uint8(Cell.ECHO)
    raining = echo & (grid.values > 0)
    values = np.where(grid.status >= np.uint8(Cell.MISSING), np.float32(np.nan), np.float32(floor))
    dbz = 10 * np.log10(a) + 10 * b * np.log10(grid.values[raining])
    values[raining] = np.maximum(dbz, floor)
    status = np.where(echo & ~raining, np.uint8(Cell.UNDETECT), grid.status)
    return replace(grid, values=values, status=status, quantity="reflectivity")
