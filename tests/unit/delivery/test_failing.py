"""Channels that fail: since when and why, what the log is told, and that it is forgotten when it is over."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.delivery.channel import Outcome
from dynamo.delivery.failing import Failing, followed, moment
from dynamo.delivery.failures import failing_channels
from dynamo.delivery.lost import ADD_UP, LINES, Losses
from dynamo.delivery.outbox import Outbox
from dynamo.delivery.records import Tried
from dynamo.delivery.retry import Patience, Verdict, judge
from dynamo.delivery.sender import Sender
from dynamo.watch.closed import channels_of

DOWN = Outcome("again", "cannot connect to 127.0.0.1:9: Connection refused")
OK = Outcome("sent", "ok", 200)
NO = Outcome("refused", "no", 404)
GONE = Outcome("refused", "no more", 410, close=True)


def tried(outcome, at=0.0, channel="here", failures=0):
    return Tried(channel, 1, at, 0.1, outcome, Verdict("waiting", failures=failures))


def lines(caplog):
    return [
        (line.levelname, line.message) for line in caplog.records if line.name.startswith("dynamo.delivery")
    ]


@pytest.fixture
def outbox(rows):
    """As one sender sees it."""
    with Outbox(rows.path, "one") as found:
        yield found


@given(st.lists(st.sampled_from([DOWN, OK, NO, GONE]), max_size=9), st.integers(0, 9))
def test_what_is_known_is_of_the_last_failures_and_refusals_in_a_row(outcomes, cut):
    """However the tries are cut into records; a channel that closes is told as that."""
    all_of_them = [tried(outcome, float(n)) for n, outcome in enumerate(outcomes)]
    row = 0
    while row < len(outcomes) and outcomes[-1 - row] in (DOWN, NO):
        row += 1
    found = followed(followed(None, all_of_them[:cut]), all_of_them[cut:])
    n = len(outcomes)
    reason = DOWN.response if outcomes and outcomes[-1] is DOWN else "refused: HTTP 404 no"
    assert found == (Failing("here", n - row, n - 1, row, reason) if row else None)


def test_a_reason_is_one_line_with_the_status():
    """Whatever the other side says."""
    found = followed(None, [tried(Outcome("again", "oh\n no", 500))])
    assert found is not None
    assert found.words(0.0) == "fails since 00:00 UTC: HTTP 500 oh no"
    assert replace(found, reason="").words(0.0).endswith("it does not say why")


def test_a_moment_has_its_date_where_that_is_not_today():
    """Else its time of day is enough."""
    assert moment(1774411500.0, 1774411500.0 + 60) == "04:05 UTC"
    assert moment(1774411500.0, 1774411500.0 + 86_400) == "2026-03-25 04:05 UTC"


def test_the_third_failure_in_a_row_is_told_once_and_that_it_is_over(outbox, clock, caplog):
    """With since when and why; one failure among successes is no news."""
    caplog.set_level(logging.INFO)
    for outcome in (DOWN, OK, DOWN, DOWN):
        outbox.record([tried(outcome, clock())], [], clock())
    assert lines(caplog) == []
    for outcome in (DOWN, DOWN, OK, OK):
        clock.now += 60
        outbox.record([tried(outcome, clock())], [], clock())
    assert lines(caplog) == [
        ("ERROR", "here fails since 12:00 UTC: cannot connect to 127.0.0.1:9: Connection refused"),
        ("WARNING", "here works again; it failed since 12:00 UTC, 4 tries"),
    ]


def test_it_is_known_after_all_that_waited_has_expired_and_after_a_restart(outbox, rows, clock, caplog):
    """So the row goes on to be counted, and whoever looks sees it; also from another process."""
    rows.add(expires=10.0)
    (batch,) = outbox.claim(clock(), healthy=1)
    for failures in (1, 2):
        outbox.record([tried(DOWN, clock(), failures=failures)], [], clock())
    assert failing_channels(rows.path) == [(Failing("here", clock(), clock(), 2, DOWN.response), clock())]
    began = clock()
    outbox.record([], [batch.channel], clock())
    clock.now += 60
    assert outbox.claim(clock(), healthy=1, failing=1) == []
    assert failing_channels(rows.path, ["here"])[0][1] is None
    assert failing_channels(rows.path, ["there"]) == []
    with Outbox(rows.path, "two") as other:
        other.record([tried(DOWN, clock())], [], clock())
    assert failing_channels(rows.path)[0][0] == Failing("here", began, clock(), 3, DOWN.response)
    assert [line for line in lines(caplog) if "fails since 12:00" in line[1]]


def test_a_channel_that_refuses_everything_fails_until_something_is_sent(outbox, rows, clock, caplog):
    """As with a wrong secret; what is on its way to it waits for no retry, so it gives no reason to start anew."""
    rows.add()
    outbox.claim(clock(), healthy=1)
    unsigned = Outcome("refused", "signature is wrong", 401)
    for _ in range(3):
        outbox.record([tried(unsigned, clock())], [], clock())
    why = "refused: HTTP 401 signature is wrong"
    assert failing_channels(rows.path) == [(Failing("here", clock(), clock(), 3, why), None)]
    assert lines(caplog) == [("ERROR", f"here fails since 12:00 UTC: {why}")]
    outbox.record([tried(OK, clock())], [], clock())
    assert failing_channels(rows.path) == []
    assert lines(caplog)[1:] == [("WARNING", "here works again; it failed since 12:00 UTC, 3 tries")]


def attempt(outbox, now, *outcomes):
    """Claim and try deliveries of the one channel, one for each outcome."""
    for outcome in outcomes:
        (batch,) = outbox.claim(now, healthy=1, failing=1)
        item = batch.items[0]
        end = judge(
            outcome, tries=item.tries + 1, begun=item.begun or now, now=now, chance=1.0, patience=Patience(),
            failures=batch.failures, aside=item.aside,
        )  # fmt: skip
        outbox.record([Tried("here", item.seq, now, 0.1, outcome, end)], ["here"], now)


def silent(rows):
    return channels_of(rows.path, ["here"]).silent_since()


@pytest.mark.parametrize("before", [NO, DOWN])
def test_the_silence_is_as_long_as_anything_waits_not_as_the_channel_fails(outbox, rows, clock, before):
    """Three alerts were refused, or expired, in three days; the first error since then is no silence of three days."""
    for _ in range(3):
        rows.add(expires=10.0)
        attempt(outbox, clock(), before)
        clock.now += 86_400
        assert outbox.claim(clock(), healthy=1, failing=1) == []
        assert silent(rows) is None
    rows.add(expires=7200.0)
    assert silent(rows) is None
    began = clock()
    for _ in range(3):
        attempt(outbox, clock(), DOWN)
        assert silent(rows) == began
        clock.now += 600
    attempt(outbox, clock(), OK)
    assert silent(rows) is None


def test_an_update_of_what_waits_begins_no_new_silence(outbox, rows, clock):
    """It supersedes what was tried in vain; an answer to one of its episode does."""
    began = clock()
    for _ in range(5):
        rows.add(episode="e", kind="new" if clock() == began else "updated", expires=7200.0)
        attempt(outbox, clock(), DOWN)
        clock.now += 300
    assert list(rows.states().values()) == ["dropped"] * 4 + ["waiting"]
    assert silent(rows) == began
    attempt(outbox, clock(), NO)
    clock.now += 300
    rows.add(episode="e", kind="updated", expires=7200.0)
    attempt(outbox, clock(), DOWN)
    assert silent(rows) == clock()


def test_a_channel_that_closes_is_not_said_to_work_again(outbox, rows, clock, caplog):
    """It fails no more, for it is closed, which is told as that."""
    for outcome in (DOWN, DOWN, DOWN, GONE):
        outbox.record([tried(outcome, clock())], [], clock())
    assert failing_channels(rows.path) == []
    assert [message for _, message in lines(caplog)] == [f"here fails since 12:00 UTC: {DOWN.response}"]


def test_a_channel_that_is_no_more_fails_no_more(outbox, rows, clock):
    """Buried, or gone from the run file; those of other run files stay."""
    outbox.scope = "a/"
    outbox.record([tried(DOWN, 0.0, name) for name in ("a/x", "a/y", "a/z", "b/x")], [], clock())
    outbox.bury("a/z", "no channel", clock())
    outbox.keep(["a/x"])
    assert [one.channel for one, _ in failing_channels(rows.path)] == ["a/x", "b/x"]


def test_a_watch_that_begins_says_what_is_down_already(rows, recorder, caplog):
    """It was told to the log of the one before, and is true still."""
    with Outbox(rows.path, "one") as outbox:
        outbox.record([tried(DOWN, 0.0)] * 3, [], 0.0)
    caplog.clear()
    asyncio.run(Sender(rows.path, {"here": recorder("here")}, alone=True).drain())
    assert lines(caplog) == [("ERROR", f"here fails since 1970-01-01 00:00 UTC: {DOWN.response}")]


def test_what_is_dropped_is_told_in_a_line_with_what_ails_the_channel(outbox, rows, clock, caplog):
    """Added up for some seconds; what was overtaken harms nobody."""
    caplog.set_level(logging.INFO)
    outbox.record([tried(DOWN, clock())], [], clock())
    for _ in range(50):
        rows.add(expires=10.0)
    clock.now += 60
    while rows.queues():
        outbox.claim(clock(), healthy=1, failing=1)
    assert lines(caplog) == []
    clock.now += ADD_UP
    outbox.claim(clock(), healthy=1)
    assert lines(caplog) == [
        ("WARNING", f"here: 50 alerts were dropped: expired; it fails since 12:00 UTC: {DOWN.response}")
    ]
    outbox.claim(clock(), healthy=1)
    assert len(lines(caplog)) == 1


def test_what_was_not_told_yet_is_told_at_the_end(rows, clock, caplog):
    """A sender that stops says what it dropped last."""
    rows.add(expires=-1.0)
    with Outbox(rows.path, "one") as outbox:
        outbox.claim(clock(), healthy=1)
    assert lines(caplog) == [("WARNING", "here: 1 alert was dropped: expired")]


def test_of_many_channels_a_few_lines_are_written(caplog):
    """Those that lost most, and one for the others."""
    caplog.set_level(logging.INFO)
    losses = Losses()
    for n in range(1000):
        for _ in range(1 + (n == 500)):
            losses.note(f"c{n}", "expired", 0.0)
    losses.note("c0", "superseded: its episode is over", 0.0)
    assert not losses.is_due(ADD_UP - 1)
    assert losses.is_due(ADD_UP)
    assert losses.is_due(-1.0)
    losses.tell(lambda _: "")
    assert len(lines(caplog)) == LINES + 1
    assert lines(caplog)[0] == ("WARNING", "c500: 2 alerts were dropped: expired")
    assert lines(caplog)[-1] == ("WARNING", "991 more alerts were dropped, of 991 channels")
    assert not losses.is_due(1e9)


def test_a_sender_tells_of_a_channel_that_is_down_and_comes_back(rows, recorder, ticking, caplog):
    """Whatever way it fails: what counts is that it may succeed later."""
    rows.add()
    here = recorder("here", DOWN, DOWN, Outcome("again", "exit code 75"), DOWN)
    sender = Sender(rows.path, {"here": here}, clock=ticking, patience=Patience(first=0.02, most=0.02))
    asyncio.run(sender.drain())
    fails, works = [message for _, message in lines(caplog)]
    assert re.fullmatch(r"here fails since \d\d:\d\d UTC: exit code 75", fails)
    assert works.startswith("here works again; it failed since ")
    assert works.endswith("4 tries")
    assert failing_channels(rows.path) == []
