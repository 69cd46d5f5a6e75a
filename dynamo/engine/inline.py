"""Run jobs in this very process, one at a time: for debugging, and where processes cannot be started."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dynamo.engine.place import Place
from dynamo.engine.source import Source
from dynamo.engine.workers import Reported
from dynamo.worker.job import Job
from dynamo.worker.loading import forget_edited

__all__ = ["AHEAD", "Inline", "InlineWorker"]

#: Jobs recorded as one transaction before they run, one after another: a commit costs more than a small task.
AHEAD = 128
#: Seconds after which what has run is recorded, before the next of them runs.
TOGETHER = 0.02


@dataclass(eq=False, slots=True)
class InlineWorker:
    """This process, as a worker."""

    name: str = "inline"
    log: str = ""
    job: Job | None = None
    left: list[str] = field(default_factory=list)
    begun: float = 0.0


class Inline:
    """The same face as `Workers`, without processes."""

    def __init__(self, folder: Path) -> None:
        from dynamo.worker.execute import Runner
        from dynamo.worker.log import Screen

        self._runner = Runner(str(folder / "inline"), Screen())
        self._waiting: deque[InlineWorker] = deque()
        self.busy: list[InlineWorker] = []

    def start(self, count: int, calls: Sequence[str] = (), place: Place | None = None) -> None:
        """Need no start."""

    def start_first(self, calls: Mapping[Place, Sequence[str]], most: int) -> None:
        """Need no start."""

    def retire(self) -> None:
        """Import anew what was edited."""
        forget_edited()

    def reserve(self, memory: int = 0, place: Place | None = None, cores: int = 1) -> InlineWorker:  # noqa: ARG002 - the same face as `Workers`
        """Return this process, once more."""
        return InlineWorker()

    def send(self, worker: InlineWorker, job: Job) -> None:
        """Take in a job, to be run by `wait` after those before it."""
        worker.job, worker.left = job, [order.id for order in job.orders]
        self._waiting.append(worker)

    def wait(self, seconds: float) -> Iterator[Reported]:  # noqa: ARG002 - the same face as `Workers`
        """Run the next job, and small ones after it, and yield each report."""
        here, began = os.getcwd(), time.monotonic()
        try:
            while self._waiting and time.monotonic() - began < TOGETHER:
                worker = self._waiting.popleft()
                assert worker.job is not None
                for report in self._runner.run(worker.job):
                    worker.left.remove(report.task)
                    yield Reported(worker, report)
        finally:
            os.chdir(here)

    @contextmanager
    def listening(self, caller: Source) -> Iterator[None]:  # noqa: ARG002 - the same face as `Workers`
        """Hear nobody: what is to be run is there."""
        yield

    def drop(self) -> None:
        """Forget the jobs that have not begun."""
        self._waiting.clear()

    def close(self) -> None:
        """Need no end."""
