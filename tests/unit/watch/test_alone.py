"""One watch of a run file at a time, and what troubles it, as others see it."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from dynamo.errors import UserError
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
