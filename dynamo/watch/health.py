"""How a watch is, over HTTP: ``/healthz`` for those who restart it, ``/metrics`` for Prometheus.

Enters: counts of each feed, and its deliveries in the journal. Leaves: JSON, and the exposition format of Prometheus.
Goes wrong: a port that is taken (`UserError`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, get_args

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from dynamo.alerts.alert import Kind
from dynamo.alerts.lifecycle import Judgement
from dynamo.errors import UserError, WorkspaceError
from dynamo.triggers.store import Ended
from dynamo.watch.closed import Channels
from dynamo.watch.counts import TROUBLES, Counts
from dynamo.watch.feed import Feed
from dynamo.watch.problems import problems, server_log

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

__all__ = ["BEARABLE", "Health", "Looked", "health"]

_Answer = TypeVar("_Answer")


class Looked(Protocol):
    """One feed, as it is looked at."""

    counts: Counts

    @property
    def feed(self) -> Feed:
        """As it is watched now."""

    @property
    def patience(self) -> float:
        """Seconds without a good end of a run, after which what is to be run makes it unwell."""

    async def deliveries(self) -> dict[str, int]:
        """Return how many deliveries are in each state."""

    async def channels(self) -> Channels:
        """Return how its channels stand."""


#: What troubles a feed that is well all the same: to start it anew would make it no better, or not even begin.
BEARABLE = frozenset({"run file", "subscribers", "ahead", "files", "folders", "times", "channels", "when"})


def health(counts: Counts, now: float, patience: float, channels: Channels | None = None) -> dict[str, Any]:
    """Return how a feed is.

    Not ``ok`` where for `patience` seconds something was to be run, and no run ended well, or something was to be
    told, and every channel failed; nor where it is troubled by what is not `BEARABLE`: where the disk is full or the
    feed has stopped.
    """
    channels = channels or Channels()
    troubles = dict(counts.troubles)
    if said := channels.trouble(now):
        troubles["channels"] = said
    silent = channels.silent_since()
    if silent is not None:  # what failed before the watch began is no reason to end it once more
        silent = max(silent, counts.since)
    waits = any(since is not None and now - since > patience for since in (counts.behind, silent))
    return {
        "ok": not waits and troubles.keys() <= BEARABLE,
        "troubles": troubles,
        "since": counts.since,
        "last_arrival": counts.last_arrival,
        "last_run": counts.last_end,
        "data_time": counts.data_time,
        "data_age": counts.data_age(now),
        "runs": dict(counts.runs),
        "alerts": dict(counts.alerts),
        "cycles": dict(counts.cycles),
        "hazards": {kind: one.words for kind, one in counts.standings.items()},
        **({"when": {"awake": counts.mood.awake, "said": counts.mood.said}} if counts.mood else {}),
    }


class Health:
    """A small server on one port.

    Parameters
    ----------
    feeds
        Of the watch; their names are a label of all metrics.
    host, port
        Where to listen; 0 for any port.
    more
        What else is answered there.
    """

    def __init__(
        self,
        feeds: Sequence[Looked],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        more: Iterable[web.AbstractRouteDef] = (),
    ) -> None:
        self._feeds, self._host, self._port, self._more = feeds, host, port, more
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen."""
        application = web.Application(middlewares=[problems])
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_routes(self._more)
        self._runner = web.AppRunner(application, access_log=None, logger=server_log)
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
        (deliveries, channels), now = await self._journal(), time.time()
        feeds = {
            name: {**health(one.counts, now, one.patience, channels.get(name)), "deliveries": deliveries.get(name)}
            for name, one in ((one.feed.name, one) for one in self._feeds)
        }  # fmt: skip
        ok = all(said["ok"] for said in feeds.values())
        return web.json_response({"ok": ok, "feeds": feeds}, status=200 if ok else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        registry = CollectorRegistry()
        registry.register(_Numbers(self._feeds, *await self._journal()))
        text = generate_latest(registry)
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def _journal(self) -> tuple[dict[str, dict[str, int]], dict[str, Channels]]:
        """Return each feed's deliveries by state, and its channels; not where its journal cannot be read."""
        return (
            await _read({one.feed.name: one.deliveries() for one in self._feeds}),
            await _read({one.feed.name: one.channels() for one in self._feeds}),
        )


async def _read(asked: Mapping[str, Coroutine[Any, Any, _Answer]]) -> dict[str, _Answer]:
    """Return what is answered by the journals, without those that cannot be read."""
    answers = await asyncio.gather(*asked.values(), return_exceptions=True)
    found = {}
    for name, answer in zip(asked, answers, strict=True):
        if not isinstance(answer, BaseException):
            found[name] = answer
        elif not isinstance(answer, WorkspaceError):
            raise answer
    return found


class _Numbers:
    """All metrics, as they are now."""

    def __init__(
        self,
        feeds: Sequence[Looked],
        deliveries: Mapping[str, Mapping[str, int]],
        channels: Mapping[str, Channels],
    ) -> None:
        self._feeds, self._deliveries, self._channels = feeds, deliveries, channels

    def describe(self) -> Iterable[Metric]:
        """Tell nothing ahead: the numbers are made when they are asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield each metric, with the numbers of all feeds."""
        counts = {one.feed.name: one.counts for one in self._feeds}
        yield _counter(
            "dynamo_arrivals", "Files that arrived.", {n: {"": c.arrivals} for n, c in counts.items()}
        )
        ended = {
            n: {**_all_of(Ended, c.runs), "superseded": c.superseded, "passed": c.passed, "asleep": c.asleep}
            for n, c in counts.items()
        }
        yield _counter("dynamo_windows", "Windows by how they ended.", ended, "state")
        alerts = {n: _all_of(Kind, c.alerts) for n, c in counts.items()}
        yield _counter("dynamo_alerts", "Alerts by kind.", alerts, "kind")
        cycles = {n: _all_of(Judgement, c.cycles) for n, c in counts.items()}
        yield _counter("dynamo_cycles", "Cycles of hazards by how they were judged.", cycles, "outcome")
        shares = {
            n: {kind: one.known for kind, one in c.standings.items() if one.known is not None}
            for n, c in counts.items()
        }
        yield _gauge(
            "dynamo_known_share", "Share of the field of which anything was known last.", shares, "hazard"
        )
        yield _gauge("dynamo_deliveries", "Deliveries by state.", self._deliveries, "state")
        now = time.time()
        yield self._troubles(counts, now)
        yield from _ages(counts, now)
        waited = {n: {"": c.waited} for n, c in counts.items()}
        yield from _moods(counts)
        yield _gauge("dynamo_window_wait_seconds", "How long the last window waited.", waited)

    def _troubles(self, counts: Mapping[str, Counts], now: float) -> Metric:
        troubled = {n for n, channels in self._channels.items() if channels.trouble(now)}
        troubles = {
            n: {
                **{what: float(what in c.troubles) for what in TROUBLES},
                "channels": float(n in troubled),
            }
            for n, c in counts.items()
        }
        return _gauge("dynamo_trouble", "What is wrong now: 1.", troubles, "what")


def _moods(counts: Mapping[str, Counts]) -> Iterator[Metric]:
    """Yield how feeds that wait for weather stand."""
    moods = {n: c.mood for n, c in counts.items() if c.mood is not None}
    awake = {n: {"": float(mood.awake)} for n, mood in moods.items()}
    yield _gauge("dynamo_awake", "Whether the weather that it waits for is there, or not known: 1.", awake)
    areas = {n: {"": mood.area} for n, mood in moods.items() if mood.area is not None}
    yield _gauge("dynamo_seen_km2", "Area over which what it waits for was seen last.", areas)


def _ages(counts: Mapping[str, Counts], now: float) -> Iterator[Metric]:
    """Yield how long ago something was, of the feeds in which it was at all."""
    for name, said, when in (
        ("dynamo_last_arrival_age_seconds", "Since a file arrived.", attrgetter("last_arrival")),
        ("dynamo_last_run_age_seconds", "Since a run ended well.", attrgetter("last_end")),
    ):
        moments = {n: when(c) for n, c in counts.items()}
        yield _gauge(name, said, {n: {"": now - at} for n, at in moments.items() if at is not None})
    ages = {n: {"": age} for n, c in counts.items() if (age := c.data_age(now)) is not None}
    yield _gauge("dynamo_data_age_seconds", "Age of the newest data that was judged, or else run.", ages)


def _all_of(literal: Any, counted: Mapping[str, int]) -> dict[str, int]:
    """Return numbers by the values of a `Literal`, 0 where none was counted: an increase is seen from the first on."""
    return {value: counted.get(value, 0) for value in get_args(literal)}


def _counter(name: str, said: str, numbers: Mapping[str, Mapping[str, float]], label: str = "") -> Metric:
    return _filled(CounterMetricFamily(name, said, labels=_labels(label)), numbers)


def _gauge(name: str, said: str, numbers: Mapping[str, Mapping[str, float]], label: str = "") -> Metric:
    return _filled(GaugeMetricFamily(name, said, labels=_labels(label)), numbers)


def _labels(label: str) -> list[str]:
    return ["feed", label] if label else ["feed"]


def _filled(
    family: CounterMetricFamily | GaugeMetricFamily, numbers: Mapping[str, Mapping[str, float]]
) -> Metric:
    for feed, found in numbers.items():
        for value, number in found.items():
            family.add_metric([feed, value] if value else [feed], number)
    return family
