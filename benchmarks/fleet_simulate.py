"""Simulating a fleet of 10,000 workers and 1,000,000 jobs: ``python benchmarks/fleet_simulate.py``.

The jobs come in cycles of a minute over four hours and take 122 s on average, so that 85 of 100 workers are busy; the
policy decides every 10 s on a view of all workers. Each figure is the CPU time, on one core, of a process of its own
(``--child POLICY COUNT`` prints it). Peer: simpy with the same jobs on as many workers that are always there: it has no
boots, no matching, no views and no money. It takes a tenth of the jobs and workers, for what it does for a job grows
with the workers.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dynamo.fleet.policies.named import by_name
from dynamo.fleet.simulator import Job, Trace, outcome, plain, simulate
from dynamo.fleet.view import Group
from peer import figure, measured
from rows import Row, main

HOURS = 4
#: Jobs for each worker.
EACH = 100


def child(policy, count):
    """Print the CPU seconds of a simulation, those of its figures, and the peak memory."""
    trace = Trace.of("large", list(jobs(count)))
    workers = count // EACH
    settings = {"cores": workers} if policy == "static" else {}
    world = replace(plain(45.0), groups={"workers": Group("workers", max=workers, idle=60.0)})
    start = time.process_time()
    record = simulate(trace, by_name(policy, **settings), world, 0)
    simulated = time.process_time()
    found = outcome(record)
    figures = {"simulate": simulated - start, "figures": time.process_time() - simulated, "done": found.done}
    peak = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    )
    print(json.dumps(figures | {"peak": peak, "workers": len(record.machines), "cores": found.cores}))


def jobs(count):
    """Jobs in cycles, due an hour after they come."""
    draws = np.random.default_rng(1)
    mean = 0.85 * HOURS * 3600 / EACH
    works = draws.gamma(2.0, mean / 2.0, count).tolist()
    cycles = np.sort(draws.integers(0, HOURS * 60, count)).tolist()
    for cycle, work in zip(cycles, works, strict=True):
        yield Job("tile", 60.0 * cycle, 60.0 * cycle + 3600.0, work, run=str(cycle))


def measure(quick: bool) -> Iterator[Row]:
    """One large fleet, under policies that cost little and much to decide."""
    count = 20_000 if quick else 1_000_000
    simpy = measured("simpy_fleet.py", count // 10, count // EACH // 10, HOURS)
    for policy in ("static", "queue_depth", "work"):
        line = [sys.executable, __file__, "--child", policy, str(count)]
        ours = json.loads(subprocess.run(line, check=True, stdout=subprocess.PIPE).stdout)
        yield Row(
            f"{count // EACH:,} workers and {count:,} jobs simulated, policy {policy}",
            ours["simulate"] + ours["figures"],
            "s CPU",
            300,
            {"simpy: the bare event loop, a tenth of both, times ten": figure(simpy, "simulate", 10.0)}
            if policy == "static"
            else {},
            note=f"{ours['done']:,} jobs done, {ours['cores']:,.0f} cores paid on average, "
            f"{ours['figures']:.1f} s of it for the figures, peak memory {ours['peak']:,.0f} MB",
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], int(sys.argv[3]))
    else:
        main(__doc__, measure)
