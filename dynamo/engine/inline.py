"""Run jobs in this very process, one at a time: for debugging, and where processes cannot be started."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from dynamo.engine.workers import Reported
from dynamo.worker.execute import run_job
from dynamo.worker.job import Job

__all__ = ["Inline", "InlineWorker", "Screen"]


class Screen:
    """In place of a log file: what tasks write goes where the engine's own output goes."""

    def close(self, target: str) -> int:  # noqa: ARG002 - the same face as `dynamo.worker.log.Log`
        """Flush; nothing is kept."""
        sys.stdout.flush()
        sys.stderr.flush()
        return 0


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

    def __init__(self) -> None:
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
        for report in run_job(self.worker.job, Screen()):
            self.worker.left.remove(report.task)
            yield Reported(self.worker, report)

    def close(self) -> None:
        """Need no end."""
