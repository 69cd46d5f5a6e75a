"""Health and metrics of a watch, over real HTTP."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dynamo.errors import UserError
from dynamo.watch.counts import Counts
from dynamo.watch.health import Health, health


def ask(counts: Counts, path: str, queues=lambda: {"waiting": 2}, feed="a.yaml"):
    """Start a server, ask it once; return status, type and body."""

    async def main():
        server = Health(counts, feed, 60.0, queues)
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
    counts.arrived("file", 1e6)
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


def test_healthz_answers_200_or_503_with_the_facts():
    """For those who restart what is not well."""
    status, kind, body = ask(Counts(), "/healthz")
    assert (status, kind) == (200, "application/json")
    assert '"waiting": 2' in body
    assert '"feed": "a.yaml"' in body
    behind = Counts(since=0.0)
    behind.waits(0.0)
    assert ask(behind, "/healthz")[0] == 503


def test_metrics_are_what_prometheus_reads():
    """Names, labels and values; a name of a feed may hold anything."""
    counts, feed = Counts(), 'odd "name"\\n.yaml'
    counts.arrived("file", 1.0)
    counts.waits(2.0)
    counts.began(2.0)
    counts.ended("done", 3.0, 4.0)
    counts.ended("failed", 3.0, 5.0)
    counts.superseded = 7
    status, kind, body = ask(counts, "/metrics", feed=feed)
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


def test_a_port_that_is_taken_is_told():
    """With what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Health(Counts(), "a.yaml", 60.0, dict, port=taken.getsockname()[1])
        with pytest.raises(UserError, match="choose another --port"):
            asyncio.run(server.start())
