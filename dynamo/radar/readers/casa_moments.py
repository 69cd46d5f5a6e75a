"""All moments of a CASA sweep as they were measured, each radar's own conventions seen through.

A gate without a signal (a reflectivity below -30 dBZ, which the fills are too) has no moment at all, whatever the
file holds there: one radar writes a correlation of 1e-11 and a coherent power of -999 in such gates, another noise.

What passes for a measurement and is none is left out: a signal-to-noise ratio that is the same everywhere, and a
specific phase of whole numbers only, which are the bytes of a display and not degrees per kilometre.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.radar.readers.packed import UNWRITTEN
from dynamo.radar.readers.polarfile import usual
from dynamo.radar.readers.source import numbers, wrong

if TYPE_CHECKING:
    import netCDF4
    from numpy.typing import NDArray

__all__ = ["measured", "nyquist"]

NO_SIGNAL = -30.0  # dBZ
FILLED = -900.0  # fills are -999, -9999 and -99900; no moment is ever below
VARIABLES = {
    "reflectivity": ("Reflectivity",),
    "velocity": ("Velocity",),
    "spectral_width": ("SpectralWidth",),
    "differential_reflectivity": ("DifferentialReflectivity",),
    "differential_phase": ("DifferentialPhase",),
    "cross_correlation": ("CrossPolCorrelation",),
    "specific_differential_phase": ("SpecificPhase",),
    "signal_quality": ("Sqi", "NormalizedCoherentPower"),
    "signal_to_noise": ("SignalToNoiseRatio",),
}


def measured(
    path: Path, dataset: netCDF4.Dataset, reflectivity: NDArray[np.float32], names: tuple[str, ...] | None
) -> dict[str, NDArray[np.float32]]:
    """Return the moments that a file has of those named, or of all.

    Parameters
    ----------
    reflectivity
        ``(nray, ngate)`` dBZ as it is stored, fills included.

    Raises
    ------
    DataError
        A moment has another shape than reflectivity.
    """
    with_signal = reflectivity >= NO_SIGNAL
    moments = {}
    for moment, variables in VARIABLES.items():
        variable = next((v for v in variables if v in dataset.variables), None)
        if variable is None or (names is not None and moment not in names):
            continue
        raw = reflectivity if moment == "reflectivity" else numbers(path, dataset, variable)
        if raw.shape != reflectivity.shape:
            raise wrong(path, f"variable {variable!r} is {raw.shape}, 'Reflectivity' is {reflectivity.shape}")
        known = with_signal & (raw > FILLED) & (raw < UNWRITTEN)
        values = np.where(known, raw.astype("f4", copy=False), np.float32(np.nan))
        if _is_measured(moment, values):
            moments[moment] = values
    return moments


def _is_measured(moment: str, values: NDArray[np.float32]) -> bool:
    """Return whether the numbers of a field can be what its name says."""
    if moment not in ("signal_to_noise", "specific_differential_phase"):
        return True
    known = values[np.isfinite(values)]
    if not known.size:
        return True
    if moment == "signal_to_noise":
        return bool(known.min() < known.max())
    return bool((known != np.rint(known)).any())


def nyquist(dataset: netCDF4.Dataset, about: Mapping[str, Any]) -> float | None:
    """Return the Nyquist velocity in m/s from the variable of that name, else from the attribute, else None."""
    if "Nyquist" in dataset.variables and (found := usual(dataset["Nyquist"][...])):
        return found
    return usual(about.get("Nyquist"))
