"""Health and metrics of a watch, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dynamo.delivery.failing import Failing
from dynamo.errors import UserError, WorkspaceError
from dynamo.triggers.store import Past
from dynamo.watch.closed import Channels, Closed
from dynamo.watch.counts import Counts
from dynamo.watch.health import Health, health


@dataclass
class Fed:
    """A feed as health sees it."""

    name: str = "a.yaml"
    counts: Counts = field(default_factory=Counts)
    numbers: dict[str, int] | None = field(default_factory=lambda: {"waiting": 2})
    patience: float = 60.0
    ways: Channels = field(default_factory=Channels)

    @property
    def feed(self):
        """Its name is all that is asked for."""
        return SimpleNamespace(name=self.name)

    async def deliveries(self):
        """Return its numbers; without any the journal cannot be read."""
        if self.numbers is None:
            raise WorkspaceError("gone")
        return self.numbers

    async def channels(self):
        """As the journal has them."""
        if self.numbers is None:
            raise WorkspaceError("gone")
        return self.ways


def ask(path: str, *feeds: Fed):
    """Start a server, ask it once; return status, type and body."""

    async def main():
        server = Health(feeds)
        await server.start()
        try:
            async with aiohttp.ClientSession() as session, session.get(server.url + path) as answer:
                return answer.status, answer.content_type, await answer.text()
        finally:
            await server.stop()

    return asyncio.run(main())


def test_it_is_well_while_nothing_is_to_be_run():
    """However long ago the last run was, also when a file has just come."""
    counts = Counts(since=0.0)
    assert health(counts, 1e6, 60)["ok"]
    counts.waits(10.0)
    counts.ended("done", 5.0, 12.0)
    counts.arrived(1, 1e6)
    counts.waits(1e6)
    assert health(counts, 1e6 + 59, 60)["ok"]
    assert not health(counts, 1e6 + 61, 60)["ok"]


def test_runs_that_fail_do_not_make_it_well():
    """Only one that ends well does; the age of its data is told."""
    counts = Counts(since=0.0)
    counts.waits(10.0)
    counts.ended("failed", 5.0, 20.0)
    assert not health(counts, 80.0, 60)["ok"]
    counts.ended("done", 7.0, 90.0)
    said = health(counts, 100.0, 60)
    assert said["ok"]
    assert said["data_age"] == 93
    assert said["runs"] == {"failed": 1, "done": 1}


def test_what_waited_while_no_watch_ran_counts_from_its_start():
    """Else a watch that was off for a night would begin unwell, and be ended for that."""
    counts = Counts(since=1000.0)
    counts.waits(10.0)
    assert health(counts, 1030.0, 60)["ok"]


def test_what_was_last_before_the_watch_began_is_told_and_not_counted():
    """So that an age is there from the start; what happens then is newer."""
    counts = Counts(since=1000.0)
    counts.remember(Past(700.0, 800.0, 600.0))
    said = health(counts, 1000.0, 60)
    assert (said["last_arrival"], said["last_run"], said["data_age"], said["runs"]) == (700, 800, 400, {})
    assert counts.arrivals == 0
    counts.arrived(0, 1100.0)
    counts.ended("done", None, 1100.0)
    counts.remember(Past(700.0, 800.0, 600.0))
    said = health(counts, 1100.0, 60)
    assert (said["last_arrival"], said["last_run"], said["data_age"]) == (700, 1100, 500)


def test_data_that_is_awaited_ages_from_the_start_and_data_from_ahead_is_of_now():
    """An alarm on the age hears also of a feed that never gets any; one without files, by the clock alone, has none."""
    counts = Counts(since=1000.0)
    assert counts.data_age(1600.0) == 600
    counts.awaits = False
    assert counts.data_age(1600.0) is None
    assert "dynamo_data_age_seconds{" not in ask("/metrics", Fed(counts=counts))[2]
    counts.ended("done", 1700.0, 1600.0)
    assert counts.data_age(1600.0) == 0
    assert "dynamo_data_age_seconds{" in ask("/metrics", Fed(counts=counts))[2]


def test_a_trouble_is_told_while_it_lasts():
    """A full disk makes it unwell; a faulty run file does not, since a new start would fail of it."""
    counts = Counts()
    assert counts.trouble("run file", "line 3")
    assert not counts.trouble("run file", "line 3")
    assert health(counts, 0.0, 60)["ok"]
    assert counts.trouble("disk", "full")
    said = health(counts, 0.0, 60)
    assert not said["ok"]
    assert said["troubles"] == {"run file": "line 3", "disk": "full"}
    assert counts.trouble("disk", "")
    assert not counts.trouble("disk", "")
    assert health(counts, 0.0, 60)["ok"]


def test_healthz_answers_200_or_503_with_the_facts_of_all_feeds():
    """For those who restart what is not well; one feed is enough."""
    status, kind, body = ask("/healthz", Fed(), Fed("b.yaml", numbers=None))
    assert (status, kind) == (200, "application/json")
    feeds = json.loads(body)["feeds"]
    assert [(name, one["deliveries"]) for name, one in feeds.items()] == [
        ("a.yaml", {"waiting": 2}), ("b.yaml", None),
    ]  # fmt: skip
    behind = Counts(since=0.0)
    behind.waits(0.0)
    status, _, body = ask("/healthz", Fed(), Fed("b.yaml", behind))
    said = json.loads(body)
    assert (status, said["ok"]) == (503, False)
    assert {name: one["ok"] for name, one in said["feeds"].items()} == {"a.yaml": True, "b.yaml": False}


def test_metrics_are_what_prometheus_reads():
    """Names, labels and values; a name of a feed may hold anything."""
    counts, feed = Counts(), 'odd "name"\\n.yaml'
    counts.arrived(1, 1.0)
    counts.waits(2.0)
    counts.began(2.0)
    counts.ended("done", 3.0, 4.0)
    counts.ended("failed", 3.0, 5.0)
    counts.superseded = 7
    status, kind, body = ask("/metrics", Fed(feed, counts), Fed(numbers=None))
    assert (status, kind) == (200, "text/plain")
    found = {
        (sample.name, sample.labels.get("state", "")): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
        if sample.labels["feed"] == feed
    }
    assert found["dynamo_arrivals_total", ""] == 1
    assert found["dynamo_windows_total", "done"] == found["dynamo_windows_total", "failed"] == 1
    assert found["dynamo_windows_total", "superseded"] == 7
    assert found["dynamo_deliveries", "waiting"] == 2
    assert found["dynamo_data_age_seconds", ""] > 0


def test_counters_are_there_at_0_before_anything_happened():
    """Else nobody sees the first increase."""
    _, _, body = ask("/metrics", Fed())
    for name, values in (
        ('windows_total{feed="a.yaml",state=', ("done", "failed", "superseded", "passed")),
        ('alerts_total{feed="a.yaml",kind=', ("new", "updated", "cancelled")),
        ('cycles_total{feed="a.yaml",outcome=', ("judged", "late", "unknown")),
    ):
        for value in values:
            assert f'dynamo_{name}"{value}"}} 0.0' in body


def test_a_closed_channel_and_refused_subscribers_are_told_and_no_reason_to_start_anew():
    """What to do stands there; a new start would open no channel, and would not begin with faulty subscribers."""
    counts = Counts()
    counts.trouble("subscribers", "people.csv: 1 fault")
    closed = Closed("a.yaml/desk", datetime(2026, 3, 25, 5, tzinfo=UTC), "410 Gone")
    status, _, body = ask("/healthz", Fed("a.yaml", counts, ways=Channels((), [closed])))
    troubles = json.loads(body)["feeds"]["a.yaml"]["troubles"]
    assert status == 200
    assert troubles["subscribers"] == "people.csv: 1 fault"
    assert troubles["channels"].startswith("channel 'a.yaml/desk' is closed since 2026-03-25 05:00:00Z")
    assert "(410 Gone)" in troubles["channels"]
    assert "`dynamo alerts replay --channel a.yaml/desk`" in troubles["channels"]
    _, _, body = ask("/metrics", Fed("a.yaml", counts, ways=Channels((), [closed])), Fed("b.yaml"))
    for feed, value in (("a.yaml", "1.0"), ("b.yaml", "0.0")):
        assert f'dynamo_trouble{{feed="{feed}",what="channels"}} {value}' in body
        assert f'dynamo_trouble{{feed="{feed}",what="subscribers"}} {value}' in body


def failing(channel, since=0.0, failures=3, waits=0.0):
    return Failing(channel, since, since + 9, failures, "Connection refused"), waits


def test_failing_channels_are_named_with_since_and_reason():
    """200 as long as another works: a new start would mend nothing. One failure, which may be chance, is not told."""
    now = datetime(2026, 3, 25, 5, tzinfo=UTC).timestamp()
    ways = Channels(("a.yaml/x", "a.yaml/y"), [], [failing("a.yaml/x", now), failing("a.yaml/y", now, 2)])
    status, _, body = ask("/healthz", Fed("a.yaml", ways=ways))
    assert status == 200
    troubles = json.loads(body)["feeds"]["a.yaml"]["troubles"]
    assert troubles == {"channels": "a.yaml/x fails since 2026-03-25 05:00 UTC: Connection refused"}
    _, _, body = ask("/metrics", Fed("a.yaml", ways=ways))
    assert 'dynamo_trouble{feed="a.yaml",what="channels"} 1.0' in body


def test_it_is_unwell_where_alerts_wait_and_every_channel_fails():
    """For some time; not where nothing waits, for then nobody knows."""
    counts, both = Counts(since=0.0), ("x", "y")
    down = Channels(both, [], [failing("x"), failing("y", 50.0)])
    assert health(counts, 110.0, 60, down)["ok"]
    assert not health(counts, 111.0, 60, down)["ok"]
    assert health(counts, 111.0, 60, Channels(both, [], [failing("x")]))["ok"]
    quiet = Channels(both, [], [failing("x", waits=None), failing("y")])
    assert health(counts, 1e6, 60, quiet)["ok"]
    assert health(counts, 1e6, 60, quiet)["troubles"]["channels"].count("fails since") == 2
    closed = Closed("x", datetime(2026, 3, 25, 5, tzinfo=UTC), "")
    assert not health(counts, 111.0, 60, Channels(both, [closed], [failing("y")]))["ok"]
    assert health(counts, 111.0, 60, Channels(("x",), [closed]))["ok"]
    assert health(Counts(since=100.0), 111.0, 60, down)["ok"]
    assert health(counts, 111.0, 60, Channels(("x",), [], [failing("x", waits=51.0)]))["ok"]
    assert not health(counts, 112.0, 60, Channels(("x",), [], [failing("x", waits=51.0)]))["ok"]


def test_of_very_many_channels_in_trouble_some_are_named():
    """The others are counted."""
    ways = Channels((), [], [failing(f"c{n}") for n in range(1000)])
    said = ways.trouble(0.0)
    assert said.count("fails since") == 20
    assert said.endswith("; and 980 more")


def test_a_port_that_is_taken_is_told():
    """With what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Health([Fed()], port=taken.getsockname()[1])
        with pytest.raises(UserError, match="choose another --port"):
            asyncio.run(server.start())
