"""Schemes: what is known of a band, as data, to tell hydrometeors by their moments and to make moments fit for it.

The schemes that come along are in ``schemes/``: ``s-band``, ``c-band``, ``x-band``. Each says where its numbers
come from. A membership function says how well a value fits a class, from 0 to 1: ``1 / (1 + ((x - m) / a)^(2 b))``
(Liu and Chandrasekar 2000, J. Atmos. Oceanic Technol. 17, 140-164), where ``open``
says on which side of `m` all fit. Limits, where a class has any, are hard. For speed the functions are tabulated
once.

What can go wrong: a name that is not there, a file that is no scheme (`DataError`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.errors import DataError, nearest
from dynamo.radar.attenuation import Coefficients
from dynamo.radar.phase import PhaseLimits
from dynamo.radar.quality import Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AXES", "Hydrometeor", "Scheme", "read_scheme", "scheme", "schemes"]

#: Variables that a class may have a function of, and where each is tabulated: first value, step, number of values.
AXES: Mapping[str, tuple[float, float, int]] = {
    "reflectivity": (-20.0, 0.25, 401),
    "differential_reflectivity": (-6.0, 0.05, 321),
    "specific_differential_phase": (-5.0, 0.02, 1501),
    "cross_correlation": (0.5, 0.0025, 241),
    "temperature": (-90.0, 0.5, 301),
}


@dataclass(frozen=True, slots=True)
class Hydrometeor:
    """A class of hydrometeors.

    Parameters
    ----------
    name
        Its name.
    severity
        What `hail_class` it is.
    liquid
        Whether it is nothing but water.
    """

    name: str
    severity: int
    liquid: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Scheme:
    """What is known of a band.

    Parameters
    ----------
    name, band, source
        Its name, the band (S, C or X), and where its numbers come from.
    classes
        In the order of their numbers, from 1.
    tables
        ``(variable, value, class)`` float32, as in `AXES`; a variable's values fill the beginning.
    weights
        ``(variable,)`` float32; 0 where a variable multiplies the rest instead of being added to it.
    heavy, rain_limit
        dBZ from which rain is heavy, and which rain alone does not reach, as an S-band radar measures.
    large
        Hail differential reflectivity, dB, from which hail is large; infinite where the band does not tell.
    to_s_band
        Factor and dB that make reflectivity such as an S-band radar would measure.
    smallest_hail
        Hail in fewer gates that touch is doubtful.
    smoothing
        m along a ray, over which differential reflectivity and correlation are averaged.
    quality, phase, attenuation
        How moments are made fit.
    """

    name: str
    band: str
    source: str
    classes: tuple[Hydrometeor, ...]
    tables: NDArray[np.float32]
    weights: NDArray[np.float32]
    heavy: float
    rain_limit: float
    large: float
    to_s_band: tuple[float, float]
    smallest_hail: int
    smoothing: float
    quality: Limits
    phase: PhaseLimits
    attenuation: Coefficients


def schemes() -> tuple[str, ...]:
    """Return the names of the schemes that come along."""
    folder = resources.files("dynamo.radar") / "schemes"
    return tuple(sorted(f.name.removesuffix(".json") for f in folder.iterdir() if f.name.endswith(".json")))


@lru_cache(maxsize=16)
def scheme(name: str) -> Scheme:
    """Return a scheme that comes along.

    Raises
    ------
    DataError
        There is none of that name.
    """
    if name not in schemes():
        raise DataError(f"no scheme {name!r}{nearest(name, schemes())}; there are: {', '.join(schemes())}")
    text = (resources.files("dynamo.radar") / "schemes" / f"{name}.json").read_text(encoding="utf-8")
    return _scheme(name, json.loads(text))


def read_scheme(path: Path) -> Scheme:
    """Read a scheme from a file of the same form.

    Raises
    ------
    DataError
        It is no scheme.
    """
    try:
        return _scheme(path.stem, json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(f"{path}: the scheme cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: this is no scheme for hydrometeors: {type(error).__name__}: {error}"
        ) from error


def _scheme(name: str, said: Mapping[str, Any]) -> Scheme:
    classes = said["classes"]
    tables = np.zeros((len(AXES), max(n for *_, n in AXES.values()), len(classes)), dtype="f4")
    for v, (variable, (start, step, size)) in enumerate(AXES.items()):
        values: NDArray[np.float64] = start + step * np.arange(size, dtype="f8")
        for c, about in enumerate(classes.values()):
            tables[v, :size, c] = _fits(values, about.get(variable), about.get("limits", {}).get(variable))
    weights = [0.0 if variable in said["product"] else float(said["weights"][variable]) for variable in AXES]
    return Scheme(
        name=name,
        band=said["band"],
        source=said["source"],
        classes=tuple(
            Hydrometeor(each, int(about["severity"]), bool(about.get("liquid", False)))
            for each, about in classes.items()
        ),
        tables=tables,
        weights=np.array(weights, dtype="f4"),
        heavy=float(said["heavy_rain"]),
        rain_limit=float(said["rain_limit"]),
        large=np.inf if said["large_hail"] is None else float(said["large_hail"]),
        to_s_band=(float(said["to_s_band"][0]), float(said["to_s_band"][1])),
        smallest_hail=int(said["smallest_hail"]),
        smoothing=float(said["smoothing"]),
        quality=Limits(**said["quality"]),
        phase=PhaseLimits(**said["phase"]),
        attenuation=Coefficients(**{k: v for k, v in said["attenuation"].items() if k != "source"}),
    )


def _fits(
    values: NDArray[np.float64],
    function: Mapping[str, Any] | None,
    limits: tuple[float | None, float | None] | None,
) -> NDArray[np.float64]:
    """Return how well values fit a class, 0 to 1; a class without a function is fitted by all."""
    fit = np.ones_like(values)
    if function is not None:
        middle, width, slope = function["beta"]
        fit = 1 / (1 + np.abs((values - middle) / width) ** (2 * slope))
        side = {"above": 1, "below": -1, None: 0}[function.get("open")]
        fit[(values - middle) * side > 0] = 1.0
    if limits is not None:
        low, high = limits
        outside = (values < (-np.inf if low is None else low)) | (values > (np.inf if high is None else high))
        fit[outside] = 0.0
    return fit
