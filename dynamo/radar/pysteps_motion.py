"""Motion as pysteps estimates it (Pulkkinen et al. 2019, Geosci. Model Dev. 12, 4185-4219), for comparison.

An optional extra: pysteps takes seconds to import and needs a compiler to install. Frames of one geometry enter, the
way of the echo leaves. Goes wrong: `UserError` where pysteps is not installed.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from dynamo.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["pysteps_motion"]


def pysteps_motion(images: NDArray[np.float64], nodes: tuple[int, int]) -> NDArray[np.float32]:
    """Return the motion between images by ``pysteps.motion.lucaskanade.dense_lucaskanade``.

    Parameters
    ----------
    images
        ``(time, rows, columns)``, dBZ, equally far apart in time, oldest first; NaN where nothing is known.
    nodes
        Rows and columns of the field that is returned.

    Returns
    -------
    numpy.ndarray
        ``(rows, columns, 2)``: columns and rows per step of time.
    """
    dense = _dense_lucaskanade()
    field = np.moveaxis(dense(np.ma.masked_invalid(images)), 0, -1)
    return np.asarray(cv2.resize(field, nodes[::-1], interpolation=cv2.INTER_AREA), dtype="f4")


def _dense_lucaskanade() -> Callable[[Any], NDArray[np.float64]]:
    try:
        with redirect_stdout(io.StringIO()):  # it says where its settings are
            from pysteps.motion.lucaskanade import dense_lucaskanade
    except ImportError as error:
        raise UserError(
            "motion method 'pysteps' needs the package pysteps: pip install 'dynamo-weather[pysteps]' (it is compiled "
            "on your machine); or choose another method"
        ) from error
    found: Callable[[Any], NDArray[np.float64]] = dense_lucaskanade
    return found
