"""A fleet in numbers for Prometheus: each metric as it was after the last turn. See docs/howto/fleet-metrics.md.

Labels are names that stand in the slice document, stages, and classes of jobs, of which the number is bounded; what a
provider or the pool says in words is in none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from dynamo.fleet.endings import Ended
from dynamo.fleet.life import LIVE
from dynamo.fleet.tally import BOUNDS, Boots, Counts

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

__all__ = ["Shown", "metrics_text"]

_Numbers = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a controller has to show after a turn.

    Parameters
    ----------
    data
        As of `dynamo.fleet.status.status_data`.
    counts
        What was counted since the controller began.
    jobs
        Class to what ended since then.
    """

    data: Mapping[str, Any]
    counts: Counts = field(default_factory=Counts)
    jobs: Mapping[str, Ended] = field(default_factory=dict)


class _Gauge(NamedTuple):
    """A number of the data that has no label but the slice."""

    name: str
    said: str
    key: str


_GAUGES = (
    _Gauge("cores_paid", "Cores of all machines that may cost money.", "cores"),
    _Gauge("supply_cores", "Cores of speed 1 that are in the pool.", "supply"),
    _Gauge("busy_cores", "Cores on which a job runs.", "busy"),
    _Gauge("demand_cores", "Cores of speed 1 with which the whole queue is in time.", "demand"),
    _Gauge("target_cores", "Cores that the policy wants.", "target"),
    _Gauge("queue_work_core_seconds", "Core-seconds that are expected to be left in the queue.", "work"),
    _Gauge("overdue_jobs", "Jobs in the queue whose deadline is over.", "overdue"),
    _Gauge("cost_usd_per_hour", "What all machines cost.", "usd_per_hour"),
    _Gauge("spent_today_usd", "What was spent since midnight UTC.", "usd_today"),
    _Gauge("paused", "Whether somebody has paused it.", "paused"),
    _Gauge("pool_up", "Whether the pool answers.", "pool"),
    _Gauge("interval_seconds", "Seconds from a turn to the next.", "interval"),
)
#: Figures of the policy that are exported where it has them, and what of.
_POLICY = {"D": "queue", "F": "forecast"}
_ELASTICITY = {
    "theta_u": "How much was missing, by the demand.",
    "theta_o": "How much was too much, by the demand.",
    "tau_u": "Share of the time in which something was missing.",
    "tau_o": "Share of the time in which something was too much.",
}
_LIMITS = {
    "cores": ("limit_cores", "Cores that the slice may have."),
    "usd_per_hour": ("budget_usd_per_hour", "What all machines may cost."),
    "usd_per_day": ("budget_usd_per_day", "What may be spent on a day (UTC)."),
}


def metrics_text(slice_: str, shown: Shown | None, age: float) -> bytes:
    """Return all metrics as Prometheus reads them.

    Parameters
    ----------
    slice_
        Whose fleet it is: a label of all.
    shown
        What the last turn left; None before the first one.
    age
        Seconds since the last turn ended; before the first, since the beginning.
    """
    registry = CollectorRegistry()
    registry.register(_Fleet(slice_, shown, age))
    return generate_latest(registry)


