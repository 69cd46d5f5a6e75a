"""Cost of a task that does nothing, journal on, against other engines: ``python benchmarks/noop.py``.

Milliseconds a task over 10,000 independent tasks, from a described graph (or submit calls) to all done, with
workers up. A task of dynamo leaves a file, known by its content, that a later run can use, and is on record
before it begins and when it has ended; the tasks of a thread pool, Dask and Parsl leave nothing, but for Parsl's
checkpoints where they are asked for. Snakemake's leave an empty file.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import noops
from dynamo.engine import LocalEngine, Request
from dynamo.journal import Workspace
from peer import figure, measured
from rows import Row, main

CORES = 2
HERE = str(Path(__file__).parent)


def done(summary):
    """Refuse to time a run that failed."""
    if not summary.ok:
        raise SystemExit(f"{summary.failures[0].task}: {summary.failures[0].error}")


def spent(graph, *, inline, times=1, clock=time.perf_counter):
    """Seconds of the fastest of some runs, each in a workspace of its own with warm workers."""
    found = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            workspace = Workspace.open(folder)
            with LocalEngine(workspace, cores=CORES, modules=[HERE], inline=inline) as engine:
                done(engine.run(Request("warm", noops.wide(8))))
                start = clock()
                summary = engine.run(Request("run", graph))
                found.append(clock() - start)
        done(summary)
    return min(found)


def threads(count):
    """Seconds that a thread pool needs for so many calls of nothing: the floor in Python."""
    with ThreadPoolExecutor(CORES) as pool:
        pool.submit(int).result()
        start = time.perf_counter()
        for future in [pool.submit(int) for _ in range(count)]:
            future.result()
        return time.perf_counter() - start


def measure(quick: bool) -> Iterator[Row]:
    """Wide graphs of no-ops."""
    count, few = (1_000, 40) if quick else (10_000, 200)
    times = 1 if quick else 2
    dask = measured("dask_tasks.py", "wide", count)
    parsl_threads = measured("parsl_tasks.py", "threads", "wide", count)
    parsl_recorded = measured("parsl_tasks.py", "recorded", "wide", count)
    parsl_processes = measured("parsl_tasks.py", "processes", "wide", count)
    snakemake = measured("snakemake_tasks.py", few)
    empty, own = noops.wide(count), noops.wide(count, own=True)
    per = 1000 / count
    yield Row(
        f"{count:,} no-op tasks, inline",
        spent(empty, inline=True, times=times) * per,
        "ms/task",
        0.5,
        {
            "thread pool (a floor: no journal, no files)": threads(count) * per,
            "Parsl, threads": figure(parsl_threads, "per_task", 1000),
            "Parsl, threads, checkpoint after each task": figure(parsl_recorded, "per_task", 1000),
        },
        ("Parsl, threads", "Parsl, threads, checkpoint after each task"),
        note="each of ours leaves a file in a sandbox, its digest, and four rows of the journal; Parsl's tasks "
        "make no file, and without checkpoints nothing is kept of them",
    )
    processes = {
        "dask.distributed, 2 processes": figure(dask, "per_task", 1000),
        "Parsl, HTEX, 2 processes": figure(parsl_processes, "per_task", 1000),
        "Snakemake, 2 cores": figure(snakemake, "per_task", 1000),
    }
    yield Row(
        f"{count:,} no-op tasks, 2 worker processes",
        spent(empty, inline=False, times=times) * per,
        "ms/task",
        1.5,
        processes,
        tuple(processes),
        note=f"Snakemake: {few} tasks instead of {count:,}, from the first to the last",
    )
    yield Row(
        f"{count:,} no-op tasks, 2 worker processes, each with a file of its own",
        spent(own, inline=False) * per,
        "ms/task",
        1.5,
        {"Snakemake, 2 cores": processes["Snakemake, 2 cores"]},
        ("Snakemake, 2 cores",),
    )


if __name__ == "__main__":
    main(__doc__, measure)
