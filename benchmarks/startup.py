"""How long one waits before anything happens: ``python benchmarks/startup.py``.

Seconds on the wall clock from the start of the process: to the end of ``dynamo --help``; to the first task of
``dynamo run`` as its worker saw it begin, in a workspace that is there and in a new one; and to the end of the
first task of a nowcast, which imports what reads radar data. The fastest of some starts; the files are in the page
cache. Peers likewise.

The budget is 0.3 s to the first task where nothing of the radar has to be imported, and 1 s where it has. A task that
imports it begins before it does so: that is why the second is held against the end of such a task, in a new
workspace, its work included, and the time of its beginning has no budget of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dynamo.journal import Journal, Workspace
from frames import Frames, frames
from peer import figure, measured, peer_python
from rows import Row, best, main

# Where it is set, each start compiles all modules that were edited since they were last compiled; a user has them so.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

HELLO = Path(__file__).resolve().parents[1] / "examples" / "00-hello" / "hello.py"


def command(*line):
    """Seconds that a command takes, or why there is none."""
    try:
        return best(lambda: subprocess.run(line, check=True, capture_output=True), 5)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"failed: {error}"


def dynamo():
    """The installed command, as a user calls it."""
    return str(Path(sys.executable).with_name("dynamo"))


def run(folder, runfile):
    """Start ``dynamo run``; return the seconds until its first task began and until that had ended."""
    path = folder / "run.yaml"
    path.write_text(json.dumps(runfile))  # JSON is YAML
    start = time.time()
    subprocess.run([dynamo(), "run", "--quiet", str(path)], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    with Journal(Workspace.find(folder / ".dynamo").journal) as journal:
        first = journal.attempts(journal.run(None).id)[0]
    return first.started - start, first.ended - start


def runs(runfile, times):
    """The fastest of some runs, each in a new workspace."""
    found = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            found.append(run(Path(folder), runfile))
    return tuple(min(column) for column in zip(*found, strict=True))


def further_runs(runfile, name, times):
    """The fastest of some runs after another in the same workspace; a number parameter keeps them from reuse."""
    with tempfile.TemporaryDirectory() as folder:
        _, *found = [run(Path(folder), {**runfile, "params": {name: n}}) for n in range(times + 1)]
    return tuple(min(column) for column in zip(*found, strict=True))


def measure(quick: bool) -> Iterator[Row]:
    """Help, import, and first tasks."""
    bare = command(sys.executable, "-c", "pass")
    peers = peer_python().parent
    yield Row(
        "dynamo --help",
        float(command(dynamo(), "--help")),
        "s",
        0.2,
        {
            "python -c pass (a floor)": bare,
            "dask --help": command(str(peers / "dask"), "--help"),
            "snakemake --help": command(str(peers / "snakemake"), "--help"),
        },
        ("dask --help", "snakemake --help"),
    )
    yield Row(
        "python -c 'import dynamo'",
        float(command(sys.executable, "-c", "import dynamo")),
        "s",
        None,
        {"python -c pass (a floor)": bare},
    )
    times = 1 if quick else 7
    hello = {"workflow": f"{HELLO}:hello"}
    first, _ = further_runs(hello, "dbz", times)
    others = {
        "dask.distributed, 2 processes": since("dask_tasks.py", "first"),
        "Parsl, HTEX, 2 processes": since("parsl_tasks.py", "processes", "first"),
        "Snakemake": figure(measured("snakemake_tasks.py", 1), "start"),
    }
    yield Row("start of `dynamo run` to its first task", first, "s", 0.3, others, tuple(others))
    yield Row("the same, in a new workspace", runs(hello, times)[0], "s")
    with tempfile.TemporaryDirectory() as folder:
        case = frames(Frames.CASA, Path(folder), 7)
        nowcast = {
            "workflow": "dynamo.workflows.nowcast:nowcast",
            "inputs": {"frames": {"files": str(Path(folder) / "*.nc")}},
            "params": {"previews": False, "horizon": 1},
        }
        begun, ended = runs(nowcast, times)
    yield Row(f"start of a nowcast on {case.name} to its first task, new workspace", begun, "s")
    yield Row(
        "the same, until that has imported its readers, read 7 frames and ended",
        ended,
        "s",
        1,
        note="the worker is cold; a warm one imports nothing",
    )


def since(script, *arguments):
    """Seconds from the start of a peer's process to its first task."""
    start = time.time()
    return figure_since(measured(script, *arguments, 0), start)


def figure_since(figures, start):
    """A time of the clock as seconds after `start`."""
    found = figure(figures, "first")
    return found if isinstance(found, str) else found - start


if __name__ == "__main__":
    main(__doc__, measure)
