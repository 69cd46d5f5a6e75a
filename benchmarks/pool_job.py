#!/opt/dynamo/bin/python
"""What an expert would write instead of dynamo: the steps of a nowcast as a plain script, run by a DAG of his own.

Called in the folder where HTCondor put the inputs: ``prepare``, ``leads FIRST LAST``, ``previews`` or ``all``. It has
no specification, no digests, no reports, no logs of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dynamo.workflows import products
from dynamo.workflows.nowcast import tasks

LEADS = range(31)
LEVELS = (20.0, 35.0, 45.0, 55.0)
AREA = (-98.0, 31.81, -96.09, 33.41)


def prepare() -> None:
    """Read the sweeps, estimate the motion."""
    sweeps = sorted(Path().glob("*.netcdf.gz"))
    sequence, latest = Path("frames.nc"), Path("latest.nc")
    tasks.ingest(sweeps, sequence, latest, area=AREA, cells=(400, 400), window=4.0, highest=3.0)
    tasks.estimate_motion(sequence, Path("motion.nc"), method="lk")
    products.legend(latest, Path("legend.png"))


def leads(first: int, last: int) -> None:
    """Make the products of some lead times."""
    for lead in range(first, last + 1):
        grid = Path(f"reflectivity_{lead:02d}.nc")
        tasks.extrapolate(Path("latest.nc"), Path("motion.nc"), grid, lead=lead)
        products.plot(grid, grid.with_suffix(".png"), grid.with_suffix(".json"))
        products.contour(grid, Path(f"polygons_{lead:02d}.geojson"), levels=LEVELS, min_points=12)


def previews() -> None:
    """Make the animation and the contact sheet."""
    grids = [Path(f"reflectivity_{lead:02d}.nc") for lead in LEADS]
    tasks.animate(grids, Path("nowcast.gif"))
    six = [grids[round(i * (len(grids) - 1) / 5)] for i in range(6)]
    tasks.sheet(six, Path("nowcast.png"), motion=Path("motion.nc"), levels=LEVELS[1:3])


def main(step: str, *numbers: str) -> None:
    """Do one step, or all."""
    if step in ("prepare", "all"):
        prepare()
    if step in ("leads", "all"):
        leads(*map(int, numbers or (LEADS[0], LEADS[-1])))
    if step in ("previews", "all"):
        previews()


if __name__ == "__main__":
    main(*sys.argv[1:])
