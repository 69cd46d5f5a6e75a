"""What the formats call the moments of a sweep, and which is taken where a file has several of a kind.

Names are compared without regard to case. The first name of a list that a file has is taken: what the radar
measured comes before what somebody made of it afterwards (a velocity unfolded, a phase smoothed, a horizontal power
before a vertical one).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dynamo.errors import UserError, nearest
from dynamo.radar.moments import MOMENTS

__all__ = ["STANDARD_NAMES", "checked", "chosen", "moment_of"]

# Names of ODIM_H5, CfRadial and its users (Py-ART, the Lidar Radar Open Software Environment, NASA), in lower case
NAMES: Mapping[str, tuple[str, ...]] = {
    "reflectivity": (
        "dbzh", "dbz", "reflectivity", "reflectivity_horizontal", "reflectivity_h", "dbz_h", "zh", "dz", "cz", "th",
        "dbuz", "dbth", "total_power", "dbz_tot", "uz", "z", "equivalent_reflectivity_factor", "dbzhc", "dbzc",
        "corrected_reflectivity", "corrected_reflectivity_horizontal", "dbzh_clean", "dbzv", "tv",
    ),
    "velocity": (
        "vradh", "vrad", "velocity", "vel", "vr", "v", "vu", "vh", "radial_velocity", "mean_doppler_velocity",
        "doppler_velocity", "vel_h", "vradv", "vraddh", "vradd", "corrected_velocity", "velocity_corrected",
        "dealiased_velocity", "vradc", "vel_d", "vf",
    ),
    "spectral_width": (
        "wradh", "wrad", "spectrum_width", "spectral_width", "width", "width_h", "sw", "w", "doppler_spectrum_width",
        "wradv",
    ),
    "differential_reflectivity": (
        "zdr", "dr", "differential_reflectivity", "zd", "db_zdr", "log_differential_reflectivity_hv", "uzdr",
        "corrected_differential_reflectivity", "zdrc", "zdr_corrected",
    ),
    "differential_phase": (
        "uphidp", "phidp", "phi_dp", "uncorrected_differential_phase", "differential_phase", "ph", "dp",
        "uphidp_corr", "corrected_differential_phase", "phidp_corr",
    ),
    "cross_correlation": (
        "rhohv", "rho_hv", "rho", "cross_correlation_ratio", "copol_coeff", "copol_correlation_coeff", "urhohv", "rh",
        "uncorrected_cross_correlation_ratio", "copolar_correlation_coefficient", "cross_correlation", "cc", "rx",
        "corrected_cross_correlation_ratio", "rhohv_nnc",
    ),
    "specific_differential_phase": (
        "kdp", "kd", "specific_differential_phase", "specific_differential_phase_hv", "kdp_bringi",
        "corrected_specific_differential_phase",
    ),
    "signal_quality": (
        "sqih", "sqi", "sqi_h", "ncp", "normalized_coherent_power", "signal_quality_index", "signal_quality", "nc",
    ),
    "signal_to_noise": (
        "snrh", "snr", "snrhc", "snr_h", "signal_to_noise_ratio", "signal_to_noise", "sn",
    ),
}  # fmt: skip

# Standard names of CfRadial 1.x and 2, for files whose variables are called anything
STANDARD_NAMES: Mapping[str, str] = {
    "equivalent_reflectivity_factor": "reflectivity",
    "radar_equivalent_reflectivity_factor": "reflectivity",
    "radar_equivalent_reflectivity_factor_h": "reflectivity",
    "radial_velocity_of_scatterers_away_from_instrument": "velocity",
    "radial_velocity_of_scatterers_away_from_instrument_h": "velocity",
    "radial_velocity_of_scatterers_toward_instrument": "velocity",
    "doppler_spectrum_width": "spectral_width",
    "radar_doppler_spectrum_width": "spectral_width",
    "radar_doppler_spectrum_width_h": "spectral_width",
    "log_differential_reflectivity_hv": "differential_reflectivity",
    "radar_differential_reflectivity_hv": "differential_reflectivity",
    "differential_phase_hv": "differential_phase",
    "radar_differential_phase_hv": "differential_phase",
    "cross_correlation_ratio_hv": "cross_correlation",
    "radar_correlation_coefficient_hv": "cross_correlation",
    "specific_differential_phase_hv": "specific_differential_phase",
    "radar_specific_differential_phase_hv": "specific_differential_phase",
    "normalized_coherent_power": "signal_quality",
    "radar_normalized_coherent_power": "signal_quality",
    "signal_quality_index": "signal_quality",
    "signal_to_noise_ratio": "signal_to_noise",
    "signal_to_noise_ratio_copolar_h": "signal_to_noise",
    "radar_signal_to_noise_ratio_copolar_h": "signal_to_noise",
}


def checked(names: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return the names of moments as they are asked for, each once; None for all.

    Raises
    ------
    UserError
        There is no moment of such a name; the message has the nearest one.
    """
    if names is None:
        return None
    wanted = (names,) if isinstance(names, str) else tuple(dict.fromkeys(names))
    for name in wanted:
        if name not in MOMENTS:
            raise UserError(f"no moment {name!r}{nearest(name, MOMENTS)}; there are: {', '.join(MOMENTS)}")
    return wanted


def moment_of(name: str) -> str | None:
    """Return the moment that a name of any format stands for, or None."""
    return next((moment for moment, names in NAMES.items() if name.lower() in names), None)


def chosen(
    names: Iterable[str], wanted: Iterable[str] | None, standard: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return which of a file's names to read for each moment.

    Parameters
    ----------
    names
        What the file calls its fields.
    wanted
        Moments to look for; None for all.
    standard
        For fields that have one: their standard name, which decides where no name is known.
    """
    ours = list(names)
    known: dict[str, str] = {}
    for name in ours:
        known.setdefault(name.lower(), name)
    found: dict[str, str] = {}
    for moment in MOMENTS if wanted is None else wanted:
        field = next((known[n] for n in NAMES[moment] if n in known), None)
        if field is None and standard:
            field = next((n for n in ours if STANDARD_NAMES.get(standard.get(n, "")) == moment), None)
        if field is not None:
            found[moment] = field
    return found
