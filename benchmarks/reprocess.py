"""Archived frames run again: ``python benchmarks/reprocess.py``.

Forty minutes of CASA's frames, one a minute, go through the nowcast of 30 minutes: once as a range in one command, and
once by what one does without, a `dynamo run` for each window with the same files, in a loop and in two loops side by
side. All in the same run and with both cores; products are compared at the end. Then the same range again, when all of
it is done; and a long one of small windows: what a window costs by itself, and what it takes to tell that it is done.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dynamo.runfile.times import find_time
from frames import Frames, frames
from rows import Row, main

DYNAMO = str(Path(sys.executable).with_name("dynamo"))
LAST, WITHIN, FEWEST = 10, timedelta(minutes=15), 4
SMALL = """
from pathlib import Path
from dynamo import Input, Output, task, workflow

@task
def count(frames: list[Input], out: Output):
    Path(out).write_text(str(len(frames)))

@workflow
def small(frames: list[Input]):
    count(frames, out='count.txt')
"""


def runfile(folder: Path, paths: Sequence[Path]) -> None:
    """Write a run file for these frames into a new folder."""
    folder.mkdir()
    said = {
        "workflow": "dynamo.workflows.nowcast:nowcast",
        "inputs": {"frames": {"files": str(paths[0].parent / "*.nc"), "last": LAST, "within": "15 min"}},
        "params": {"previews": False},
        "trigger": {"needs": {"frames": {"files": FEWEST}}},
        "products": "products/{time}",
    }
    (folder / "run.yaml").write_text(json.dumps(said))


def ranged(folder: Path) -> tuple[float, dict]:
    """Run the whole range; seconds, and the account."""
    start = time.perf_counter()
    line = [DYNAMO, "run", "run.yaml", "--from", "1990-01-01T00:00", "--json"]
    done = subprocess.run(line, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start, json.loads(done.stdout)


def looped(folder: Path, paths: Sequence[Path], windows: Sequence[int], beside: int) -> float:
    """Run the windows that end with these frames, one command each and so many at a time; seconds a window."""

    def one(n: int) -> None:
        newest = find_time(paths[n].name)
        assert newest is not None
        kept = [p for p in paths[: n + 1] if newest - (find_time(p.name) or newest) <= WITHIN][-LAST:]
        inputs = [word for path in kept for word in ("--input", f"frames={path}")]
        line = [DYNAMO, "run", "--quiet", "run.yaml", *inputs]
        subprocess.run(line, cwd=folder, check=True, capture_output=True)

    start = time.perf_counter()
    with ThreadPoolExecutor(beside) as loops:
        list(loops.map(one, windows))
    return (time.perf_counter() - start) / len(windows)


def products(folder: Path) -> dict[str, bytes]:
    """Return the polygons of all windows, which are the same however they are run."""
    found = sorted(folder.glob("products/*/*.geojson"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def measure(quick: bool) -> Iterator[Row | str]:
    """The range, the loops, the range again, and small windows."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        (base / "frames").mkdir()
        case = frames(Frames.CASA, base / "frames", 10 if quick else 40)
        for folder in ("warm", "range", "loop", "loops"):
            runfile(base / folder, case.paths)
        looped(base / "warm", case.paths, [len(case.paths) - 1], 1)  # compiled code is kept for all
        seconds, account = ranged(base / "range")
        count = account["windows"]["done"]
        ours = seconds / count
        whole = list(range(FEWEST - 1, len(case.paths)))
        windows = whole[:: 1 if quick else 3]
        loop, loops = (looped(base / f, case.paths, windows, n) for f, n in (("loop", 1), ("loops", 2)))
        alone, together = products(base / "loop"), products(base / "range")
        if any(together.get(path) != content for path, content in alone.items()):
            raise SystemExit("the range made other products than a run by itself")
        peers = {"`dynamo run` in a loop": loop, "two such loops side by side": loops}
        rates = f"{60 / ours:.0f} a minute, in a loop {60 / loop:.0f}, in two {60 / loops:.0f}"
        note = f"{case.name}; {count} windows, {rates}"
        yield Row(
            "a window of an archived range, nowcast of 30 min", ours, "s", None, peers, tuple(peers), note
        )
        again, account = ranged(base / "range")
        peers = {"`dynamo run` in a loop": looped(base / "loop", case.paths, windows[:4], 1) * count}
        note = f"{account['windows']['reused']} of {count} windows told as done"
        yield Row("the same range again", again, "s", 2.0, peers, tuple(peers), note)
        yield from small(base / "small", 100 if quick else 2000)


def small(folder: Path, count: int) -> Iterator[Row]:
    """A long range of windows of one small task each."""
    (folder / "in").mkdir(parents=True)
    first = datetime(2017, 3, 29, tzinfo=UTC)
    for n in range(count):
        (folder / "in" / f"radar-{first + timedelta(minutes=n):%Y%m%d-%H%M%S}.dat").write_text(str(n))
    (folder / "small.py").write_text(SMALL)
    (folder / "run.yaml").write_text(
        "workflow: ./small.py:small\ninputs: {frames: {files: 'in/*.dat', last: 4}}\nproducts: 'products/{time}'\n"
    )
    seconds, _ = ranged(folder)
    yield Row("a window of one small task", seconds / count * 1000, "ms", None, note=f"{count:,} windows")
    seconds, _ = ranged(folder)
    note = f"{count:,} windows in {seconds:.2f} s, the start of dynamo with it"
    yield Row(
        "a window that is done, told", seconds / count * 1000, "ms", 1.0 if count > 1000 else None, note=note
    )


if __name__ == "__main__":
    main(__doc__, measure)
