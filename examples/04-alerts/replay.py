"""Let a storm that is over pass again: its frames appear one by one in a folder, as if they were measured now.

    python replay.py incoming --every 1.5 --products products

Real frames over Dallas/Fort Worth (29 March 2017) where they are found, with the hospitals there; else the built-in
storm, with made-up places. Times are moved so that the last frame is of now: what warns of a time that is long over
is not sent to anybody. With `--products` a frame waits until that before it was nowcast: on any machine the same is
told.
"""

import argparse
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from dynamo.radar.grid import Grid
from dynamo.radar.netcdf import write_grid
from dynamo.radar.readers import read
from dynamo.radar.storm import storm

SAMPLES = Path(os.environ.get("DYNAMO_SAMPLES", "../shared/data"))
FRAMES = "grids/casa_dfw_merged_1min_40x400x400.nc"
HOSPITALS = "casa/hospital_locations.geojson"
HISTORY = 4  # frames that the first run needs, as alerts.yaml says


def main() -> None:
    """Do what the command line says."""
    words = argparse.ArgumentParser()
    words.add_argument("folder", type=Path, help="where the frames appear")
    words.add_argument("--every", type=float, default=1.5, help="seconds from one frame to the next")
    words.add_argument("--products", type=Path, help="wait for the product of each frame in this folder")
    words.add_argument("--people", type=Path, help="only write who is to be told to this file")
    given = words.parse_args()
    real = (SAMPLES / FRAMES).is_file() and (SAMPLES / HOSPITALS).is_file()
    if given.people:
        given.people.write_text(hospitals() if real else places())
        return
    frames = read(SAMPLES / FRAMES) if real else storm("line", frames=40)
    later = datetime.now(UTC).replace(second=0, microsecond=0) - frames[-1].time
    given.folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames, start=1):
        valid = frame.time + later
        show(frame.with_time(valid), given.folder)
        time.sleep(given.every)
        if given.products and number >= HISTORY:
            wait_for(given.products / f"{valid:%Y%m%dT%H%M%SZ}")


def show(frame: Grid, folder: Path) -> None:
    """Write a frame beside the folder's files, and give it its name when it is whole."""
    file = folder / f"radar-{frame.time:%Y%m%d-%H%M%S}.nc"
    part = folder / f".{file.name}.part"
    write_grid(part, frame)
    part.rename(file)


def wait_for(product: Path) -> None:
    """Wait until a product is there, for ten minutes at most: a run may fail, of which the watch tells."""
    until = time.monotonic() + 600
    while not product.exists() and time.monotonic() < until:
        time.sleep(0.05)


def hospitals() -> str:
    """The hospitals, each with its name as what it is called."""
    return (SAMPLES / HOSPITALS).read_text()


def places() -> str:
    """Nine places in the middle of the built-in storm's grid."""
    grid = storm("line", frames=2)[0].geometry
    features = []
    for row in (1, 2, 3):
        for column in (1, 2, 3):
            place = grid.lonlat(column * grid.nx // 4, row * grid.ny // 4)
            point = {"type": "Point", "coordinates": [round(float(v), 4) for v in place]}
            features.append(
                {"type": "Feature", "properties": {"name": f"Place {row}{column}"}, "geometry": point}
            )
    return json.dumps({"type": "FeatureCollection", "features": features})


if __name__ == "__main__":
    main()
