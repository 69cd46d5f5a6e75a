"""The view that a policy decides from: of what the pool said, what the journal holds and what was learned. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import NamedTuple

from dynamo.fleet.predict import Estimate, Predictor, together
from dynamo.fleet.queue import Job, PoolWorker, Reading
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.seen import Heard
from dynamo.fleet.view import Load, Stage, Worker

__all__ = ["heard_of", "loads_of", "planned_with", "view_workers"]

#: Stage of a worker's life to what a policy is told; others are of no use to it.
_STAGES: dict[str, Stage] = {
    "requested": "booting",
    "booting": "booting",
    "joined": "ready",
    "draining": "draining",
    "stopping": "draining",
}


class _Same(NamedTuple):
    """What jobs have in common that are told of together."""

    kind: str
    due: float
    cores: int
    memory: int


def _left(jobs: Sequence[Job], predictor: Predictor, now: float) -> Iterator[tuple[Job, Estimate]]:
    """Yield each job with the core-seconds that it still takes."""
    wholes = predictor.predict_all([(job.kind, job.features) for job in jobs])
    for job, whole in zip(jobs, wholes, strict=True):
        yield job, whole if job.began is None else whole.left(max(now - job.began, 0.0) * job.cores)


def loads_of(jobs: Iterable[Job], predictor: Predictor, now: float) -> list[Load]:
    """Return the queue by class and deadline, the most urgent first."""
    alike: dict[_Same, list[tuple[Job, Estimate]]] = {}
    for job, left in _left(list(jobs), predictor, now):
        same = _Same(job.kind, job.due, job.cores, job.memory)
        alike.setdefault(same, []).append((job, left))
    loads = []
    for same, some in sorted(
        alike.items(), key=lambda one: (one[0].due, one[0].kind, one[0].cores, one[0].memory)
    ):
        work, high = together(estimate for _, estimate in some)
        running = sum(job.state == "running" for job, _ in some)
        loads.append(
            Load(
                kind=same.kind,
                due=same.due,
                waiting=len(some) - running,
                running=running,
                work=work,
                high=max(high, work),
                longest=max(estimate.mean / max(job.cores, 1) for job, estimate in some),
                cores=same.cores,
                memory=same.memory,
                known=all(estimate.known for _, estimate in some),
            )
        )
    return loads


def heard_of(reading: Reading, predictor: Predictor, now: float) -> dict[str, Heard]:
    """Return what the pool says of each worker, with when its jobs are expected to be done."""
    on: dict[str, list[tuple[Job, float]]] = {}
    running = [job for job in reading.jobs if job.worker and job.state == "running"]
    for job, left in _left(running, predictor, now):
        on.setdefault(job.worker, []).append((job, now + left.mean / max(job.cores, 1)))
    return {token: _heard(one, on.get(token, ())) for token, one in reading.workers.items()}


def _heard(one: PoolWorker, jobs: Sequence[tuple[Job, float]]) -> Heard:
    said = {each.name: getattr(one, each.name) for each in fields(PoolWorker)}
    return Heard(
        **said,
        ends=max((end for _, end in jobs), default=None),
        # A deadline that is infinite is none.
        urgent=any(end <= job.due < float("inf") for job, end in jobs),
    )


def planned_with(
    workers: Iterable[WorkerRecord], points: Collection[str], asked: Collection[str], since: float
) -> list[WorkerRecord]:
    """Return the workers that work can be planned with: none of the groups of access points.

    Of an order from before `since` that is not `asked` for any more no machine may come.
    """
    return [
        one
        for one in workers
        if one.group not in points and (one.stage != "requested" or one.since >= since or one.token in asked)
    ]


def view_workers(
    records: Iterable[WorkerRecord], heard: Mapping[str, Heard] | None, now: float
) -> list[Worker]:
    """Return the workers as a policy sees them; `heard` is None where the pool did not answer."""
    workers = []
    for one in records:
        if one.stage not in _STAGES:
            continue
        said = (heard or {}).get(one.token)
        workers.append(
            Worker(
                token=one.token,
                group=one.group,
                offer=one.offer,
                stage=_STAGES[one.stage],
                since=one.since,
                made=one.ordered,
                cores=one.cores,
                # Of one that is not heard of it is not known whether it is idle.
                busy=said.busy if said else (one.cores if one.stage == "joined" else 0),
                idle_since=said.idle_since if said else None,
                ends=said.ends if said else None,
                urgent=bool(said and said.urgent),
                paid_until=one.paid_until(now),
                dies=one.dies if one.dies is not None else float("inf"),
            )
        )
    return workers
