"""The tasks of the nowcast that keep what they read: the result does not depend on what is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from dynamo.workflows.nowcast import workflow as chain

from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.motion import estimate_motion, write_motion
from dynamo.radar.netcdf import write_grid

GEOMETRY = Geometry(-98.0, 33.0, 0.01, -0.01, 100, 80)


def frame(minute: int) -> Grid:
    values = np.full(GEOMETRY.shape, -32.0)
    values[20 + minute : 30 + minute, 20 + minute : 40 + minute] = 40.0
    time = datetime(2026, 3, 25, 5, tzinfo=UTC) + timedelta(minutes=minute)
    return Grid.from_values(values, GEOMETRY, time, undetect=values < 0)


def test_lead_times_of_one_process_are_those_of_many(tmp_path):
    """A task that finds the frame already read writes the same bytes; a frame that changed is read anew."""
    frames = [frame(minute) for minute in (0, 5)]
    write_motion(tmp_path / "motion.nc", estimate_motion(frames))
    outputs = {}
    for number, latest in enumerate(frames):
        write_grid(tmp_path / "latest.nc", latest)
        for state in ("cold", "warm"):
            if state == "cold":
                chain._carrier.cache_clear()
            for lead in (7, 3):
                out = tmp_path / "grid.nc"
                chain.extrapolate(tmp_path / "latest.nc", tmp_path / "motion.nc", out, lead=lead)
                outputs[number, state, lead] = out.read_bytes()
        assert outputs[number, "cold", 3] == outputs[number, "warm", 3]
        assert outputs[number, "cold", 7] == outputs[number, "warm", 7]
    write_grid(tmp_path / "latest.nc", frames[0])
    chain.extrapolate(tmp_path / "latest.nc", tmp_path / "motion.nc", tmp_path / "grid.nc", lead=3)
    assert (tmp_path / "grid.nc").read_bytes() == outputs[0, "cold", 3]
