"""Let a squall line that is over pass again: its sweeps appear one by one in a folder, as if they were measured now.

    python replay.py incoming --every 1 --products products

The sweeps of three X-band radars over Dallas/Fort Worth (CASA, 29 March 2017), and the hospitals there; they are
fetched (50 MB) where they are not on this machine. Times are moved so that the last sweep is of now: what warns of
a time that is long over is not sent to anybody. With `--products` a sweep waits until that before it was mapped: on
any machine the same is told, however long the first run compiles.
"""

import argparse
import gzip
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import netCDF4

from dynamo.radar.readers import read_sweeps
from dynamo.radar.samples import fetch


def main() -> None:
    """Do what the command line says."""
    words = argparse.ArgumentParser()
    words.add_argument("folder", type=Path, help="where the sweeps appear")
    words.add_argument("--every", type=float, default=1.0, help="seconds from one sweep to the next")
    words.add_argument("--products", type=Path, help="wait for the product of each sweep in this folder")
    words.add_argument("--hospitals", type=Path, help="only write who is to be told to this file")
    given = words.parse_args()
    sample = fetch("casa")
    if given.hospitals:
        given.hospitals.write_text(next(f for f in sample if f.suffix == ".geojson").read_text())
        return
    sweeps = {f: read_sweeps(f, moments=["velocity"])[0] for f in sample if f.suffix == ".gz"}
    later = datetime.now(UTC).replace(microsecond=0) - max(sweep.time for sweep in sweeps.values())
    given.folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(sweeps, key=lambda f: sweeps[f].time):
        ended = sweeps[file].time + later
        show(file, sweeps[file].radar, ended, later, given.folder)
        time.sleep(given.every)
        if given.products:
            wait_for(given.products / f"{ended:%Y%m%dT%H%M%SZ}")


def show(file: Path, radar: str, ended: datetime, later: timedelta, folder: Path) -> None:
    """Write a sweep of a later time beside the folder's files, and give it its name when it is whole."""
    part = folder / f".{radar}.part"
    part.write_bytes(gzip.decompress(file.read_bytes()))
    with netCDF4.Dataset(part, "r+") as sweep:
        sweep["Time"][:] += round(later.total_seconds())
    part.rename(folder / f"{radar}-{ended:%Y%m%d-%H%M%S}.netcdf")


def wait_for(product: Path) -> None:
    """Wait until a product is there, for ten minutes at most: a run may fail, of which the watch tells."""
    until = time.monotonic() + 600
    while not product.exists() and time.monotonic() < until:
        time.sleep(0.05)


if __name__ == "__main__":
    main()
