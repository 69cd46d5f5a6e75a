"""The quantities that a grid may hold: names of CF where there are any, units, and what stands for nothing detected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["QUANTITIES", "Quantity"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A gridded quantity: its CF names, its unit, and the value that stands for "nothing detected".

    `standard_name` is empty where CF has none.
    """

    name: str
    standard_name: str
    long_name: str
    units: str
    floor: float


QUANTITIES: Mapping[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        Quantity("reflectivity", "equivalent_reflectivity_factor", "radar reflectivity", "dBZ", -32.0),
        Quantity("rain_rate", "lwe_precipitation_rate", "rain rate", "mm h-1", 0.0),
        Quantity("hail_class", "", "severity of hail by class of hydrometeor", "1", 0.0),
        Quantity("mesh", "", "maximum expected size of hail", "mm", 0.0),
        Quantity("shi", "", "severe hail index", "J m-1 s-1", 0.0),
        Quantity("posh", "", "probability of severe hail", "%", 0.0),
        Quantity("poh", "", "probability of hail", "%", 0.0),
        Quantity("echo_top", "", "height of the highest echo above sea level", "m", 0.0),
        Quantity("wind_speed", "", "highest radial wind speed near the ground", "m s-1", 0.0),
    )
}
