"""The radars that are known: band, calibration, and what their files do not say.

A `Registry` is read from YAML (`radars.yaml`, and a file of the user's own); `Registry.of` finds the radar of a
sweep by the name that its file gives. A name alone may be that of another radar elsewhere: an entry is taken only
where the radar stands, if the entry says where, and for the band that the file's wavelength is in.

What can go wrong: the YAML does not fit (`UserError` with file, line and column), or a radar is not in it
(`UnknownRadarError` with the YAML to write).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from math import cos, hypot, radians
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dynamo.errors import UserError, nearest

if TYPE_CHECKING:
    from dynamo.radar.polar import Sweep

__all__ = ["Band", "Radar", "Registry", "UnknownRadarError", "band_of", "read_registry"]

Band = Literal["S", "C", "X"]

# Wavelengths in m, as the bands are in use by weather radars: 2-4, 4-8 and 8-12 GHz (IEEE Standard 521)
BANDS: dict[Band, tuple[float, float]] = {"S": (0.075, 0.15), "C": (0.0375, 0.075), "X": (0.025, 0.0375)}
SAME_SITE = 5.0  # km
KM_PER_DEGREE = 111.2


class UnknownRadarError(UserError):
    """No entry fits a sweep; `reasons` says of those of its name why."""

    def __init__(self, message: str, radar: str, reasons: str) -> None:
        super().__init__(message)
        self.radar = radar
        self.reasons = reasons

    def warning(self, taken: str) -> str:
        """Return what a product says of a radar that is taken as its files say."""
        why = f"fits no entry of the registry: {self.reasons};" if self.reasons else "is in no registry:"
        return f"radar {self.radar!r} {why} taken {taken}, uncalibrated"


@dataclass(frozen=True, slots=True)
class Radar:
    """A radar, and what is to be known of it to use its moments.

    Parameters
    ----------
    name
        Its name.
    band
        S, C or X.
    names
        What its files call it; ``*``, ``?`` and ``[A-Z]`` stand for others, as in names of files.
    site
        Latitude and longitude, degrees; None where it moves or for radars of a kind.
    reflectivity_offset, differential_reflectivity_offset
        Calibration, dB to add to what was measured.
    system_phase
        Differential phase where there is no rain yet, degrees; None where it is to be taken from the data.
    nyquist
        Velocity at which radial velocities fold, m/s, for files that do not say it; None where they do.
    elevations
        Of its scan, degrees, rising; empty where it varies.
    every
        Seconds from one scan to the next; None where it varies.
    scheme
        Which scheme tells its hydrometeors; see `dynamo.radar.scheme`.
    wavelength_needed
        Whether it is only of files that tell a wavelength of its band: for names that other radars have, too.
    """

    name: str
    band: Band
    names: tuple[str, ...] = ()
    site: tuple[float, float] | None = None
    reflectivity_offset: float = 0.0
    differential_reflectivity_offset: float = 0.0
    system_phase: float | None = None
    nyquist: float | None = None
    elevations: tuple[float, ...] = ()
    every: float | None = None
    scheme: str = ""
    wavelength_needed: bool = False

    def __post_init__(self) -> None:
        if not self.names:
            object.__setattr__(self, "names", (self.name,))
        if not self.scheme:
            object.__setattr__(self, "scheme", f"{self.band.lower()}-band")

    def calibrated(self, sweep: Sweep) -> Sweep:
        """Return the sweep with this radar's offsets added, and its Nyquist velocity where the file said none."""
        moments = dict(sweep.moments)
        for moment, offset in (
            ("reflectivity", self.reflectivity_offset),
            ("differential_reflectivity", self.differential_reflectivity_offset),
        ):
            if offset and moment in moments:
                moments[moment] = (moments[moment] + offset).astype("f4")
        nyquist = self.nyquist if sweep.nyquist is None else sweep.nyquist
        return replace(sweep, moments=moments, nyquist=nyquist)

    def misfit(self, sweep: Sweep) -> str:
        """Return in words why a sweep cannot be of this radar; empty where it can."""
        if self.site is not None and (away := _distance(sweep, *self.site)) > SAME_SITE:
            swapped = _distance(sweep, *reversed(self.site)) <= SAME_SITE
            hint = " (are latitude and longitude swapped?)" if swapped else ""
            return f"{self.name!r} is {away:.0f} km away{hint}"
        band = band_of(sweep)
        if band is None and self.wavelength_needed:
            return f"{self.name!r} is only of files that tell a wavelength of {self.band} band"
        if band is not None and band != self.band:
            return f"{self.name!r} is of {self.band} band, its files say {band} band"
        return ""


