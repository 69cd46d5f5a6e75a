"""The real `dynamo watch` in a process of its own: files appear, runs are made, a real receiver is told."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
from contextlib import closing

import pytest

PEOPLE = "id,lon,lat\nclinic,-97.1,32.7\n"
PICTURE = """
@task
def plot(frame: Input, out: Output):
    if 'broken' in json.loads(Path(frame).read_text()):
        raise ValueError('no colours')
    Path(out).write_text('a picture')

@workflow
def flow(frame: Input):
    plot(frame, out='storm.png')
    return draw(frame, out='storm.geojson')
"""


def test_what_appears_is_run_and_told_and_the_all_clear_comes(watched, ears):
    """New, more of it, over: each once, verified, in order; health and metrics are there; SIGTERM ends it."""
    watched.start("--port", "0")
    kinds = []
    for number, level in enumerate([45, 50, 50, 0]):
        watched.show(number, level)
        watched.until("1 ran, 0 reused")
        if number != 2:
            kinds.append(ears.told())
    assert kinds == [("new", 45), ("updated", 50), ("cancelled", 50)]
    said = watched.ask()
    assert said["ok"]
    assert said["feeds"]["watch.yaml"]["runs"] == {"done": 4}
    assert watched.end() == 130
    assert watched.log[-1].endswith("stopped\n")
    assert watched.windows() == ["done"] * 4
    assert ears.arrived.empty()


def test_a_file_is_taken_when_its_writer_closes_it(watched, ears):
    """While it is open it is not there, however much is in it."""
    watched.start()
    with watched.path(1).open("w") as half:
        half.write(watched.content(1, 55)[:20])
        half.flush()
        watched.show(0, 45)
        assert ears.told() == ("new", 45)
        assert watched.rows("SELECT count(*) FROM arrivals") == [(1,)]
        half.write(watched.content(1, 55)[20:])
    assert ears.told() == ("updated", 55)
    assert watched.end() == 130
    assert watched.windows() == ["done"] * 2


def test_after_a_kill_nothing_is_run_and_nothing_told_twice(watched, ears):
    """What was under way is gone on with, in its own run; what came meanwhile follows."""
    watched.start()
    gate = str(watched.gate())
    watched.show(0, 45)
    assert ears.told() == ("new", 45)
    watched.show(1, 50, gate=gate)
    with open(gate, "w"):  # the task is there
        watched.kill()
    watched.show(2, 55)
    watched.launch("--cores", "1")
    watched.until("going on with run")
    with open(gate, "w"):
        pass
    assert ears.told() == ("updated", 50)
    assert ears.told() == ("updated", 55)
    assert watched.end() == 130
    assert watched.marked() == ["begin 0", "end 0", "begin 1", "begin 1", "end 1", "begin 2", "end 2"]
    assert watched.windows() == ["done"] * 3
    assert watched.rows("SELECT count(*) FROM runs") == [(3,)]
    assert ears.arrived.empty()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_while_a_task_runs_and_goes_on_with_that_run(watched, ears, number):
    """A signal does not wait for tasks; their run is interrupted, not failed."""
    watched.start()
    gate = str(watched.gate())
    watched.show(0, 45, gate=gate)
    with open(gate, "w"):
        assert watched.end(number) == 130
    assert watched.windows() == ["running"]
    assert watched.rows("SELECT state FROM runs") == [("interrupted",)]
    watched.start()
    with open(gate, "w"):
        pass
    assert ears.told() == ("new", 45)
    assert watched.end(number) == 130
    assert watched.rows("SELECT state FROM runs") == [("done",)]


def test_a_second_watch_of_the_same_run_file_is_refused(watched):
    """It says which process watches already."""
    watched.start()
    first = watched.process
    watched.launch()
    assert watched.code() == 2
    assert f"error: watch.yaml is watched already, by process {first.pid}\n" in watched.log[-1]
    watched.process = first
    assert watched.end() == 130


def test_a_task_that_fails_fails_its_window_and_no_other(watched, ears):
    """Nobody is told anything of a run that made nothing."""
    watched.start()
    watched.show(0, 45, fault="no rain today")
    watched.until("no rain today")
    watched.show(1, 50)
    assert ears.told() == ("new", 50)
    assert watched.end() == 130
    assert watched.windows() == ["failed", "done"]


def test_a_picture_that_cannot_be_drawn_silences_no_warning_and_no_all_clear(watched, ears):
    """What the run made is told, and is over by it; its window has failed."""
    before, _, _ = (watched.folder / "flow.py").read_text().partition("@workflow")
    watched.write("flow.py", before + PICTURE)
    watched.start()
    watched.show(0, 45, broken=True)
    assert ears.told() == ("new", 45)
    assert "no colours" in watched.until("failed")
    watched.show(1, 0, broken=True)
    assert ears.told() == ("cancelled", 45)
    watched.until("failed")
    assert watched.end() == 130
    assert watched.windows() == ["failed", "failed"]


def test_nothing_is_over_by_what_a_run_did_not_make(watched, ears):
    """One of two products with hazards: the other is told; its window has failed."""
    before, _, _ = (watched.folder / "flow.py").read_text().partition("@workflow")
    watched.write("flow.py", before + PICTURE.replace("storm.png", "sub/later.geojson"))
    watched.start()
    watched.show(0, 45, broken=True)
    assert ears.told() == ("new", 45)
    assert "nothing counts as clear" in watched.until("nothing for certain")
    assert "no colours" in watched.until("failed")
    watched.show(1, 0, broken=True)
    watched.until("failed")
    assert watched.end() == 130
    assert ears.arrived.empty()
    assert watched.windows() == ["failed", "failed"]


def test_a_product_that_holds_no_hazards_fails_its_window_and_is_named(watched, ears):
    """What is no GeoJSON is told with its path."""
    watched.start()
    watched.show(0, 45, text="nothing like it")
    assert "storm.geojson" in watched.until("cannot be judged")
    watched.show(1, 50)
    assert ears.told() == ("new", 50)
    assert watched.end() == 130
    assert watched.windows() == ["failed", "done"]


@pytest.mark.parametrize(("backlog", "run"), [("all", [0, 1, 2, 3]), ("latest", [2, 3]), ("none", [3])])
def test_the_backlog_is_run_by_choice(watched, backlog, run):
    """Of three files that are there at the first start; a fourth comes later; a restart begins nothing anew."""
    watched.say(f"{{late: 10 min, at_once: 1, backlog: {backlog}}}", alerts="")
    for number in range(3):
        watched.show(number, 45)
    watched.start()
    for _ in run[:-1]:
        watched.until("1 ran")
    watched.show(3, 45)
    watched.until("1 ran")
    assert watched.end() == 130
    watched.start()
    assert watched.end() == 130
    assert sorted(watched.marked()) == sorted(f"{what} {n}" for n in run for what in ("begin", "end"))


def test_what_waits_too_long_is_superseded_and_recorded(watched, ears):
    """One run at a time, and newer data: the old is given up, in words."""
    watched.say("{late: 10 min, at_once: 1, stale: 5 s}")
    watched.start()
    gate = str(watched.gate())
    watched.show(0, 45, gate=gate)
    with open(gate, "w"):
        watched.show(1, 50)
        watched.show(20, 55)
    assert "19 s behind the newest data" in watched.until("superseded")
    assert ears.told() == ("new", 45)
    assert ears.told() == ("updated", 55)
    assert watched.end() == 130
    assert watched.windows() == ["done", "superseded", "done"]


def test_a_backlog_that_was_asked_for_is_run_however_old(watched):
    """Also where the watch is killed in the midst of it."""
    watched.say("{at_once: 1, backlog: all, stale: 5 s, late: 1 h}", alerts="")
    gate = str(watched.gate())
    for number in (-1200, -600):
        watched.show(number, 45)
    watched.show(0, 45, gate=gate)
    watched.start()
    with open(gate, "w"):
        watched.kill()
    watched.start()
    with open(gate, "w"):
        pass
    for _ in range(3):
        watched.until("1 ran")
    assert watched.end() == 130
    assert watched.windows() == ["done"] * 3


def test_ages_count_on_over_a_restart_and_what_is_known_arrives_no_more(watched):
    """The numbers of what happened begin anew."""
    watched.start("--port", "0")
    file = watched.show(0, 45)
    watched.until("1 ran")
    assert 'dynamo_arrivals_total{feed="watch.yaml"} 1.0' in watched.ask("/metrics")
    assert watched.end() == 130
    assert file.exists()
    watched.start("--port", "0")
    metrics = watched.ask("/metrics")
    assert 'dynamo_arrivals_total{feed="watch.yaml"} 0.0' in metrics
    for name in ("data", "last_run", "last_arrival"):
        assert f'dynamo_{name}_age_seconds{{feed="watch.yaml"}}' in metrics
    said = watched.ask()["feeds"]["watch.yaml"]
    assert said["data_time"] == watched.start_time.timestamp()
    assert said["runs"] == {}
    assert watched.end() == 130


def test_the_age_of_data_is_theirs_where_a_clock_runs(watched):
    """Not that of the tick; here that is the same file again and again."""
    watched.say("{every: 1 s}", alerts="")
    watched.show(0, 45)
    watched.start("--port", "0")
    watched.until("0 ran, 1 reused")
    assert watched.ask()["feeds"]["watch.yaml"]["data_time"] == watched.start_time.timestamp()
    assert watched.end() == 130


def test_a_journal_that_cannot_be_used_ends_it(watched):
    """Exit code 3, and the journal's name; a file that lost a table stands for all that may happen to it."""
    watched.start()
    with closing(sqlite3.connect(watched.folder / ".dynamo" / "journal.db")) as db:
        db.execute("DROP TABLE windows")
    watched.show(0, 45)
    assert watched.code() == 3
    assert "error: cannot use the journal" in watched.log[-1]


