"""Compiling ahead: what the loops of hail and wind take when they are called for the first time on a machine.

Nothing enters; what Numba makes of the loops is on disk afterwards (see `dynamo.compiled`), for all later processes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from dynamo.radar.polar import Sweep

__all__ = ["warm"]


def warm() -> None:
    """Tell hail and wind of a made-up volume, so that no first run has to wait for the compiler."""
    from dynamo.radar.environment import given
    from dynamo.radar.gates import on_grid
    from dynamo.radar.hail import hail
    from dynamo.radar.hydrometeors import classified
    from dynamo.radar.polar import default_geometry
    from dynamo.radar.scheme import scheme, schemes
    from dynamo.radar.volume import volumes
    from dynamo.radar.wind import wind_grid, wind_speed

    sweeps = [_sweep(elevation) for elevation in (0.5, 2.0, 5.0, 10.0, 20.0)]
    place = default_geometry(sweeps[:1])
    air = given(4000.0, 7000.0)
    for name in schemes():
        classified(sweeps[0], scheme(name), air.temperature_at)
    (volume,) = volumes(sweeps, timedelta(minutes=5))
    on_grid(hail(volume, air.freezing_level, air.minus20_level, band="S"), place, "mesh")
    wind_grid(wind_speed(sweeps[0]), place, band=(200.0, 600.0))


def _sweep(elevation: float) -> Sweep:
    """Return a sweep of a storm with all moments."""
    shape = (360, 400)
    ray, gate = np.indices(shape, dtype="f4")
    storm = 55 * np.exp(-(((gate - 200) / 60) ** 2) - ((ray - 180) / 40) ** 2)
    moments = {
        "reflectivity": storm,
        "velocity": 20 * np.cos(np.radians(ray)) + np.sin(gate),
        "differential_reflectivity": storm / 20,
        "differential_phase": 30 + np.cumsum(storm > 40, axis=1) * 0.5 + np.sin(gate),
        "cross_correlation": np.full(shape, 0.98),
        "signal_quality": np.full(shape, 0.9),
        "signal_to_noise": np.full(shape, 30.0),
    }
    return Sweep(
        azimuths=np.arange(shape[0], dtype="f8"),
        ranges=250.0 * np.arange(1, shape[1] + 1),
        elevation=elevation,
        moments={name: values.astype("f4") for name, values in moments.items()},
        undetect=np.zeros(shape, bool),
        latitude=46.0,
        longitude=8.0,
        altitude=300.0,
        time=datetime(2024, 1, 1, tzinfo=UTC),
        radar="made up",
        nyquist=15.0,
    )
