"""The folder channel: one file a delivery, whole or not at all, whatever the names and the disk."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from dynamo.alerts.forms import FORMS, write
from dynamo.alerts.geojson import loads
from dynamo.delivery.folder import Folder
from tests.unit.delivery.an_alert import ALERT

DROP = """
import asyncio, os, signal, sys
from pathlib import Path
from dynamo.alerts.geojson import loads
from dynamo.delivery.folder import Folder

folder, when, alert = Path(sys.argv[1]), sys.argv[2], loads(sys.stdin.buffer.read())
real = getattr(os, when)
setattr(os, when, lambda *given: os.kill(os.getpid(), signal.SIGKILL) or real(*given))
asyncio.run(Folder("drop", folder).send(alert, "d1"))
"""


def drop(folder, delivery="d1", alert=ALERT, form="geojson"):
    """Send one alert and return the outcome and the names in the folder."""
    channel = Folder("drop", folder, form)

    async def once():
        outcome = await channel.send(alert, delivery)
        await channel.close()
        return outcome

    outcome = asyncio.run(once())
    return outcome, sorted(os.listdir(folder)) if folder.is_dir() else []


@pytest.mark.parametrize("form", FORMS)
def test_an_alert_becomes_a_file_that_others_can_read(tmp_path, form):
    """In a folder that is made when it is needed; the name begins with the time and ends by the form."""
    outcome, names = drop(tmp_path / "in" / "alerts", form=form)
    message = write(ALERT, form)
    assert names == [f"20240501T073901Z-d1{message.suffix}"]
    assert (outcome.said, outcome.response) == ("sent", names[0])
    file = tmp_path / "in" / "alerts" / names[0]
    assert file.read_bytes() == message.body
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_delivery_that_is_repeated_makes_no_second_file(tmp_path):
    """The first stays as it is; another delivery of the same alert has its own."""
    drop(tmp_path)
    (file,) = tmp_path.iterdir()
    before = file.stat()
    outcome, names = drop(tmp_path, alert=replace(ALERT, level=55.0))
    assert outcome.said == "sent"
    assert "already" in outcome.response
    assert names == [file.name]
    assert (file.stat().st_mtime_ns, loads(file.read_bytes())) == (before.st_mtime_ns, ALERT)
    assert len(drop(tmp_path, delivery="d2")[1]) == 2


@pytest.mark.parametrize("delivery", ["../../x", "a/b", "..", "a b\n", "ü\x00"])
def test_no_delivery_leaves_the_folder(tmp_path, delivery):
    """Its id is a part of the name, never a path."""
    outcome, names = drop(tmp_path / "in", delivery=delivery)
    assert outcome.said == "sent"
    assert len(names) == 1
    assert os.listdir(tmp_path) == ["in"]


def test_what_is_left_is_removed_once_and_before_anything_is_begun(tmp_path, monkeypatch):
    """A file that another thread has just begun looks as if it were left, until it is locked."""
    both, tidied = threading.Barrier(2), []

    def tidy(folder, mark):
        tidied.append(mark)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.2)  # for a second thread that is at it

    monkeypatch.setattr("dynamo.delivery.folder._tidy", tidy)

    async def two():
        channel = Folder("one", tmp_path)
        return await asyncio.gather(*(channel.send(ALERT, f"d{n}") for n in range(2)))

    assert [outcome.said for outcome in asyncio.run(two())] == ["sent", "sent"]
    assert len(tidied) == 1


def test_many_at_once_are_all_there(tmp_path):
    """Also two senders that send the same."""

    async def all_of_them():
        channels = Folder("one", tmp_path), Folder("two", tmp_path)
        return await asyncio.gather(*(c.send(ALERT, f"d{n}") for n in range(40) for c in channels))

    assert {outcome.said for outcome in asyncio.run(all_of_them())} == {"sent"}
    files = sorted(tmp_path.iterdir())
    assert len(files) == 40
    assert all(loads(file.read_bytes()) == ALERT for file in files)


def test_a_full_disk_is_tried_again_and_leaves_nothing(small_disk, fill_disk):
    """Room made, it goes well."""
    full = small_disk / "filler"
    fill_disk(full)
    outcome, names = drop(small_disk)
    assert outcome.said == "again"
    assert "No space left" in outcome.response
    assert names == ["filler"]
    full.unlink()
    assert drop(small_disk)[0].said == "sent"


def test_a_folder_that_is_a_file_is_tried_again(tmp_path):
    """Somebody may put it right before the alert expires."""
    (tmp_path / "in").write_text("")
    outcome, _ = drop(tmp_path / "in")
    assert outcome.said == "again"
    assert str(tmp_path / "in") in outcome.response


@pytest.mark.parametrize("when", ["fsync", "fchmod", "replace"])
def test_killed_at_any_moment_no_half_file_is_there(tmp_path, when):
    """What is left is hidden; the next try writes the whole, and removes that."""
    body = write(ALERT, "geojson").body
    line = [sys.executable, "-c", DROP, str(tmp_path), when]
    done = subprocess.run(line, input=body, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert all(name.startswith(".") and name.endswith(".part") for name in os.listdir(tmp_path))
    assert drop(tmp_path)[0].said == "sent"
    assert [loads(file.read_bytes()) for file in tmp_path.iterdir()] == [ALERT]


def test_what_others_left_or_are_writing_still_is_not_touched(tmp_path):
    """Only what is of this channel, and of nobody who lives."""
    body = write(ALERT, "geojson").body
    subprocess.run(
        [sys.executable, "-c", DROP, str(tmp_path), "fsync"], input=body, check=False, capture_output=True
    )
    (left,) = tmp_path.iterdir()
    mine = tmp_path / "own.part"
    mine.write_text("of somebody")
    channel = Folder("another", tmp_path)
    asyncio.run(channel.send(ALERT, "d1"))
    assert left.exists()
    with left.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        drop(tmp_path)
        assert left.exists()
    drop(tmp_path)
    assert not left.exists()
    assert mine.exists()
