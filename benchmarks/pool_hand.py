"""The DAG of a nowcast as an expert writes it by hand, for `pool.py`: four jobs, or all in one.

What comes back lands where products belong, so nothing is collected. It asks for the same slots as dynamo's jobs do.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

__all__ = ["ONE", "PARTED", "write"]

HERE = Path(__file__).resolve().parent
PREPARED = ["frames.nc", "latest.nc", "motion.nc", "legend.png"]
PREVIEWS = ["nowcast.gif", "nowcast.png"]
SUBMIT = """universe = vanilla
executable = pool_job.py
arguments = $(step)
initialdir = products
should_transfer_files = YES
when_to_transfer_output = ON_EXIT
transfer_input_files = $(sent)
transfer_output_files = $(made)
output = ../$(JOB).out
error = ../$(JOB).err
request_cpus = 1
request_memory = 1024
queue
"""
#: Names of the two DAGs.
PARTED, ONE = "parted", "one"


def _of(first: int, last: int) -> list[str]:
    """What the lead times from `first` to `last` leave."""
    kinds = (
        "reflectivity_{:02d}.nc",
        "reflectivity_{:02d}.png",
        "reflectivity_{:02d}.json",
        "polygons_{:02d}.geojson",
    )
    return [kind.format(lead) for lead in range(first, last + 1) for kind in kinds]


def _node(name: str, step: str, sent: Sequence[str], made: Sequence[str]) -> str:
    return (
        f'JOB {name} job.sub\nVARS {name} step="{step}" sent="{", ".join(sent)}" made="{", ".join(made)}"\n'
    )


def write(folder: Path, sweeps: Path) -> None:
    """Write both DAGs into `folder`; the radar files lie in `sweeps`."""
    (folder / "products").mkdir(parents=True)
    (folder / "job.sub").write_text(SUBMIT)
    shutil.copy(HERE / "pool_job.py", folder)
    (folder / "pool_job.py").chmod(0o755)
    raw = [f"{sweeps}/{path.name}" for path in sorted(sweeps.glob("*.netcdf.gz"))]
    low, high = _of(0, 14), _of(15, 30)
    grids = [name for name in (*low, *high) if name.endswith(".nc")]
    parted = [
        _node("prepare", "prepare", raw, PREPARED),
        _node("low", "leads 0 14", ["latest.nc", "motion.nc"], low),
        _node("high", "leads 15 30", ["latest.nc", "motion.nc"], high),
        _node("previews", "previews", ["motion.nc", *grids], PREVIEWS),
        "PARENT prepare CHILD low high\nPARENT low high CHILD previews\n",
    ]
    (folder / f"{PARTED}.dag").write_text("".join(parted))
    (folder / f"{ONE}.dag").write_text(_node("all", "all", raw, [*PREPARED, *low, *high, *PREVIEWS]))
