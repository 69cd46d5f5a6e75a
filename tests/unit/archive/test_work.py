"""What the engine is given of a range, in which order, and when it ends before its end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from dynamo.archive.index import Index
from dynamo.archive.work import TROUBLE, Todo, Work
from dynamo.engine.events import Failure, Summary
from dynamo.engine.request import Request
from dynamo.errors import InfrastructureError, UserError
from dynamo.graph.model import Graph
from dynamo.journal import Journal, Workspace
from dynamo.journal.database import DiskFullError
from dynamo.triggers.window import Window


class Case:
    """Makes requests, but for windows that are odd."""

    edited = False

    def request(self, window, priority):
        if window.time in self.odd:
            raise UserError("no frame")
        return Request(f"run-{window.time:g}", Graph("flow", {}, {}), priority=priority)

    def resumed(self, journal, run, priority):
        return Request(run, Graph("flow", {}, {}), resume=True, priority=priority)

    def is_edited(self):
        return self.edited

    odd = ()


def failure(error="too bad", *, machine=False):
    return Failure("read", "read", "flow.py:1", error, machine, "", "", "")


def summary(run, *failures, unpublished=()):
    return Summary(run, "flow", 1, 0, failures, 0, 0, (), "", 1.0, 0.0, unpublished=unpublished)


@pytest.fixture
def made(tmp_path):
    """Make the work of so many windows; what is told of them, and the index."""
    workspace, told = Workspace.open(tmp_path / "work"), []
    with Journal(workspace.journal) as journal, Index(workspace.journal, "run.yaml") as index:

        def make(count, at_once=2, case=None, before=None):
            todo = [Todo(Window(float(n), float(n), {}), "asked", before) for n in range(count)]
            return Work(case or Case(), todo, at_once, workspace, journal, index, told.append)

        yield SimpleNamespace(make=make, told=told, index=index)


def test_so_many_are_under_way_at_once_the_oldest_first(made):
    """What is older goes first in the engine, too; what cannot be asked for has failed and takes no place."""
    case = Case()
    case.odd = (1.0, 5.0)
    work = made.make(6, case=case)
    first = work.take([])
    assert [one.run for one in first] == ["run-0", "run-2"]
    assert first[0].priority > first[1].priority
    assert [(one.window.time, one.error) for one in made.told] == [(1.0, "no frame")]
    assert work.take(["run-0", "run-2"]) == []
    work.ended(summary("run-0"))
    assert [one.run for one in work.take(["run-2"])] == ["run-3"]
    work.ended(summary("run-2", failure()))
    assert [one.run for one in work.take(["run-3"])] == ["run-4"]
    work.refused(Request("run-3", Graph("flow", {}, {})), UserError("no such core"))
    work.ended(summary("run-4"))
    assert work.take([]) is None
    assert [(one.window.time, one.state) for one in made.told] == [
        (1.0, "failed"), (0.0, "done"), (2.0, "failed"), (3.0, "failed"), (4.0, "done"), (5.0, "failed"),
    ]  # fmt: skip
    entries = made.index.entries(0, 9)
    assert {time: entry.done for time, entry in entries.items()} == {0: True, 2: False, 3: False, 4: True}


def test_what_was_begun_for_the_same_is_gone_on_with(made):
    """Not where something else was asked."""
    made.index.begin(0.0, "asked", "earlier")
    before = made.index.entries(0, 0)[0.0]
    assert [(one.run, one.resume) for one in made.make(1, before=before).take([])] == [("earlier", True)]
    made.index.begin(0.0, "other", "earlier")
    before = made.index.entries(0, 0)[0.0]
    assert [(one.run, one.resume) for one in made.make(1, before=before).take([])] == [("run-0", False)]


def test_nothing_is_done_by_code_that_was_edited_meanwhile(made):
    """It is told as done, and looked at again by the next command."""
    case = Case()
    case.edited = True
    work = made.make(1, case=case)
    work.take([])
    work.ended(summary("run-0"))
    assert [one.state for one in made.told] == ["done"]
    assert not made.index.entries(0, 0)[0.0].done


def test_a_machine_that_fails_again_and_again_ends_it(made):
    """Not where windows end well in between, or fail by themselves."""
    work = made.make(20, at_once=20)
    runs = [one.run for one in work.take([])]
    lost = failure("its worker died", machine=True)
    for failures in ((lost,), (lost,), (), (lost,), (lost, failure()), (lost,)):
        work.ended(summary(runs.pop(), *failures))
    for _ in range(TROUBLE - 2):
        work.ended(summary(runs.pop(), lost))
    with pytest.raises(
        InfrastructureError, match="3 windows one after another failed of this machine: read: its"
    ):
        work.ended(summary(runs.pop(), lost))


@pytest.mark.parametrize(
    "ends",
    [
        {"failures": (failure("OSError: [Errno 28] No space left on device", machine=True),)},
        {"unpublished": ("cannot publish x: No space left on device",)},
    ],
)
def test_a_full_disk_ends_it_at_once(made, ends):
    """All windows that follow would fail of it."""
    work = made.make(2)
    work.take([])
    with pytest.raises(DiskFullError, match="No space left"):
        work.ended(summary("run-0", *ends.get("failures", ()), unpublished=ends.get("unpublished", ())))
    assert [one.state for one in made.told] == ["failed"]
    with pytest.raises(DiskFullError):
        work.full(DiskFullError("full"))
