"""`dynamo status` of a workspace that several run files share."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from dynamo.alerts.match import Match
from dynamo.alerts.store import AlertStore
from dynamo.cli import main
from dynamo.watch.alone import alone, tell_troubles

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path):
    """Two feeds with a window each; for one of their channels a delivery waits, another is closed."""
    journal = tmp_path / "journal.db"
    match = Match(
        subscriber="clinic", lon=-97.0, lat=32.0, hazard="STORM", level=45.0, units="dBZ", onset=NOON,
        ends=NOON + timedelta(hours=1), inside=True, distance_km=0.0, bearing_deg=0.0, within_km=1.0,
        narrowest_km=1.0,
    )  # fmt: skip
    with AlertStore(journal) as store:
        for feed in ("a.yaml", "b.yaml"):
            store.exercise(match, feed, NOON, [f"{feed}/desk"])
    with contextlib.closing(sqlite3.connect(journal)) as db, db:
        for feed in ("a.yaml", "b.yaml"):
            db.execute(
                "INSERT INTO windows (feed, time, first, files, complete, state, reason, queued)"
                " VALUES (?, 0, 0, '{}', 1, 'done', '', 0)",
                (feed,),
            )
        db.execute("INSERT INTO closed_channels VALUES ('b.yaml/pager', 0, '410 Gone')")
    return tmp_path


def status(workspace, capsys, *options):
    with pytest.raises(SystemExit) as ended:
        main(["status", "--workspace", str(workspace), *options])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_each_feed_is_told_with_its_own_channels(workspace, capsys):
    """What waits for another run file's is not its."""
    feeds = json.loads(status(workspace, capsys, "--json"))["watched"]
    assert {feed: (one["waiting"], list(one["closed"])) for feed, one in feeds.items()} == {
        "a.yaml": ({"a.yaml/desk": 1}, []),
        "b.yaml": ({"b.yaml/desk": 1}, ["b.yaml/pager"]),
    }
    first, second = status(workspace, capsys).split("watched: ")[1:]
    assert "1 delivery waiting for a.yaml/desk" in first
    assert "b.yaml" not in first
    assert "1 delivery waiting for b.yaml/desk" in second
    assert "channel 'b.yaml/pager' is closed since 1970-01-01 00:00:00Z" in second
    assert "410 Gone" in second


def test_a_channel_that_fails_is_told_with_since_when_and_why(workspace, capsys):
    """From the first failure on, also where no watch is at work, and nothing waits any more."""
    with contextlib.closing(sqlite3.connect(workspace / "journal.db")) as db, db:
        db.execute("INSERT INTO failing_channels VALUES ('a.yaml/desk', 0, 90, 2, 'Connection refused')")
        db.execute("DELETE FROM deliveries")
    first, second = status(workspace, capsys).split("watched: ")[1:]
    told = "a.yaml/desk fails since 1970-01-01T00:00:00Z, 2 tries, the last at 1970-01-01T00:01:30Z: Connection refused"
    assert told in first
    assert "fails" not in second
    said = json.loads(status(workspace, capsys, "--json"))["watched"]["a.yaml"]["failing"]["a.yaml/desk"]
    assert (said["failures"], said["reason"]) == (2, "Connection refused")


def test_dead_letters_are_told_with_the_verb_that_lists_them(workspace, capsys):
    """Each feed's own, by channel."""
    assert "dead letter" not in status(workspace, capsys)
    with contextlib.closing(sqlite3.connect(workspace / "journal.db")) as db, db:
        db.execute("UPDATE deliveries SET state = 'dead' WHERE channel = 'a.yaml/desk'")
    first, second = status(workspace, capsys).split("watched: ")[1:]
    assert "  1 dead letter for a.yaml/desk, see `dynamo alerts deadletter --channel a.yaml/desk`\n" in first
    assert "dead letter" not in second
    feeds = json.loads(status(workspace, capsys, "--json"))["watched"]
    assert [one["dead"] for one in feeds.values()] == [{"a.yaml/desk": 1}, {}]


def test_a_run_of_another_dynamo_does_not_hide_what_is_watched(workspace, capsys):
    """Only where it is asked for by name is that a fault; its list is as it was."""
    graph = zlib.compress(json.dumps({"format": 1, "name": "w", "needs": [{"dsk": 1}], "tasks": []}).encode())
    with contextlib.closing(sqlite3.connect(workspace / "journal.db")) as db, db:
        db.execute(
            "INSERT INTO runs (id, workflow, state, created, graph, settings) VALUES ('old', 'w', 'done', 0, ?, '{}')",
            (graph,),
        )
    said = "run old was written by another dynamo: it cannot be shown, nor gone on with"
    out = status(workspace, capsys)
    assert out.startswith(said)
    assert "watched: a.yaml" in out
    assert json.loads(status(workspace, capsys, "--json"))["problem"] == said
    for verb in (["status", "old"], ["logs"]):
        with pytest.raises(SystemExit) as ended:
            main([*verb, "--workspace", str(workspace)])
        assert (ended.value.code, said in capsys.readouterr().err) == (2, True)
    with pytest.raises(SystemExit) as ended:
        main(["runs", "--workspace", str(workspace)])
    assert (ended.value.code, capsys.readouterr().out[:3]) == (0, "old")


def test_what_troubles_a_watch_is_told_while_it_is_at_work(workspace, capsys):
    """Of several lines each is seen to belong to it."""
    with alone(workspace, "a.yaml"):
        tell_troubles(workspace, "a.yaml", {"subscribers": "1 fault:\n  people.csv:2"})
        first, second = status(workspace, capsys).split("watched: ")[1:]
        assert "  trouble: subscribers: 1 fault:\n      people.csv:2\n" in first
        assert "no watch" not in first
        assert "  no watch is at work\n" in second
        feeds = json.loads(status(workspace, capsys, "--json"))["watched"]
        assert [one["troubles"] for one in feeds.values()] == [
            {"subscribers": "1 fault:\n  people.csv:2"}, None,
        ]  # fmt: skip
