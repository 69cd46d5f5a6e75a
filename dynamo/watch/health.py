"""How a watch is, over HTTP: ``/healthz`` for those who restart it, ``/metrics`` for Prometheus.

Enters: counts, and the queues of the journal. Leaves: JSON, and the exposition format of Prometheus. Goes wrong: a
port that is taken (`UserError`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from dynamo.errors import UserError
from dynamo.watch.counts import Counts

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

__all__ = ["Health", "health"]


def health(counts: Counts, now: float, patience: float) -> dict[str, Any]:
    """Return how a watch is; not ``ok`` where for `patience` seconds something was to be run, and no run ended well."""
    return {
        "ok": counts.behind is None or now - counts.behind <= patience,
        "since": counts.since,
        "last_arrival": counts.last_arrival,
        "last_run": counts.last_end,
        "data_time": counts.data_time,
        "data_age": None if counts.data_time is None else now - counts.data_time,
        "runs": dict(counts.runs),
        "alerts": dict(counts.alerts),
    }


class Health:
    """A small server on one port.

    Parameters
    ----------
    counts
        Of the watch.
    feed
        Its name, a label of all metrics.
    patience
        Seconds without a good end of a run, after which files that came make it unhealthy.
    queues
        Returns how many deliveries wait, are dead and so on, by state; asked at each look.
    host, port
        Where to listen; 0 for any port.
    """

    def __init__(
        self,
        counts: Counts,
        feed: str,
        patience: float,
        queues: Callable[[], dict[str, int]],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.counts, self.feed, self.patience = counts, feed, patience
        self._queues, self._host, self._port = queues, host, port
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen."""
        application = web.Application()
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self.stop()
            raise UserError(f"cannot listen on {self.url}: {error.strerror}; choose another --port") from None
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        said = {"feed": self.feed, **health(self.counts, time.time(), self.patience)}
        return web.json_response({**said, "deliveries": self._queues()}, status=200 if said["ok"] else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        text = generate_latest(self._registry)
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    def describe(self) -> Iterable[Metric]:
        """Tell nothing ahead: the numbers are made when they are asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        counts, now = self.counts, time.time()
        yield self._total("dynamo_arrivals", "Files that arrived.", {"": counts.arrivals})
        ended = {**counts.runs, "superseded": counts.superseded, "passed": counts.passed}
        yield self._total("dynamo_windows", "Windows by how they ended.", ended, "state")
        yield self._total("dynamo_alerts", "Alerts by kind.", counts.alerts, "kind")
        waiting = GaugeMetricFamily("dynamo_deliveries", "Deliveries by state.", labels=["feed", "state"])
        for state, number in self._queues().items():
            waiting.add_metric([self.feed, state], number)
        yield waiting
        for name, said, moment in (
            ("dynamo_last_arrival_age_seconds", "Since a file arrived.", counts.last_arrival),
            ("dynamo_last_run_age_seconds", "Since a run ended well.", counts.last_end),
            ("dynamo_data_age_seconds", "Age of the newest data that was run.", counts.data_time),
        ):
            if moment is not None:
                yield self._gauge(name, said, now - moment)
        yield self._gauge("dynamo_window_wait_seconds", "How long the last window waited.", counts.waited)

    def _total(self, name: str, said: str, numbers: dict[str, int], label: str = "") -> Metric:
        family = CounterMetricFamily(name, said, labels=["feed", label] if label else ["feed"])
        for value, number in numbers.items():
            family.add_metric([self.feed, value] if label else [self.feed], number)
        return family

    def _gauge(self, name: str, said: str, value: float) -> Metric:
        family = GaugeMetricFamily(name, said, labels=["feed"])
        family.add_metric([self.feed], value)
        return family
