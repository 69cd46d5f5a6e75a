"""What is alike for all lead times of a nowcast, kept while one process makes many of them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from dynamo.workflows.kept import Identity

if TYPE_CHECKING:
    from dynamo.radar.extrapolation import Extrapolator

__all__ = ["carrier"]


@lru_cache(maxsize=1)
def carrier(frame: Identity, motion: Identity) -> Extrapolator:
    """Return what moves `frame` along `motion`."""
    from dynamo.radar.extrapolation import Extrapolator
    from dynamo.radar.motion import read_motion
    from dynamo.radar.netcdf import read_grid

    return Extrapolator(read_grid(frame.path), read_motion(motion.path))
