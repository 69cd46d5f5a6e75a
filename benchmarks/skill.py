"""Skill and time of nowcasts on real sequences, against persistence and pysteps measured in the same run.

``python benchmarks/skill.py --peer-python .venv-bench/bin/python --write docs/skill.md``

For every sequence and start, each method forecasts 5 to 30 minutes ahead; all are scored over the same cells
(those that every method, pysteps included, could know), and the counts of all starts are pooled. Sums are
taken by `dynamo.radar.scores`, at 35 dBZ and a window of 5 km, with a floor of 0 dBZ.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import numpy as np

from dynamo.radar.extrapolation import Extrapolator
from dynamo.radar.grid import Cell, Grid
from dynamo.radar.motion import estimate_motion
from dynamo.radar.readers import read
from dynamo.radar.scores import Scores, compare

HERE = Path(__file__).resolve().parent
METHODS = ("lk", "darts", "dis")
LEADS = (5, 10, 15, 20, 30)
HISTORY = timedelta(minutes=15)
PEER = "pysteps"
# first:last:stride of the frames to start from: a start costs the peer up to a minute.
STARTS = {"casa": "8::5", "mrms": "8:21:6", "opera": "2:7:2"}
# What pysteps' Lucas-Kanade gave on the machine where the project was laid out: CSI and FSS at 35 dBZ.
BARS = {
    "casa": ((0.21, 0.68), (0.12, 0.49), (0.10, 0.39), (0.07, 0.30), (0.09, 0.32)),
    "mrms": ((0.78, 0.96), (0.66, 0.90), (0.58, 0.84), (0.54, 0.81), (0.44, 0.71)),
}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    samples = os.environ.get("DYNAMO_SAMPLES", HERE.parents[1] / "shared" / "data")
    words.add_argument("--sequences", nargs="*", type=Path, help="files of a sequence each")
    words.add_argument("--starts", help="first:last:stride of the frames to start from, for all sequences")
    words.add_argument("--peer-python", help="a Python that has pysteps")
    words.add_argument("--write", type=Path, help="also write the table to this file")
    given = words.parse_args()
    sequences = given.sequences or sorted(Path(samples, "grids").glob("*.nc"))
    if not given.peer_python:
        print("NO PEER: --peer-python was not given, so pysteps is not measured", file=sys.stderr)
    tables = [
        measure(path, given.starts or STARTS.get(path.name.split("_")[0], "8::5"), given.peer_python)
        for path in sequences
    ]
    text = "\n".join([HEAD, *tables, TRIED])
    print(text)
    if given.write:
        given.write.write_text(text, encoding="utf-8")


def measure(path: Path, starts: str, peer: str | None) -> str:
    """Return the table of one sequence."""
    frames = read(path)
    minutes = round((frames[1].time - frames[0].time).total_seconds() / 60)
    first, last, stride = (int(x) if x else None for x in starts.split(":"))
    # the peer's second pair of frames and our own history must lie before the start
    first = min(first or 0, len(frames) // 6) if minutes >= 5 else first
    chosen = range(len(frames))[first:last:stride]
    scores: dict[tuple[str, int], Scores] = defaultdict(Scores)
    seconds: dict[str, list[float]] = defaultdict(list)
    used = []
    for start in chosen:
        if start + -(-LEADS[1] // minutes) < len(frames):
            used.append(start)
            one(frames, start, minutes, peer, scores, seconds)
            print(path.name, start, file=sys.stderr)
    return table(path, minutes, used, scores, seconds)


def one(frames, start, minutes, peer, scores, seconds) -> None:
    """Forecast from one frame with every method and add the sums."""
    frame = frames[start]
    history = [f for f in frames[: start + 1] if frame.time - f.time <= HISTORY]
    # frames are verified at the time of the nearest one, and forecast for that time
    steps = {lead: round(lead / minutes) for lead in LEADS}
    valid = [lead for lead in LEADS if start + steps[lead] < len(frames)]
    forecasts: dict[str, dict[int, Grid]] = {
        "persistence": dict.fromkeys(valid, frame),
    }
    for method in METHODS:
        begin = time.perf_counter()
        motion = estimate_motion(history, method=method)
        middle = time.perf_counter()
        carried = Extrapolator(frame, motion)
        for minute in range(31):
            carried(minute)
        seconds[method].append(middle - begin)
        seconds[f"{method} 31 leads"].append(time.perf_counter() - middle)
        forecasts[method] = {lead: carried(steps[lead] * minutes) for lead in valid}
    if peer:
        apart = 3 if minutes < 5 else 1
        images = np.array([dbz(f) for f in frames[start - 2 * apart : start + 1 : apart]])
        times = [steps[lead] * minutes for lead in valid]
        fields, took = ask(peer, images, apart * minutes, times)
        forecasts[PEER] = {
            lead: Grid.from_values(np.nan_to_num(f), frame.geometry, frame.time, out_of_range=np.isnan(f))
            for lead, f in zip(valid, fields, strict=True)
        }
        seconds[PEER].append(took[0])
        seconds[f"{PEER} 31 leads"].append(took[1])
    for lead in valid:
        observed = frames[start + steps[lead]]
        mask = np.logical_and.reduce([f[lead].known for f in forecasts.values()])
        for name, grids in forecasts.items():
            scores[name, lead] += compare(grids[lead], observed, 35.0, window_km=5.0, mask=mask)


def dbz(frame: Grid):
    """What pysteps is given: no echo and no data alike are 0 dBZ."""
    return np.maximum(np.where(frame.status == Cell.ECHO, frame.values, 0), 0).astype("f4")


def ask(peer: str, images, apart: float, leads: list[float]):
    with tempfile.TemporaryDirectory() as folder:
        task, answer = Path(folder, "task.npz"), Path(folder, "answer.npz")
        np.savez(task, frames=images, apart=apart, leads=leads)
        subprocess.run([peer, HERE / "skill_peer.py", task, answer], check=True, stdout=subprocess.DEVNULL)
        with np.load(answer) as given:
            return given["forecasts"], given["seconds"]


def table(path: Path, minutes: int, starts: list[int], scores, seconds) -> str:
    names = list(dict.fromkeys(name for name, _ in scores))
    leads = [lead for lead in LEADS if (names[0], lead) in scores]
    lines = [
        f"## {path.name}",
        "",
        (
            f"Frames every {minutes} min; started from frames {', '.join(map(str, starts))} "
            "(counted from 0). Cells: CSI / FSS / MAE in dB."
        ),
        "",
        "| method | " + " | ".join(f"{lead} min" for lead in leads) + " | motion, s | 31 leads, s |",
        "|" + "---|" * (len(leads) + 3),
    ]
    for name in names:
        row = [(s.csi, s.fss, s.mae) for s in (scores[name, lead] for lead in leads)]
        cells = " | ".join(f"{c:.2f} / {f:.2f} / {m:.1f}" for c, f, m in row)
        took = [np.median(seconds[k]) if k in seconds else 0 for k in (name, f"{name} 31 leads")]
        title = f"**{name}** (default)" if name == "lk" else name
        lines.append(f"| {title} | {cells} | " + " | ".join(f"{t:.3f}" if t else "" for t in took) + " |")
    bar = next((b for key, b in BARS.items() if path.name.startswith(key)), None)
    if bar:
        cells = " | ".join(f"{c:.2f} / {f:.2f}" for c, f in bar)
        lines.append(f"| the bar, measured once before | {cells} | | |")
    lines += ["", *verdict(leads, scores, seconds), ""]
    return "\n".join(lines)


def verdict(leads, scores, seconds) -> list[str]:
    """Say in words where the default is behind."""
    out = []
    for other, slack, since in (("persistence", 0.0, 10), (PEER, 0.01, 5)):
        behind = [
            f"{name.upper()} at {lead} min ({mine:.3f} against {theirs:.3f})"
            for lead in leads
            if lead >= since and (other, lead) in scores
            for name in ("csi", "fss")
            if (mine := getattr(scores["lk", lead], name))
            < (theirs := getattr(scores[other, lead], name)) - slack
        ]
        if other == PEER and PEER not in seconds:
            out.append("pysteps was not measured in this run.")
        else:
            allowed = f" (less {slack})" if slack else ""
            out.append(
                f"Against {other}{allowed}: "
                + (f"behind in {', '.join(behind)}." if behind else "never behind.")
            )
    if PEER in seconds:
        mine, theirs = (np.median(seconds[n]) + np.median(seconds[f"{n} 31 leads"]) for n in ("lk", PEER))
        out.append(
            f"Time of motion and 31 lead times: {mine:.3f} s, pysteps {theirs:.2f} s: "
            f"{theirs / mine:.0f} times as long."
        )
    return ["  \n".join(out)]


HEAD = """# Skill of the nowcast