@dataclass(frozen=True, slots=True)
class Registry:
    """Radars, those of the user first."""

    radars: tuple[Radar, ...]

    def of(self, sweep: Sweep) -> Radar:
        """Return the radar of a sweep, called as its file calls it where the entry is for many.

        An entry that has the very name goes before one whose pattern fits.

        Raises
        ------
        UnknownRadarError
            No entry fits; the message has the nearest name and the YAML to write.
        """
        exact = [r for r in self.radars if sweep.radar in (r.name, *r.names)]
        alike = [r for r in self.radars if any(fnmatchcase(sweep.radar, name) for name in r.names)]
        for radar in exact:
            if not radar.misfit(sweep):
                return radar
        for radar in alike:
            if radar not in exact and not radar.misfit(sweep):
                return replace(radar, name=sweep.radar)
        reasons = "; ".join(r.misfit(sweep) for r in (*exact, *(r for r in alike if r not in exact)))
        raise UnknownRadarError(_unknown(sweep, reasons, self.radars), sweep.radar, reasons)

    def find(self, sweep: Sweep) -> tuple[Radar, str]:
        """Return the radar of a sweep as `of` does, and a warning for its products: empty where an entry fits.

        Where none does, the radar is one of the band that the file's wavelength is in, of which nothing else is known;
        the warning says why entries of its name do not fit.

        Raises
        ------
        UnknownRadarError
            No entry fits, and the file tells no wavelength; the message has the YAML to write.
        """
        try:
            return self.of(sweep), ""
        except UnknownRadarError as error:
            if (band := band_of(sweep)) is None:
                raise
            warning = error.warning(f"as of {band} band, as its files say")
        return Radar(sweep.radar, band), warning


def band_of(sweep: Sweep) -> Band | None:
    """Return the band that the wavelength of a sweep is in; None where its file says none, or one of no known band."""
    if sweep.wavelength is None:
        return None
    return next((band for band, (low, high) in BANDS.items() if low <= sweep.wavelength < high), None)


def _distance(sweep: Sweep, latitude: float, longitude: float) -> float:
    """Return how far from a place the radar of a sweep stands, km."""
    north, east = sweep.latitude - latitude, (sweep.longitude - longitude + 180) % 360 - 180
    return KM_PER_DEGREE * hypot(north, east * cos(radians(sweep.latitude)))


def _unknown(sweep: Sweep, reasons: str, known: Iterable[Radar]) -> str:
    """Return what to do about a radar that is not there."""
    hint = (
        f" ({reasons})" if reasons else nearest(sweep.radar, [n for r in known for n in (r.name, *r.names)])
    )
    name, said = json.dumps(sweep.radar, ensure_ascii=False), band_of(sweep)
    band = f"{said}  # as its files say" if said else "S  # or C, or X"
    return (
        f"the radar {sweep.radar!r} is not in the registry of radars{hint}; write it into a YAML file of your own:\n"
        f"radars:\n  {name}:\n    band: {band}\n"
        f"    site: [{sweep.latitude:.4f}, {sweep.longitude:.4f}]\n"
    )


def read_registry(path: str | Path | None = None) -> Registry:
    """Return the radars that come with dynamo, and those of a file, which go first and replace those of their names.

    Parameters
    ----------
    path
        YAML of the user's own; None for none.

    Raises
    ------
    UserError
        The file cannot be read or does not fit; with file, line and column.
    """
    from dynamo.radar.registry_file import read_radars, shipped_radars

    ours = shipped_radars()
    if path is None:
        return Registry(ours)
    theirs = read_radars(Path(path))
    replaced = {radar.name for radar in theirs}
    return Registry((*theirs, *(radar for radar in ours if radar.name not in replaced)))
