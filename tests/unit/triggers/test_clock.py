"""Ticks of a clock: at their times, none twice, and one for all that were missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.errors import UserError
from dynamo.triggers.clock import Cron, Every, due, schedule_of

YEARS = (datetime(2000, 1, 1), datetime(2050, 1, 1))  # noqa: DTZ001 - Hypothesis adds none
START = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)


def ticks(schedule, begin, end):
    found = []
    while (begin := schedule.after(begin)) <= end:
        found.append(begin)
    return found


def test_every_so_often_falls_on_whole_multiples():
    """Five minutes are :00, :05, ... whenever the watch was started; an offset moves them."""
    assert Every(300).after(START) == START + timedelta(minutes=5)
    assert Every(300).until(START) == START
    assert Every(300, offset=40).after(START) == START + timedelta(seconds=40)


@given(st.sampled_from([0.1, 0.3, 1, 7.5, 60, 300]), st.datetimes(*YEARS))
def test_the_last_tick_and_the_next_enclose_every_time(seconds, moment):
    """Nothing falls between two ticks, also where seconds are fractions."""
    moment = moment.replace(tzinfo=UTC)
    schedule = Every(seconds)
    assert schedule.until(moment) <= moment < schedule.after(moment)
    assert schedule.after(schedule.until(moment)) == schedule.after(moment)


def test_cron_goes_by_its_time_zone_through_clock_changes():
    """Berlin skips 02:30 on 2026-03-29 and has it twice on 2026-10-25: it runs once each day."""
    cron = Cron("30 2 * * *", "Europe/Berlin")
    spring = ticks(cron, START, START + timedelta(days=3))
    assert [t.isoformat() for t in spring] == [
        "2026-03-29T01:00:00+00:00", "2026-03-30T00:30:00+00:00", "2026-03-31T00:30:00+00:00",
    ]  # fmt: skip
    autumn = ticks(cron, datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 26, 12, tzinfo=UTC))
    assert len(autumn) == 2
    every = ticks(Cron("*/15 * * * *", "Europe/Berlin"), START, START + timedelta(days=1))
    assert len(every) == 96


def test_cron_finds_the_last_tick_at_a_time():
    """A tick at this very second counts."""
    cron = Cron("*/5 * * * *")
    assert cron.until(START) == START
    assert cron.until(START + timedelta(seconds=299, microseconds=5)) == START


def test_missed_ticks_are_one():
    """After a night asleep the latest tick is due, and then none until the next."""
    for schedule in (Every(60), Cron("* * * * *")):
        now = START + timedelta(hours=8, seconds=30)
        assert due(schedule, START, now) == START + timedelta(hours=8)
        assert due(schedule, START + timedelta(hours=8), now) is None


def test_a_clock_that_is_set_back_doubles_nothing_and_does_not_stop():
    """A small step back waits for the next tick; after a wrong day, ticks go on at once."""
    schedule = Every(60)
    assert due(schedule, START, START - timedelta(seconds=2)) is None
    assert due(schedule, START + timedelta(days=1), START) == START


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Every(0), "no interval"),
        (lambda: Cron("every day"), "is no cron line"),
        (lambda: Cron("61 * * * *"), "bad minute"),
        (lambda: Cron("0 0 30 2 *"), "30 2"),
        (lambda: Cron("* * * * *", "Europe/Berlni"), "did you mean 'Europe/Berlin'"),
    ],
)
def test_a_schedule_that_means_no_time_is_refused(make, words):
    """The message says what is wrong and shows a right one."""
    with pytest.raises(UserError, match=words):
        make()


@given(
    st.one_of(
        st.builds(Every, st.floats(0.1, 1e6), st.floats(-1e3, 1e3)),
        st.builds(
            Cron,
            st.sampled_from(["*/5 * * * *", "0 6-18 * * 1#2", "30 0 12 L * ?".replace("?", "MON-FRI")]),
            st.sampled_from(["UTC", "Europe/Berlin", "Etc/GMT+3"]),
        ),
    )
)
def test_a_schedule_is_read_back_from_its_text(schedule):
    """In digits enough for ticks at the same microsecond; no sign in it ends a string of HTCondor."""
    again = schedule_of(str(schedule))
    assert again is not None
    assert str(again) == str(schedule)
    assert abs(again.after(START) - schedule.after(START)) <= timedelta(milliseconds=1)
    assert not set(str(schedule)) & set('"\\$\n')


@pytest.mark.parametrize(
    "text",
    ["", "every", "every x s", "every 0 s", "every nan s", "cron", "cron 99 * * * * in UTC", "now and then"],
)
def test_what_is_no_text_of_a_schedule_is_none(text):
    """Another dynamo may have written it."""
    assert schedule_of(text) is None