Made by

    python benchmarks/skill.py --peer-python .venv-bench/bin/python --write docs/skill.md

where `.venv-bench` has pysteps (`make bench` prepares it). Each method forecasts from the same frames; scores are
at 35 dBZ, the fractions skill score in a window of 5 km, the mean absolute error over cells where forecast or
observation reach 5 dBZ, with a floor of 0 dBZ. They are pooled over all starts, and only cells count that every
method could know. Where no frame lies exactly at a lead time the nearest is taken (of two, the even
count of frames, as for the bar), and the forecast is made for its time.
`pysteps` is its Lucas-Kanade on three frames (three steps apart where frames come
every one or two minutes) with its semi-Lagrangian extrapolation. Times are medians on one core that
other work shares, without reading files: take them as ratios.

"""

TRIED = """## What is missed, and what was tried

Acceptance: CSI and FSS not more than 0.01 below the bar, and above persistence from 10 minutes on. Missed are, in the
first sequence, FSS at 5 minutes (by 0.01), at 20 minutes (by less than 0.01) and at 30 minutes (by 0.10), and CSI at
30 minutes (by 0.02), where one start alone counts. Echo there crosses 3 to 4 cells a minute, and a few vectors more
or less change FSS at 20 minutes by 0.02. Over all 24 starts of that sequence the default is equal to pysteps or
ahead in CSI, and up to 0.02 behind in FSS. In the third sequence pysteps is behind persistence in CSI at every lead
time: clutter stands in moving rain.

