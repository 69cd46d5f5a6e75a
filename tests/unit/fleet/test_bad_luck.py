"""What an operator may do by mistake, or suffer, while a fleet is at work: it is told, and no machine is lost."""

from __future__ import annotations

import threading
import time

import pytest

from dynamo.errors import InfrastructureError
from dynamo.fleet.ledger import Ledger


def known(folder):
    """Return the names of the machines that the journal says may cost money."""
    with Ledger(folder / "journal.db", "dfw") as ledger:
        return sorted(one.name for one in ledger.workers())


def there(cloud):
    """Return the names of the machines that there are."""
    return sorted(one.name for one in cloud.there())


def test_a_full_disk_orders_nothing_and_is_over_when_there_is_room(fleet, tmp_path, small_disk, fill_disk):
    """What cannot be written down is not ordered; each turn says so, and the next with room goes on."""
    made, told, cloud = fleet
    slice_, turns, seen = tmp_path / "s.yaml", [], []
    more = slice_.read_text().replace("warm: 1", "warm: 3")

    def tell(line):
        told.append(line)
        if "this turn failed" in line:
            seen.append(len(cloud.there()))
            if len(seen) == 2:
                (small_disk / "filler").unlink()

    def until(_):
        turns.append(len(cloud.there()))
        if turns.count(1) == 1 and turns[-1] == 1:
            slice_.write_text(more)
            fill_disk(small_disk / "filler")
        return turns[-1] == 3

    work = made(small_disk, interval=0.2)
    work.tell = tell
    work.run(threading.Event(), until)
    assert seen[:2] == [1, 1]
    assert "disk is full" in next(line for line in told if "this turn failed" in line)
    assert known(small_disk) == there(cloud)
    assert len(there(cloud)) == 3


def test_a_disk_that_is_full_at_the_end_is_told(fleet, small_disk, fill_disk):
    """And is no error: nothing is lost but a minute of what was learned."""
    made, told, cloud = fleet

    def until(_):
        if cloud.there():
            fill_disk(small_disk / "filler")
        return bool(cloud.there())

    made(small_disk, interval=0.2).run(threading.Event(), until)
    assert any(line.startswith("what was learned in the last minute is not kept: ") for line in told)


def test_a_journal_that_is_removed_is_written_anew(fleet, tmp_path):
    """The fleet ends and says so; the next finds all that was known."""
    made, _, cloud = fleet

    def until(_):
        if cloud.there():
            for one in (tmp_path / ".dynamo").glob("journal.db*"):
                one.unlink()
        return False

    with pytest.raises(InfrastructureError, match=r"removed the journal .*written anew.* start this again"):
        made(interval=0.2).run(threading.Event(), until)
    assert known(tmp_path / ".dynamo") == there(cloud) != []
    made(interval=0.2).run(
        threading.Event(), lambda controller: "joined" in {one.stage for one in controller.roster.live}
    )
    assert cloud.calls.count("create") == 1


def test_a_journal_that_is_removed_from_a_full_disk(fleet, small_disk, fill_disk):
    """Nothing is done until there is room for it."""
    made, told, cloud = fleet
    filler, asked = small_disk / "filler", []

    def tell(line):
        told.append(line)
        if "cannot be written anew yet" in line:
            asked.append(len(cloud.calls))
            if len(asked) == 2:
                filler.unlink()

    def until(_):
        if cloud.there() and not filler.exists():
            for one in small_disk.glob("journal.db*"):
                one.unlink()
            fill_disk(filler)
        return False

    work = made(small_disk, interval=0.2)
    work.tell = tell
    with pytest.raises(InfrastructureError, match=r"removed the journal .*written anew"):
        work.run(threading.Event(), until)
    assert len(set(asked)) == 1
    assert known(small_disk) == there(cloud) != []


def test_another_journal_in_its_place_is_not_overwritten(fleet, tmp_path):
    """It may be an older one that somebody wants; nothing is ordered that would not be found."""
    made, _, cloud = fleet
    journal = tmp_path / ".dynamo" / "journal.db"

    def until(_):
        if cloud.there():
            for one in journal.parent.glob("journal.db*"):
                one.unlink()
            with Ledger(journal, "dfw") as other:
                other.learn("mine", 1)
        return False

    with pytest.raises(InfrastructureError, match=r"another file in the place of the journal"):
        made(interval=0.2).run(threading.Event(), until)
    with Ledger(journal, "dfw") as other:
        assert other.learned("mine") == 1


@pytest.mark.parametrize(("jump", "way"), [(3600.0, "ahead"), (-3600.0, "back")])
def test_a_clock_that_jumps_ends_nothing(fleet, monkeypatch, jump, way):
    """It is told once, with how far; workers stay, and no more are bought."""
    made, told, cloud = fleet
    joined, now = [], time.time

    def until(controller):
        if not joined and "joined" in {one.stage for one in controller.roster.live}:
            monkeypatch.setattr(time, "time", lambda: now() + jump)
            joined.append(there(cloud))
        elif joined:
            joined.append(there(cloud))
        return len(joined) == 4

    made(interval=0.2).run(threading.Event(), until)
    assert all(one == joined[0] for one in joined)
    assert cloud.calls.count("create") == 1
    (line,) = [line for line in told if "clock" in line]
    assert f"set the clock of this machine {way} by 1 h 0 min" in line


@pytest.mark.parametrize("garbage", [b"", b"slice: [", b"\xff\xfe\x00\x80", b"{" * 10_000, None])
def test_a_slice_file_that_is_spoilt_or_removed_changes_nothing(fleet, tmp_path, garbage):
    """The old one holds, which is told once; when it is mended, that holds."""
    made, told, cloud = fleet
    slice_, turns = tmp_path / "s.yaml", []
    good = slice_.read_text()

    def until(_):
        turns.append(there(cloud))
        if len(turns) == 1:
            slice_.unlink()
            if garbage is not None:
                slice_.write_bytes(garbage)
        if len(turns) == 3:
            slice_.write_text(good.replace("warm: 1", "warm: 2"))
        return len(turns[-1]) == 2

    made(interval=0.2).run(threading.Event(), until)
    assert len(turns[2]) == 1
    assert (
        len([line for line in told if line.startswith("the slice cannot be read, so the old one holds")]) == 1
    )
    assert any("dfw was read again" in line for line in told)
