"""Files without a time in their names, of which somebody is told."""

from __future__ import annotations

from dynamo.triggers.arrival import Arrival
from dynamo.triggers.untimed import Untimed


def file(name, time=None, mtime=0, of="frames"):
    """Return a file of an input."""
    return Arrival(of, name, 1, mtime, time)


def test_an_input_is_untimed_as_long_as_its_newest_file_is():
    """By the times of change, in whatever order files are seen; other inputs say nothing of it."""
    untimed = Untimed()
    untimed.take([file("b", mtime=2), file("a", 60.0, mtime=1), file("c", 60.0, mtime=3, of="other")])
    assert untimed.inputs == {"frames": file("b", mtime=2)}
    untimed.take([file("d", 120.0, mtime=4)])
    assert untimed.inputs == {}


def test_news_are_told_once_with_the_first_and_a_count():
    """Also where files with a time came meanwhile."""
    untimed = Untimed()
    assert untimed.take_news() is None
    untimed.take([file("a"), file("b", mtime=1)])
    untimed.take([file("c", mtime=2), file("d", 1.0, mtime=3)])
    news = untimed.take_news()
    assert news is not None
    assert (news.first.path, news.count) == ("a", 3)
    assert untimed.take_news() is None
