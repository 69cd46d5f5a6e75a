"""The seam between the event loop of a watch and its engine's thread."""

from __future__ import annotations

import asyncio
import select
import threading
from types import SimpleNamespace

import pytest

from dynamo.errors import UserError, WorkspaceError
from dynamo.journal.database import DiskFullError
from dynamo.watch.runs import Runs


def test_what_is_asked_for_wakes_the_engine_and_is_taken_once_in_order():
    """The descriptor is readable until it is taken."""
    runs = Runs(lambda _: None, lambda _, __: None, lambda _: None)
    assert runs.take([]) == []
    for n in range(100_000 // 100):
        runs.ask(n)
    assert select.select([runs], [], [], 0)[0]
    assert runs.take([]) == list(range(1000))
    assert runs.take([]) == []
    assert not select.select([runs], [], [], 0)[0]
    runs.close()


def test_news_of_the_engine_are_told_in_the_loop():
    """Whatever thread they come from; in their order."""

    async def main():
        told, over = [], asyncio.Event()

        def ended(summary):
            told.append((summary, threading.current_thread()))

        def refused(request, error):
            told.append((request, error))
            over.set()

        runs = Runs(ended, refused, told.append)
        runs.attach(asyncio.get_running_loop())
        error = UserError("no")

        def engine():
            runs.ended(SimpleNamespace(run="r"))
            runs.waits(DiskFullError("the disk is full"))
            runs.waits(None)
            runs.refused("request", error)

        thread = threading.Thread(target=engine)
        thread.start()
        await over.wait()
        thread.join()
        runs.close()
        (summary, where), full, room, last = told
        assert "disk of the workspace is full" in full
        assert room == ""
        assert summary.run == "r"
        assert where is threading.main_thread()
        assert last == ("request", error)

    asyncio.run(main())


def test_a_failure_ends_the_engine_also_where_runs_are_under_way():
    """They are gone on with by the next watch."""
    runs = Runs(lambda _: None, lambda _, __: None, lambda _: None)
    runs.check()
    runs.fail(WorkspaceError("full"))
    assert select.select([runs], [], [], 0)[0]
    with pytest.raises(WorkspaceError, match="full"):
        runs.take(["one"])
    runs.close()


def test_whoever_comes_late_is_not_hurt():
    """The loop has ended, or the engine."""
    told: list[object] = []
    runs = Runs(told.append, lambda *news: told.append(news), told.append)
    runs.ended(SimpleNamespace(run="before any loop"))
    loop = asyncio.new_event_loop()
    runs.attach(loop)
    loop.close()
    runs.ended(SimpleNamespace(run="r"))
    runs.refused("request", UserError("no"))
    runs.close()
    runs.ask("another")
    runs.fail(WorkspaceError("full"))
    assert not told


def test_a_full_disk_is_outlasted_and_told_once(caplog):
    """Until there is room again; but for what the engine was to end with."""
    runs = Runs(lambda _: None, lambda _, __: None, lambda _: None)
    for _ in range(3):
        runs.full(DiskFullError("the disk is full"))
    assert [record.message for record in caplog.records] == [
        "what runs was ended, and is begun again when there is room: the disk is full"
    ]
    runs.fail(WorkspaceError("gone"))
    with pytest.raises(WorkspaceError, match="gone"):
        runs.full(DiskFullError("the disk is full"))
    runs.close()
