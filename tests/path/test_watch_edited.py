"""A run file that is edited while the real `dynamo watch` runs: taken up whole, or told and left as it was."""

from __future__ import annotations

import signal

import pytest


def test_an_edited_run_file_holds_whole_also_for_what_runs(watched, ears):
    """Alerts, channels and rules are those of now; what was under way goes on in its own run, and is judged by them."""
    watched.say(alerts="")
    watched.start()
    gate = str(watched.gate())
    watched.show(0, 45, gate=gate)
    with open(gate, "w"):  # the task is there
        watched.say()
        watched.until("watch.yaml was edited")
    assert ears.told() == ("new", 45)
    watched.show(1, 50)
    assert ears.told() == ("updated", 50)
    assert watched.end() == 130
    assert watched.marked() == ["begin 0", "end 0", "begin 1", "end 1"]
    assert watched.windows() == ["done"] * 2
    assert watched.rows("SELECT count(*) FROM runs") == [(2,)]
    assert watched.rows("SELECT count(*) FROM attempts") == [(2,)]


def test_what_waits_is_neither_lost_nor_run_twice_by_an_edit(watched):
    """Windows wait on, by the new rules; their runs are prepared by the new text."""
    watched.say("{late: 10 min, at_once: 1}", alerts="")
    watched.start()
    gate = str(watched.gate())
    watched.show(0, 45, gate=gate)
    with open(gate, "w"):
        watched.show(1, 45)
        watched.show(2, 45)
        watched.wait(lambda: len(watched.windows()) == 3)
        watched.say("{late: 10 min, at_once: 1}", alerts="", products="other/{run}")
        watched.until("watch.yaml was edited")
    for _ in range(3):
        watched.until("1 ran")
    assert watched.end() == 130
    assert sorted(watched.marked()) == sorted(f"{what} {n}" for n in range(3) for what in ("begin", "end"))
    assert watched.windows() == ["done"] * 3
    assert len(list((watched.folder / "products").iterdir())) == 1
    assert len(list((watched.folder / "other").iterdir())) == 2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("engine: {nam: local}\n", "nam"),
        ("params: {speed: 3}\n", "speed"),
        ("workspace: elsewhere\n", "cannot be changed while it is watched"),
        ("  folders: [{name: desk, folder: out, form: cap}]\n", "desk"),
    ],
    ids=["key", "parameter", "workspace", "channel"],
)
def test_a_run_file_that_becomes_faulty_is_told_and_stays_as_it_was(watched, ears, more, said):
    """In the log and by health, which stays well; what comes is run as before, until it is mended."""
    watched.start("--port", "0")
    watched.say(more=more)
    assert said in watched.until("watch.yaml stays as it was")
    health = watched.ask()
    assert health["ok"]
    assert said in health["feeds"]["watch.yaml"]["troubles"]["run file"]
    assert 'dynamo_trouble{feed="watch.yaml",what="run file"} 1.0' in watched.ask("/metrics")
    watched.show(0, 45)
    assert ears.told() == ("new", 45)
    watched.say("{late: 20 min}")
    watched.until("watch.yaml was edited")
    assert watched.ask()["feeds"]["watch.yaml"]["troubles"] == {}
    watched.show(1, 50)
    assert ears.told() == ("updated", 50)
    assert watched.end(signal.SIGINT) == 130
    assert watched.windows() == ["done"] * 2


@pytest.mark.parametrize("named", ["./other/flow.py:flow", "other.flow:flow"])
def test_a_workflow_that_may_import_from_elsewhere_needs_a_new_watch(watched, ears, named):
    """Workers seek modules where they were told to at the start; what is watched goes on."""
    watched.start()
    watched.show(0, 45)
    assert ears.told() == ("new", 45)
    (watched.folder / "other").mkdir()
    (watched.folder / "other" / "flow.py").write_text((watched.folder / "flow.py").read_text())
    text = (watched.folder / "watch.yaml").read_text()
    watched.write("watch.yaml", text.replace("./flow.py:flow", named))
    watched.until("lies in another folder than the first one")
    watched.show(1, 50)
    assert ears.told() == ("updated", 50)
    assert watched.end() == 130
    assert watched.windows() == ["done"] * 2
