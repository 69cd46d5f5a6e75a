"""Awake or asleep: by the times of data alone, in whatever order they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.alerts.policy import Policy
from dynamo.triggers.wakefulness import (
    AHEAD,
    LEAST_KNOWN,
    LEAST_USUAL,
    USUAL,
    Sighting,
    Wakefulness,
    wakefulness,
)

HOLD, WALL = 1800.0, 1e9
NONE, MUCH = 0.0, 312.0


def seen(minute, area=NONE, known=1.0, wrong=""):
    """A sighting, so many minutes after the first."""
    return Sighting(minute * 60.0, area, known, area >= 10, wrong)


def decide(*sightings, newest=None, quiet=0.0, wall=WALL):
    return wakefulness(sightings, HOLD, None if newest is None else newest * 60.0, quiet, wall)


def test_it_wakes_with_the_first_that_shows_enough_and_sleeps_after_the_hold():
    """From the last that showed enough on, by the data of the other."""
    course = [seen(0), seen(1, MUCH), *(seen(minute) for minute in range(2, 40))]
    assert [decide(*course[:n]).awake for n in range(1, 41)] == [False] + [True] * 31 + [False] * 8
    assert decide(*course[:32]).held == course[1]
    assert decide(*course) == Wakefulness(awake=False, cause="clear", held=None, heard=course[-1])


def test_it_is_awake_until_it_hears_anything():
    """Nothing is known, which is no reason to sleep."""
    assert decide() == decide(newest=5) == Wakefulness(awake=True, cause="new")
    assert decide(seen(0, wrong="no such product")) == Wakefulness(awake=True, cause="silent")


@pytest.mark.parametrize("last", [NONE, MUCH])
def test_when_the_other_is_silent_for_longer_than_the_hold_it_wakes(last):
    """By its own windows, which go on; until then all stays as it was."""
    assert decide(seen(0, last), newest=30).cause == ("held" if last else "clear")
    assert decide(seen(0, last), newest=31) == Wakefulness(
        awake=True, cause="silent", held=seen(0, last) if last else None, heard=seen(0, last)
    )


def test_without_windows_of_its_own_silence_is_counted_on_a_clock_that_nobody_sets():
    """A radar whose clock stands still."""
    assert not decide(seen(0), newest=1, quiet=HOLD).awake
    assert decide(seen(0), newest=1, quiet=HOLD + 1).cause == "silent"


def test_runs_that_cannot_be_read_are_no_news():
    """Neither that it is there nor that it is not; when it was so for too long it wakes."""
    bad = [seen(minute, wrong="truncated") for minute in range(1, 31)]
    assert not decide(seen(0), *bad, newest=30).awake
    assert decide(seen(0), *bad, newest=31).cause == "silent"
    assert decide(seen(0), *bad, seen(31, wrong="truncated")).cause == "silent"


def test_of_what_is_hardly_seen_nothing_counts_as_clear():
    """One of two radars is lost: half of what was usual is seen. What shows enough is believed all the same."""
    half = [seen(minute, known=0.4) for minute in range(2, 40)]
    assert decide(seen(0), seen(1, MUCH, known=0.8), *half).cause == "silent"
    assert not decide(*half).awake  # it is what is usual
    assert decide(seen(0, known=0.04), newest=5).cause == "silent"
    assert decide(seen(0), seen(1, MUCH, known=0.01)).cause == "held"
    assert decide(seen(1, MUCH, known=0.01)).cause == "held"


def test_the_bounds_are_those_of_alerts():
    """One meaning of `clear` everywhere."""
    policy = Policy()
    assert (policy.least_known, policy.least_usual, policy.usual_span) == (LEAST_KNOWN, LEAST_USUAL, USUAL)


def test_what_is_from_the_future_is_not_believed_until_then():
    """A clock that was a day fast and is set back: what was heard then would have it sleep for a day."""
    wall, day = 3600.0, 1440
    course = [seen(50), seen(55, MUCH), seen(day), seen(60)]
    assert decide(*course, wall=wall).cause == "held"
    assert decide(*course, wall=day * 60.0).cause == "clear"
    assert decide(seen(0), seen(70), wall=4200.0 - AHEAD).heard == seen(70)


sightings = st.lists(
    st.builds(
        seen, st.integers(0, 400), st.sampled_from([0.0, 9.9, 10.0, 312.0]), st.sampled_from([0.0, 0.4, 0.5, 1.0]),
        st.sampled_from(["", "", "", "truncated"]),
    ),
    max_size=30,
)  # fmt: skip
times = st.none() | st.integers(0, 450)


@given(course=sightings, newest=times, shuffled=st.randoms())
def test_any_order_gives_the_same(course, newest, shuffled):
    """And so does one that is told twice."""
    other = [*course, *course[:3]]
    shuffled.shuffle(other)
    assert decide(*other, newest=newest) == decide(*course, newest=newest)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (seen(0), seen(0, MUCH)),
        (seen(0, 20.0), seen(0, MUCH)),
        (seen(0, known=0.4), seen(0, known=1.0)),
    ],
)
def test_of_two_of_one_time_that_counts_which_shows_more(less, more):
    """Two runs of one window, whichever ended first."""
    assert decide(less, more).heard == decide(more, less).heard == more


@given(course=sightings, newest=times)
def test_what_is_old_need_not_be_kept(course, newest):
    """Twice the hold and what is usual are enough, but for whether anything was heard at all."""
    last = max((one.time for one in course), default=0.0)
    kept = [one for one in course if one.time >= last - 2 * HOLD - USUAL]
    whole, part = decide(*course, newest=newest), decide(*kept, newest=newest)
    assert part.awake == whole.awake
    assert part == whole or {whole.cause, part.cause} <= {"silent", "new"}


@given(course=sightings, newest=times, quiet=st.floats(0, 4000))
def test_it_never_sleeps_within_the_hold_or_while_nothing_certain_is_known(course, newest, quiet):
    """The two promises."""
    found = decide(*course, newest=newest, quiet=quiet)
    if not found.awake:
        assert found.heard is not None
        assert all(found.heard.time - one.time > HOLD for one in course if one.held and not one.wrong)
        assert quiet <= HOLD
        assert newest is None or newest * 60.0 - found.heard.time <= HOLD