class _Fleet:
    """All metrics, as they are now."""

    def __init__(self, slice_: str, shown: Shown | None, age: float) -> None:
        self._slice, self._shown, self._age = slice_, shown, age

    def describe(self) -> Iterable[Metric]:
        """Tell nothing ahead: the numbers are made when they are asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield each metric."""
        yield self._gauge("last_turn_age_seconds", "Since the last turn ended.", self._age)
        if self._shown is None:
            return
        data, counts = self._shown.data, self._shown.counts
        for one in _GAUGES:
            yield self._gauge(one.name, one.said, float(data[one.key]))
        yield from self._now(data)
        yield from self._counted(data, counts)
        yield from self._jobs(self._shown.jobs)
        yield self._boots({**{key: Boots() for key in data["offers"]}, **counts.boots})

    def _now(self, data: Mapping[str, Any]) -> Iterator[Metric]:
        """Yield what is so now, by group, offer, provider and the like."""
        groups = {*data["groups"], *data["cores_of"]}
        cores = GaugeMetricFamily(
            "dynamo_fleet_cores", "Cores by the stage of their worker.", labels=["slice", "group", "stage"]
        )
        for group in sorted(groups):
            for stage in sorted(LIVE):
                cores.add_metric([self._slice, group, stage], data["cores_of"].get(group, {}).get(stage, 0))
        yield cores
        for key, (name, said) in _LIMITS.items():
            if key in data["limits"]:
                yield self._gauge(name, f"{said} Not there where no limit is set.", data["limits"][key])
        for name, said in _ELASTICITY.items():
            if name in data["elasticity"]:
                whole = f"{said} Of the last hour, as SPEC defines it; 1 is 100 per cent."
                yield self._gauge(f"{name}_ratio", whole, data["elasticity"][name] / 100.0)
        policy = {of: data["figures"][key] for key, of in _POLICY.items() if key in data["figures"]}
        yield self._by("policy_demand_cores", "Cores that the policy holds to be needed.", "of", policy)
        queue = {state: float(data[state]) for state in ("waiting", "running")}
        yield self._by("queue_jobs", "Jobs in the queue.", "state", queue)
        yield self._by("policy_info", "The policy that decides: 1.", "policy", {data["policy"]: 1.0})
        rests = {key: float(key in data["rests"]) for key in {*data["offers"], *data["rests"]}}
        yield self._by("offer_resting", "Whether an offer is not asked after a refusal.", "offer", rests)
        out = {name: float(name in data["out"]) for name in {*groups, *data["out"]}}
        yield self._by("group_out_of_service", "Whether nothing is bought for a group.", "group", out)
        troubled = {name: float(name in data["troubles"]) for name in data["providers"]}
        yield self._by(
            "provider_trouble", "Whether the last call of a provider failed.", "provider", troubled
        )

    def _counted(self, data: Mapping[str, Any], counts: Counts) -> Iterator[Metric]:
        """Yield what was counted; 0 where nothing was, so that the first increase is seen."""
        offers, groups = dict.fromkeys(data["offers"], 0), dict.fromkeys(data["groups"], 0)
        for name, said, label, numbers in (
            ("machines_ordered", "Machines that were ordered.", "offer", {**offers, **counts.orders}),
            ("orders_failed", "Orders that no machine came of.", "offer", {**offers, **counts.refusals}),
            ("machines_failed", "Machines that failed.", "group", {**groups, **counts.failures}),
            ("machines_released", "Machines that were let go.", "group", {**groups, **counts.releases}),
        ):
            yield self._counters(name, said, label, numbers)
        spent = CounterMetricFamily(
            "dynamo_fleet_spent_usd", "What was spent since the controller began.", labels=["slice"]
        )
        spent.add_metric([self._slice], counts.usd)
        yield spent

    def _jobs(self, jobs: Mapping[str, Ended]) -> Iterator[Metric]:
        for name, said, which in (
            ("jobs_done", "Jobs that were done.", "done"),
            ("jobs_due", "Jobs with a deadline that were done.", "due"),
            ("jobs_late", "Jobs that were done after their deadline.", "late"),
        ):
            yield self._counters(name, said, "class", {k: getattr(one, which) for k, one in jobs.items()})

    def _boots(self, boots: Mapping[str, Boots]) -> Metric:
        family = HistogramMetricFamily(
            "dynamo_fleet_boot_seconds", "From the order to the pool.", labels=["slice", "offer"]
        )
        bounds = [*map(str, BOUNDS), "+Inf"]
        for offer, seen in sorted(boots.items()):
            up_to = [float(sum(seen.counts[: n + 1])) for n in range(len(bounds))]
            family.add_metric([self._slice, offer], list(zip(bounds, up_to, strict=True)), seen.seconds)
        return family

    def _gauge(self, name: str, said: str, number: float) -> Metric:
        family = GaugeMetricFamily(f"dynamo_fleet_{name}", said, labels=["slice"])
        family.add_metric([self._slice], number)
        return family

    def _by(self, name: str, said: str, label: str, numbers: _Numbers) -> Metric:
        family = GaugeMetricFamily(f"dynamo_fleet_{name}", said, labels=["slice", label])
        for value, number in sorted(numbers.items()):
            family.add_metric([self._slice, value], number)
        return family

    def _counters(self, name: str, said: str, label: str, numbers: _Numbers) -> Metric:
        family = CounterMetricFamily(f"dynamo_fleet_{name}", said, labels=["slice", label])
        for value, number in sorted(numbers.items()):
            family.add_metric([self._slice, value], number)
        return family