def test_a_journal_that_breaks_while_a_run_is_under_way_ends_it(watched):
    """Also where nobody but the end of the run could notice, and without waiting for another run."""
    watched.start("--cores", "2")
    one, two = watched.gate(), watched.folder / "other"
    os.mkfifo(two)
    watched.show(0, 45, gate=str(one))
    watched.show(1, 45, gate=str(two))
    with two.open("w"):
        with one.open("w"), closing(sqlite3.connect(watched.folder / ".dynamo" / "journal.db")) as db:
            db.execute("DROP TABLE cycles")
        assert watched.code() == 3
    assert "error: cannot use the journal" in watched.log[-1]


def test_faulty_subscribers_are_refused_or_left_out_and_told(watched, ears):
    """By choice: nothing begins, or the right ones work."""
    (watched.folder / "people.csv").write_text(PEOPLE + "far,-97.1,132.7\n")
    watched.launch()
    assert watched.code() == 2
    assert "people.csv:3" in watched.log[-1]
    watched.say(more="  faults: skip\n")
    watched.launch()
    assert "people.csv:3" in watched.until("left out")
    watched.until("watching ")
    watched.show(0, 45)
    assert ears.told() == ("new", 45)
    assert watched.end() == 130


def test_a_port_that_is_taken_ends_it_at_once(watched):
    """In words, with exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        watched.launch("--port", str(taken.getsockname()[1]))
        assert watched.code() == 2
    assert "choose another --port" in watched.log[-1]


def test_without_alerts_it_runs_what_comes_and_may_keep_all_for_ever(watched):
    """Nobody is told, nothing is removed."""
    watched.say(alerts="")
    watched.start("--keep", "never")
    watched.show(0, 45)
    watched.until("1 ran")
    watched.show(1, 45)
    watched.until("1 ran")
    assert watched.end() == 130


def test_products_are_removed_when_they_are_older_than_the_run_file_keeps(watched):
    """Those and no others, also where all that the journal knows is kept for ever."""
    watched.say(alerts="", products="{to: 'products/{run}', keep: 2 h}")
    watched.start("--keep", "never")
    for number in range(2):
        watched.show(number, 45)
        watched.until("1 ran")
    assert watched.end() == 130
    older, newer = [run for (run,) in watched.rows("SELECT run FROM windows ORDER BY time")]
    with closing(sqlite3.connect(watched.folder / ".dynamo" / "journal.db")) as db, db:
        db.execute("UPDATE runs SET ended = ended - 3 * 3600 WHERE id = ?", (older,))
        db.execute("UPDATE runs SET ended = ended - 1.5 * 3600 WHERE id = ?", (newer,))
    watched.launch("--keep", "never")
    watched.until("removed the products of 1 old run")
    assert watched.end() == 130
    assert [path.name for path in (watched.folder / "products").iterdir()] == [newer]


def test_what_tasks_write_is_in_the_log_once(watched):
    """Until it is other: a radar that is absent for hours is one line."""
    watched.start()
    for number, says in enumerate(["absent: denton", "absent: denton", "absent: addison"]):
        watched.show(number, 45, says=says)
        watched.until("1 ran, 0 reused")
    watched.until("absent: addison")
    assert [
        line.partition("tasks wrote: ")[2].strip() for line in watched.log if "tasks wrote: " in line
    ] == [
        "draw: absent: denton",
        "draw: absent: addison",
    ]
