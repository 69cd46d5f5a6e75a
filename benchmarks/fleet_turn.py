"""A turn of the fleet's controller by itself: what it reads, foresees, decides and writes, but no cloud and no pool.

``python benchmarks/fleet_turn.py`` prints a line for each size. The first turn of each, which makes the tables of the
journal and fits the laws of the classes, is not counted. The queue has 20 classes, each learned of 60 jobs, and
deadlines of two to twenty minutes.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from dynamo.fleet.calls import Calls
from dynamo.fleet.clouds import Clouds, listing
from dynamo.fleet.controller import Controller
from dynamo.fleet.hearing import Hearing
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.machine import Machine, MachineSpec, Tags
from dynamo.fleet.offering import Offering
from dynamo.fleet.policies.named import by_name
from dynamo.fleet.queue import Job, PoolWorker, Reading
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.slice import NodeGroup, NodeOffer, ProviderRule, Slice
from dynamo.testing import Cloud, MemoryPool

SIZES = ((100, 20_000), (1000, 20_000))
KINDS, TURNS, START, KEY = 20, 5, 86_400.0 * 20_000, "workers/c/two/on-demand"


class Nobody:
    """Starts no machine: nothing is bought here."""

    def spec(self, worker, *_) -> MachineSpec:
        """Nothing is ordered."""
        raise AssertionError(worker)

    def let_go(self, workers) -> None:
        """Nobody is there to be told."""


class Turn:
    """A controller of so many workers, all at work, and so many jobs."""

    def __init__(self, path: Path, workers: int, jobs: int) -> None:
        self.now, self.random = START, random.Random(1)
        sold = Offering("two", 2, 2**32, usd_per_hour=1.0)
        cloud = Cloud((sold,), clock=self.clock)
        group = NodeGroup((NodeOffer("c", "two"),), max=workers, idle=60.0)
        slice_ = Slice("bench", {"c": ProviderRule("memory")}, {"workers": group})
        self.calls = [
            Calls("c", cloud.provider),
            Calls("pool", MemoryPool(cloud, self.clock).port, threads=1),
        ]
        self.ledger = Ledger(path, slice_.name)
        self.clouds = Clouds(slice_.name, {"c": self.calls[0]}, self.clock)
        self.clouds.catalogue["c"] = [sold]
        self.hearing = Hearing(self.calls[1], self.ledger, stale=60.0)
        policy = by_name("work")
        self.controller = Controller(
            slice_, self.ledger, self.clouds, self.hearing, policy, Nobody(), clock=self.clock
        )
        self.tokens = [f"{n:032x}" for n in range(workers)]
        self._fill(jobs)

    def clock(self) -> float:
        """Return the time, which `seconds` turns on."""
        return self.now

    def _fill(self, jobs: int) -> None:
        draw = self.random
        for n in range(KINDS * 60):
            features = {"bytes": draw.random() * 1e6, "tasks": 3.0}
            self.hearing.predictor.learn(f"kind{n % KINDS}", features, 20 + draw.random() * 50)
        with self.ledger.change():
            for n, token in enumerate(self.tokens):
                self.ledger.put(self._worker(n, token))
        self.jobs = [self._job(n) for n in range(jobs)]

    def _worker(self, n: int, token: str) -> WorkerRecord:
        now = self.now
        return WorkerRecord(
            token, "bench", "workers", "c", KEY, f"n{n}", "joined", now - 500, now - 600, 2, 2**32, 1.0,
            machine=f"m-{n}", joined=now - 500,
        )  # fmt: skip

    def _job(self, n: int) -> Job:
        runs = n < 2 * len(self.tokens)
        due = self.now + self.random.choice([120, 240, 300, 600, 900, 1200])
        return Job(
            f"{n}.0", f"kind{n % KINDS}", "running" if runs else "waiting", due, 1, 2**30,
            {"bytes": self.random.random() * 1e6, "tasks": 3.0}, self.now - 10 if runs else None,
            self.tokens[n // 2] if runs else "", "r", self.now - 30,
        )  # fmt: skip

    def seconds(self) -> float:
        """Return the seconds that one turn takes."""
        self.now += 10.0
        heard = {token: PoolWorker(2, 2, None, False, self.now) for token in self.tokens}
        self.hearing.reading = Reading(self.now, self.jobs, heard, [], "")
        self.hearing.since = START - 5000
        machines = [
            Machine(f"m-{n}", Tags("bench", "workers", token), f"n{n}", "running", "two", created=START - 600)
            for n, token in enumerate(self.tokens)
        ]
        self.clouds.listings["c"] = listing(self.now, machines)
        begun = time.perf_counter()
        self.controller.turn()
        return time.perf_counter() - begun

    def close(self) -> None:
        """End its threads and its journal."""
        self.ledger.close()
        for calls in self.calls:
            calls.close()


def main() -> int:
    """Print the seconds of a turn for each size: the least and the most of a few."""
    for workers, jobs in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            turn = Turn(Path(folder) / "journal.db", workers, jobs)
            turn.seconds()
            took = [turn.seconds() for _ in range(TURNS)]
            turn.close()
        print(f"{workers:5,} workers, {jobs:,} jobs: {min(took):.2f} to {max(took):.2f} s a turn")
    return 0


if __name__ == "__main__":
    sys.exit(main())
