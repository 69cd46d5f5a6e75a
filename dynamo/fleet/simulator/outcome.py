"""What came of a simulation, in figures: what was late, what was paid, and how well supply followed demand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dynamo.fleet.simulator import elasticity
from dynamo.fleet.simulator.curve import Curve
from dynamo.fleet.simulator.machine import paid_seconds
from dynamo.fleet.simulator.model import Record
from dynamo.fleet.simulator.trace import Trace

__all__ = ["Outcome", "demand_curve", "outcome", "paid_curve", "supply_curve"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Figures of one run of a simulation.

    Parameters
    ----------
    policy, trace, seed
        Of what.
    jobs, done, reruns
        How many jobs came, how many were done, and how often one had to run again.
    late
        Per cent of the jobs with a deadline that were done after it, or were not done though it was over.
    late_p50, late_p95, late_p99
        Seconds of lateness that half, 95 and 99 per cent of the jobs with a deadline did not exceed; 0 is in time.
    cores
        Mean of the cores that were paid at the same time.
    core_hours, usd
        That were paid, with the billing quantum.
    utilisation
        Per cent of the paid core-hours in which a job ran that was then done.
    launches
        Machines ordered, an hour.
    theta_u, theta_o, tau_u, tau_o, upsilon
        See `dynamo.fleet.simulator.elasticity`; in per cent.
    slowdown
        Mean over the runs of how long one took, by how long it takes with unlimited workers that are there at once.
    refused
        Machines that the policy asked for beyond a limit, or that a cloud refused, and releases that were no good.
    """

    policy: str
    trace: str
    seed: int
    jobs: int
    done: int
    reruns: int
    late: float
    late_p50: float
    late_p95: float
    late_p99: float
    cores: float
    core_hours: float
    usd: float
    utilisation: float
    launches: float
    theta_u: float
    theta_o: float
    tau_u: float
    tau_o: float
    upsilon: float
    slowdown: float
    refused: int


def outcome(record: Record) -> Outcome:
    """Return the figures of a record."""
    trace, end = record.trace, record.trace.until
    paid = [(paid_seconds(each, end, record.scenario.paid_from), each.offer) for each in record.machines]
    core_seconds = sum(seconds * offer.cores for seconds, offer in paid)
    demand, supply = demand_curve(trace), supply_curve(record)
    late = _lateness(record)
    p50, p95, p99 = np.percentile(late, [50, 95, 99]).tolist() if late else (0.0, 0.0, 0.0)
    return Outcome(
        policy=record.policy,
        trace=trace.name,
        seed=record.seed,
        jobs=len(trace.jobs),
        done=sum(1 for at in record.finished if at < math.inf),
        reruns=record.reruns,
        late=100.0 * sum(1 for seconds in late if seconds > 1e-6) / len(late) if late else 0.0,
        late_p50=p50,
        late_p95=p95,
        late_p99=p99,
        cores=core_seconds / end,
        core_hours=core_seconds / 3600.0,
        usd=sum(seconds * offer.usd_per_hour for seconds, offer in paid) / 3600.0,
        utilisation=100.0 * _used(record) / core_seconds if core_seconds else 0.0,
        launches=len(record.machines) * 3600.0 / end,
        theta_u=elasticity.under_provisioned(demand, supply),
        theta_o=elasticity.over_provisioned(demand, supply),
        tau_u=elasticity.under_timeshare(demand, supply),
        tau_o=elasticity.over_timeshare(demand, supply),
        upsilon=elasticity.instability(demand, supply),
        slowdown=_slowdown(record),
        refused=sum(record.refused.values()),
    )


def demand_curve(trace: Trace) -> Curve:
    """Return the cores of speed 1 that suffice for the jobs to be in time: what no policy changes.

    Each job asks for its work spread evenly from its release to its due, its density as real-time scheduling calls
    it; no job for more than its cores, and one without a due for those until it is done.
    """

    def changes() -> Iterator[tuple[float, float]]:
        for job in trace.jobs:
            alone = job.work / job.cores
            lasts = job.due - job.release
            lasts = alone if math.isinf(lasts) else max(lasts, alone)
            if lasts > 0.0:
                yield job.release, job.work / lasts
                yield job.release + lasts, -job.work / lasts

    return Curve.of(changes(), 0.0, trace.until)


def supply_curve(record: Record) -> Curve:
    """Return the cores, times their speed, of the machines that had joined and were not gone."""

    def changes() -> Iterator[tuple[float, float]]:
        for machine in record.machines:
            if machine.ready < math.inf:
                cores = machine.offer.cores * machine.offer.speed
                yield machine.ready, cores
                yield min(machine.gone, record.trace.until), -cores

    return Curve.of(changes(), 0.0, record.trace.until)


def paid_curve(record: Record) -> Curve:
    """Return the cores that were paid, without the billing quantum."""

    def changes() -> Iterator[tuple[float, float]]:
        for machine in record.machines:
            begin = machine.made if record.scenario.paid_from == "order" else machine.ready
            if begin < machine.gone:
                yield begin, machine.offer.cores
                yield machine.gone, -machine.offer.cores

    return Curve.of(changes(), 0.0, record.trace.until)


def _lateness(record: Record) -> list[float]:
    """Return the seconds after its due of each job that has one; a job that was not done counts up to the end."""
    end = record.trace.until
    pairs = zip(record.trace.jobs, record.finished, strict=True)
    return [max(0.0, min(at, end) - job.due) for job, at in pairs if job.due < math.inf]


def _used(record: Record) -> float:
    """Return the core-seconds in which a job ran that was then done."""
    triples = zip(record.trace.jobs, record.started, record.finished, strict=True)
    return sum((at - began) * job.cores for job, began, at in triples if at < math.inf)


def _slowdown(record: Record) -> float:
    """Return the elastic slowdown: the mean over runs of the response, by that with unlimited workers at once.

    After Ilyushkin et al. 2018, section 4.3, there of whole workflows; a job without a run is one of its own. The
    workers it is compared with are of the fastest offer. A run that was not done counts up to the end.
    """
    speed = max(offer.speed for offer in record.scenario.offers)
    runs: dict[object, list[float]] = {}
    for number, (job, at) in enumerate(zip(record.trace.jobs, record.finished, strict=True)):
        best = job.release + job.work / (job.cores * speed)
        done = min(at, max(record.trace.until, best))
        run = runs.setdefault(job.run or number, [job.release, done, best])
        run[1] = max(run[1], done)
        run[2] = max(run[2], best)
    ratios = [(done - begin) / (best - begin) for begin, done, best in runs.values() if best > begin]
    return sum(ratios) / len(ratios) if ratios else 1.0
