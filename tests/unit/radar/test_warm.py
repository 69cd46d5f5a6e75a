"""Compiling ahead for images: all loops of hail and wind, so that a fresh container's first sweep waits for none."""

from __future__ import annotations

import os
import subprocess
import sys

USE = """
import sys
from pathlib import Path
from dynamo.workflows.hail.tasks import MEASURES, identify, measure
from dynamo.workflows.wind.tasks import unfold
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
air = {"freezing_level": 4100.0, "minus20_level": 7000.0}
for radar in ("addison", "cleburne", "denton"):
    sweep = max((folder / "casa").glob(radar + "*.gz"))
    identify(sweep, out / "classes.nc", **air)
    unfold(sweep, out / "speeds.nc")
identify(folder / "hail" / "MLL2217907250U.004.nc", out / "classes.nc", **air)
measure(sorted((folder / "hail").glob("MLL*.nc")), [out / q for q in MEASURES], **air)
"""


def test_what_is_compiled_ahead_is_all_that_real_files_need(tmp_path, samples):
    """A process that warms up writes the cache; one that then tells hail and wind of real files adds nothing to it."""
    kept = tmp_path / "kept"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(kept)}

    def call(*arguments):
        subprocess.run([sys.executable, "-c", *map(str, arguments)], check=True, env=environment)
        return {path.name for path in kept.rglob("*.nbc")}

    warmed = call("from dynamo.radar.warm import warm; warm()")
    assert len(warmed) > 5
    assert call(USE, samples, tmp_path) == warmed
