"""The peer of skill.py: pysteps' Lucas-Kanade and semi-Lagrangian extrapolation, in pysteps' own environment.

Reads an ``.npz`` of frames (oldest first, equally spaced, dBZ with 0 for no echo), writes one of forecasts
for whole minutes 0 to 30 and the seconds both parts took.
"""

import sys
import time
from pathlib import Path

import numpy as np
from pysteps.extrapolation.semilagrangian import extrapolate
from pysteps.motion.lucaskanade import dense_lucaskanade


def main(task: Path, answer: Path) -> None:
    with np.load(task) as given:
        frames, apart, leads = given["frames"], float(given["apart"]), given["leads"]
    start = time.perf_counter()
    motion = dense_lucaskanade(frames.astype("f8")) / apart
    middle = time.perf_counter()
    every = [float(m) for m in range(1, 31)]
    forecasts = extrapolate(frames[-1].astype("f8"), motion, every)
    end = time.perf_counter()
    chosen = np.array([forecasts[int(lead) - 1] for lead in leads], dtype="f4")
    np.savez(answer, forecasts=chosen, seconds=[middle - start, end - middle])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
