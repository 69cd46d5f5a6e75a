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


def test_with_newest_only_what_must_wait_is_superseded_by_newer_data():
    """What there is room for runs; of the rest only the newest of all may wait."""
    rules = {"a": FeedRule(newest_only=True)}
    assert choose(of("a", 1, 2, 3), [], 3, rules).superseded == ()
    choice = choose(of("a", 1, 2, 3), of("a", 0), 2, rules)
    assert [w.time for w, _ in choice.superseded] == [1, 2]
    assert choose(of("a", 1), of("b", 5), 1, rules).superseded == ()


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


@given(
    st.lists(st.builds(Waiting, st.sampled_from("ab"), st.integers(0, 20)), unique=True, max_size=20),
    st.integers(0, 5),
    st.integers(0, 3),
    st.booleans(),
)
def test_nothing_is_both_started_and_given_up(windows, limit, n_running, newest_only):
    """The limit holds, and room is used while something may start."""
    running, waiting = windows[:n_running], windows[n_running:]
    rules = {"a": FeedRule(stale=10, newest_only=newest_only), "b": FeedRule(limit=1)}
    choice = choose(waiting, running, limit, rules)
    gone = {w for w, _ in choice.superseded}
    assert not gone & set(choice.start)
    assert {*gone, *choice.start} <= set(waiting)
    assert len(choice.start) <= max(0, limit - len(running))
    left = [w for w in waiting if w not in gone and w not in choice.start and w.feed == "a"]
    assert not left or len(choice.start) == max(0, limit - len(running))
