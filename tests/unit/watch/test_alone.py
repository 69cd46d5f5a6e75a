"""One watch of a run file at a time, and what troubles it, as others see it."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from dynamo.errors import UserError, WorkspaceError
from dynamo.watch.alone import alone, tell_troubles, troubles_of


def test_troubles_are_seen_while_the_watch_is_at_work(tmp_path):
    """None where there is no watch, also where one was killed and what it told is still there."""
    assert troubles_of(tmp_path, "a.yaml") is None
    with alone(tmp_path, "a.yaml"):
        assert troubles_of(tmp_path, "a.yaml") == {}
        assert tell_troubles(tmp_path, "a.yaml", {"disk": "full"})
        assert troubles_of(tmp_path, "a.yaml") == {"disk": "full"}
        assert troubles_of(tmp_path, "b.yaml") is None
        with (
            pytest.raises(UserError, match=f"watched already, by process {os.getpid()}"),
            alone(tmp_path, "a.yaml"),
        ):
            pass
    assert troubles_of(tmp_path, "a.yaml") is None
    with alone(tmp_path, "a.yaml"):
        assert troubles_of(tmp_path, "a.yaml") == {}


def test_that_nothing_can_be_told_is_seen(tmp_path):
    """It is the disk, then; not what was told before: it may be over."""
    with ExitStack() as stack:
        stack.enter_context(alone(tmp_path, "a.yaml"))
        (file,) = tmp_path.glob("*.json")
        assert tell_troubles(tmp_path, "a.yaml", {"ahead": "by 1 h"})
        file.with_suffix(".part").mkdir()
        assert not tell_troubles(tmp_path, "a.yaml", {})
        assert list(troubles_of(tmp_path, "a.yaml")) == ["disk"]


def test_who_may_read_the_journal_may_read_what_troubles_its_watch(tmp_path):
    """The watch of a user whose umask is strict is seen by the others."""
    (tmp_path / "journal.db").touch()
    (tmp_path / "journal.db").chmod(0o644)
    before = os.umask(0o077)
    try:
        with alone(tmp_path, "a.yaml"):
            assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}
    finally:
        os.umask(before)


def test_what_cannot_be_read_is_not_taken_for_no_watch(tmp_path):
    """It is told which file it is, be it the lock or what stands beside it; a watch is not begun on it."""
    with alone(tmp_path, "a.yaml"):
        (told,) = tmp_path.glob("*.json")
        told.unlink()
        told.mkdir()
        assert f"cannot read {told}: Is a directory" in troubles_of(tmp_path, "a.yaml")["watch"]
    (lock,) = tmp_path.glob("*.lock")
    lock.unlink()
    lock.mkdir()
    assert f"cannot read {lock}: Is a directory" in troubles_of(tmp_path, "a.yaml")["watch"]
    with pytest.raises(WorkspaceError, match=f"cannot open {lock}"), alone(tmp_path, "a.yaml"):
        pass


def test_what_a_killed_watch_left_half_written_is_no_hindrance(tmp_path):
    """Another user may have begun it."""
    with alone(tmp_path, "a.yaml"):
        (told,) = tmp_path.glob("*.json")
        told.with_suffix(".part").symlink_to(tmp_path / "none" / "none")
        assert tell_troubles(tmp_path, "a.yaml", {"disk": "full"})
        assert troubles_of(tmp_path, "a.yaml") == {"disk": "full"}
