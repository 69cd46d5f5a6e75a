"""Run jobs in this very process, one at a time: for debugging, and where processes cannot be started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dynamo.engine.workers import Reported
from dynamo.worker.execute import Runner
from dynamo.worker.job import Job
from dynamo.worker.log import Screen

__all__ = ["Inline", "InlineWorker"]


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
        self._runner = Runner(str(folder / "inline"), Screen())
        self.worker = InlineWorker()
        self.busy: list[InlineWorker] = []

    def start(self, count: int) -> None:
        """Need no start."""

    def reserve(self) -> InlineWorker:
        """Return the one worker."""
        return self.worker

    def send(self, worker: InlineWorker, job: Job) -> None:
        """Take in a job, to be run by the next `wait`."""
        worker.job, worker.left = job, [order.id for order in job.orders]

    def wait(self, seconds: float) -> Iterator[Reported]:  # noqa: ARG002 - the same face as `Workers`
        """Run the job and yield each report."""
        assert self.worker.job is not None
        here = os.getcwd()
        try:
            for report in self._runner.run(self.worker.job):
                self.worker.left.remove(report.task)
                yield Reported(self.worker, report)
        finally:
            os.chdir(here)

    def close(self) -> None:
        """Need no end."""