Mean over lead times of CSI and FSS, at 35 dBZ (KNMI, twelve frames every 5 minutes: 20 dBZ), one change at a time
against the default as it was before:

| change | CASA, all starts | MRMS | OPERA | KNMI | kept |
|---|---|---|---|---|---|
| before | .123 / .430 | .620 / .862 | .123 / .373 | .644 / .859 | |
| nearest instead of linear values | +.000 -.001 | -.008 -.001 | +.001 +.013 | +.006 +.005 | |
| cubic or Lanczos within neighbours | -.000 +.002 | -.004 +.000 | +.000 +.009 | -.000 +.001 | |
| greater of linear and nearest | +.001 -.001 | -.003 -.000 | +.003 +.013 | +.007 +.006 | yes |
| vectors far from a linear field dropped | -.005 -.012 | +.000 +.000 | +.001 +.006 | +.015 +.009 | yes |
| the same, as weights | -.006 -.015 | -.004 -.003 | -.002 -.001 | +.011 +.007 | |
| field blended with the linear field | -.010 -.025 | -.002 -.001 | -.004 -.005 | +.001 +.001 | |
| smoothing over 60 vectors, 1/distance | -.001 +.002 | -.027 -.023 | -.023 -.038 | +.002 +.002 | |
| still spots held, in all frames of 15 min | -.000 -.002 | -.004 -.002 | +.053 +.062 | not run | yes |
| still spots held, in 2 of 3 frames | -.022 -.046 | -.010 -.001 | +.076 +.081 | -.004 -.001 | |

Vectors are dropped at 3 times the median distance now, as in the test of neighbours (the row is for 4 times); of 3
to 5 times OPERA decided, CASA and MRMS differ by less than 0.002, KNMI gains. Still spots were met in OPERA only.
Dropping costs CASA at 30 minutes, but keeps the edge of one radar's range inside another's from being taken for rain
that stands.
"""

if __name__ == "__main__":
    main()
