"""What starts and what is given up, when more waits than can run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dynamo.triggers.queue import FeedRule, Waiting, choose


def of(feed, *times):
    return [Waiting(feed, t) for t in times]


def test_the_newest_starts_first():
    """Old windows wait, and are not given up unless the rule says so."""
    choice = choose(of("a", 1, 2, 3), of("a", 0), 2, {})
    assert choice.start == (Waiting("a", 3),)
    assert choice.superseded == ()


def test_stale_windows_are_superseded_even_where_there_is_room():
    """Age is by data time behind the feed's newest, which may have run already."""
    rules = {"a": FeedRule(stale=100)}
    choice = choose(of("a", 0, 150), [], 9, rules, newest={"a": 200})
    assert choice.start == (Waiting("a", 150),)
    assert choice.superseded == ((Waiting("a", 0), "200 s behind the newest data"),)


def test_feeds_take_turns_and_priority_goes_first():
    """One busy feed does not starve another; a limit of a feed leaves room for others."""
    waiting = of("a", 7, 8, 9) + of("b", 1, 2)
    assert [w.feed for w in choose(waiting, [], 4, {}).start] == ["a", "b", "a", "b"]
    assert [w.feed for w in choose(waiting, [], 3, {"b": FeedRule(priority=1)}).start] == ["b", "b", "a"]
    assert [w.feed for w in choose(waiting, [], 4, {"a": FeedRule(limit=1)}).start] == ["a", "b", "b"]


def test_what_runs_of_lower_priority_takes_no_room_from_what_is_above():
    """Long runs of an archive keep no warning waiting; what runs above does count."""
    rules = {"warning": FeedRule(priority=1)}
    assert choose(of("warning", 5), of("archive", 1, 2), 2, rules).start == (Waiting("warning", 5),)
    assert choose(of("warning", 5, 6, 7), of("archive", 1, 2), 2, rules).start == tuple(of("warning", 7, 6))
    assert choose(of("archive", 5), of("warning", 1, 2), 2, rules).start == ()


def test_a_backlog_that_was_asked_for_does_not_grow_stale():
    """Up to the time of its newest file; what came later does."""
    rules = {"a": FeedRule(stale=100, asked=500)}
    choice = choose(of("a", 0, 500, 501, 9000), [], 1, rules)
    assert choice.start == (Waiting("a", 9000),)
    assert [window.time for window, _ in choice.superseded] == [501]


@given(
    st.lists(st.builds(Waiting, st.sampled_from("abc"), st.integers(0, 20)), unique=True, max_size=20),
    st.integers(0, 5),
    st.integers(0, 3),
)
def test_nothing_is_both_started_and_given_up(windows, limit, n_running):
    """The limit holds for each priority with those above, and room is used while something may start."""
    running, waiting = windows[:n_running], windows[n_running:]
    rules = {"a": FeedRule(stale=10), "b": FeedRule(limit=1), "c": FeedRule(priority=1)}
    choice = choose(waiting, running, limit, rules)
    gone = {w for w, _ in choice.superseded}
    assert not gone & set(choice.start)
    assert {*gone, *choice.start} <= set(waiting)
    beside = [*running, *choice.start]
    urgent = [w for w in beside if w.feed == "c"]
    assert len(urgent) <= max(limit, sum(w.feed == "c" for w in running))
    assert len(choice.start) == 0 or len(urgent) <= limit
    if any(w.feed != "c" for w in choice.start):
        assert len(beside) <= limit
    left = {w.feed for w in waiting if w not in gone and w not in choice.start}
    assert "c" not in left or len(urgent) >= limit
    assert "a" not in left or len(beside) >= limit


def test_of_feeds_of_one_priority_that_with_the_older_data_has_its_turn_too():
    """Whoever began last comes last; else the feed with the newest data would always win."""
    waiting = of("a", 100, 101) + of("slow", 1)
    assert choose(waiting, [], 1, {}, began={"a": 5, "slow": 4}).start == (Waiting("slow", 1),)
    assert choose(waiting, [], 1, {}, began={"a": 5, "slow": 6}).start == (Waiting("a", 101),)
    assert choose(waiting, [], 1, {}, began={"a": 5}).start == (Waiting("slow", 1),)
    rules = {"a": FeedRule(priority=1)}
    assert choose(waiting, [], 1, rules, began={"a": 5, "slow": 4}).start == (Waiting("a", 101),)
