"""What is done again after ``kill -9``: ``python benchmarks/resume.py``.

A nowcast is killed at moments spread over its run, then resumed. Tasks whose results were recorded must not
run again; those that were in flight must. The seconds of the resumed run are set beside those of one that was
not killed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dynamo.journal import Journal, Workspace
from frames import Frames, frames
from rows import Row, main

DYNAMO = str(Path(sys.executable).with_name("dynamo"))


def begin(folder):
    """Start a run in `folder`."""
    (folder / "run.yaml").write_text(
        json.dumps(
            {
                "workflow": "dynamo.workflows.nowcast:nowcast",
                "inputs": {"frames": {"files": str(folder.parent / "frames" / "*.nc")}},
                "params": {"previews": False},
                "products": "products",
            }
        )
    )
    line = [DYNAMO, "run", "--quiet", "run.yaml"]
    return subprocess.Popen(line, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def whole(folder):
    """Seconds of a run that nobody kills, and its number of tasks."""
    folder.mkdir()
    start = time.perf_counter()
    if begin(folder).wait():
        raise SystemExit("the nowcast failed; see `dynamo run`")
    seconds = time.perf_counter() - start
    with journal(folder) as record:
        return seconds, len(record.tasks(record.run(None).id))


def journal(folder):
    """The journal of the run in `folder`."""
    return Journal(Workspace.find(folder / ".dynamo").journal)


def killed(folder, after):
    """Kill a run when `after` of its tasks are done; return done, in flight, done again, and seconds to resume."""
    folder.mkdir()
    process = begin(folder)
    while process.poll() is None and done_in(folder) < after:
        time.sleep(0.01)
    process.kill()
    process.wait()
    with journal(folder) as record:
        run = record.run(None).id
        before = Counter(a.task for a in record.attempts(run) if a.outcome == "ok")
        flying = [a.task for a in record.attempts(run) if a.outcome == "running"]
    start = time.perf_counter()
    subprocess.run([DYNAMO, "resume", "--quiet", run], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    with journal(folder) as record:
        after_all = Counter(a.task for a in record.attempts(run) if a.outcome == "ok")
    again = sum(after_all[task] > count for task, count in before.items())
    return len(before), len(flying), again, seconds


def done_in(folder):
    """How many tasks of the run are recorded as done so far."""
    try:
        with journal(folder) as record:
            runs = record.runs(limit=1)
            return sum(t.state == "done" for t in record.tasks(runs[0].id).values()) if runs else 0
    except Exception:  # noqa: BLE001 - the workspace is being made at this very moment
        return 0


def measure(quick: bool) -> Iterator[Row | str]:
    """Kill runs at moments spread over their tasks."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "frames").mkdir()
        case = frames(Frames.CASA, root / "frames", 7)
        seconds, tasks = whole(root / "whole")
        lost, flying, rest = 0, 0, []
        moments = (tasks // 2,) if quick else tuple(tasks * n // 6 for n in range(1, 6))
        for n, after in enumerate(moments):
            done, in_flight, again, took = killed(root / f"killed{n}", after)
            lost, flying = lost + again, max(flying, in_flight)
            rest.append(took)
            yield (
                f"    killed with {done} of {tasks} tasks done and {in_flight} in flight: "
                f"{again} done again, resumed in {took:.2f} s"
            )
    yield Row(
        f"tasks done again after kill -9, of a nowcast on {case.name}, {len(moments)} kills",
        lost,
        "tasks",
        0,
        note=f"at most {flying} were in flight: two jobs of three tasks each",
    )
    yield Row(
        "resume after half of it, command and all",
        rest[len(rest) // 2],
        "s",
        None,
        {"the whole run": seconds},
    )


if __name__ == "__main__":
    main(__doc__, measure)
