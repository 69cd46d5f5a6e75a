"""The moments of a sweep: their names here, their units, and what each is.

Readers give these names, whatever a file calls them; all later steps go by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["MOMENTS", "Moment"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment: its unit as UDUNITS writes it, and what it is."""

    units: str
    about: str


MOMENTS: Mapping[str, Moment] = {
    "reflectivity": Moment("dBZ", "equivalent reflectivity factor, horizontal"),
    "velocity": Moment(
        "m s-1", "radial velocity, positive away from the radar; folded at the Nyquist velocity"
    ),
    "spectral_width": Moment("m s-1", "width of the Doppler spectrum"),
    "differential_reflectivity": Moment("dB", "ratio of horizontal to vertical reflectivity"),
    "differential_phase": Moment("degrees", "two-way differential phase as measured, the system's included"),
    "cross_correlation": Moment("1", "copolar correlation coefficient, rho_hv"),
    "specific_differential_phase": Moment("degrees km-1", "one-way, as the file has it"),
    "signal_quality": Moment("1", "signal quality index, or normalised coherent power; 0 to 1"),
    "signal_to_noise": Moment("dB", "signal-to-noise ratio, horizontal"),
}
