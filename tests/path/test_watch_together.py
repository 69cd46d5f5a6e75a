"""Several run files in one real `dynamo watch`: one engine, one limit, priorities, and each its own faults."""

from __future__ import annotations

import os
import signal

#: A run file of frames below a folder.
TEXT = """
workflow: ./flow.py:flow
inputs: {{frame: {{files: '{name}/*.json', last: 1}}}}
trigger: {{late: 10 min, at_once: 1, priority: {priority}, backlog: {backlog}}}
products: products/{{run}}
workspace: {workspace}
"""


def feed(watched, name, priority=0, backlog="latest", workspace=".dynamo"):
    """Write a run file, and make the folder that it watches."""
    (watched.folder / name).mkdir(exist_ok=True)
    text = TEXT.format(name=name, priority=priority, backlog=backlog, workspace=workspace)
    watched.write(f"{name}.yaml", text)
    return f"{name}.yaml"


def test_each_feed_has_its_own_runs_alerts_and_numbers(watched, ears):
    """The log says whose a line is; health is one, and metrics are labelled."""
    hail = feed(watched, "hail")
    watched.start("watch.yaml", hail, "--port", "0")
    watched.show(0, 45)
    assert ears.told() == ("new", 45)
    watched.until("watch.yaml: 2")
    watched.show(1, 45, "hail")
    assert "1 ran" in watched.until("hail.yaml: 2")
    said = watched.ask()
    assert said["ok"]
    assert {name: one["runs"] for name, one in said["feeds"].items()} == {
        "watch.yaml": {"done": 1}, "hail.yaml": {"done": 1},
    }  # fmt: skip
    assert (
        said["feeds"]["watch.yaml"]["deliveries"]["sent"]
        + said["feeds"]["watch.yaml"]["deliveries"]["waiting"]
        == 1
    )
    assert set(said["feeds"]["hail.yaml"]["deliveries"].values()) == {0}
    metrics = watched.ask("/metrics")
    for name in ("watch.yaml", "hail.yaml"):
        assert f'dynamo_windows_total{{feed="{name}",state="done"}} 1.0' in metrics
    assert watched.end() == 130
    assert watched.rows("SELECT feed, state FROM windows ORDER BY feed") == [
        ("hail.yaml", "done"), ("watch.yaml", "done"),
    ]  # fmt: skip


def test_a_run_of_an_archive_keeps_no_warning_waiting(watched):
    """With one run at a time: one of higher priority begins beside it, another of the same does not."""
    files = [feed(watched, "archive", backlog="all"), feed(watched, "other"), feed(watched, "warning", 5)]
    gate = str(watched.gate())
    watched.show(0, 45, "archive", gate=gate)
    watched.start(*files, "--at-once", "1", "--cores", "2")
    with open(gate, "w"):
        watched.show(1, 45, "other")
        watched.wait(lambda: watched.rows("SELECT 1 FROM windows WHERE feed = 'other.yaml'"))
        watched.show(2, 45, "warning")
        watched.until("warning.yaml: 2")
        assert watched.rows("SELECT feed, state FROM windows ORDER BY feed") == [
            ("archive.yaml", "running"), ("other.yaml", "queued"), ("warning.yaml", "done"),
        ]  # fmt: skip
    watched.until("other.yaml: 2")
    assert watched.end() == 130
    assert watched.windows() == ["done"] * 3


def test_what_runs_when_it_is_killed_is_gone_on_with_by_each_feed(watched):
    """Each in its own run, once."""
    files = [feed(watched, "a"), feed(watched, "b")]
    watched.start(*files, "--cores", "2")
    gates = [watched.folder / f"gate-{name}" for name in "ab"]
    for number, (gate, name) in enumerate(zip(gates, "ab", strict=True)):
        os.mkfifo(gate)
        watched.show(number, 45, name, gate=str(gate))
    with gates[0].open("w"), gates[1].open("w"):
        watched.kill()
    watched.launch(*files, "--cores", "2")
    watched.until("going on with run")
    watched.until("going on with run")
    with gates[0].open("w"), gates[1].open("w"):
        pass
    watched.until("1 ran")
    watched.until("1 ran")
    assert watched.end() == 130
    assert watched.windows() == ["done"] * 2
    assert watched.rows("SELECT count(*) FROM runs") == [(2,)]


def test_run_files_of_different_workspaces_are_refused(watched):
    """With both, and what to do."""
    watched.launch("watch.yaml", feed(watched, "hail", workspace="elsewhere"))
    assert watched.code() == 2
    assert "share one: give them the same `workspace:`" in watched.log[-1]
    assert not (watched.folder / ".dynamo").exists()


def test_a_run_file_that_is_named_twice_is_refused(watched):
    """Also by another way to it."""
    watched.launch("watch.yaml", "./watch.yaml")
    assert watched.code() == 2
    assert "is named twice" in watched.log[-1]


def test_a_faulty_run_file_at_the_start_stops_all(watched):
    """Nothing is watched by half."""
    watched.write("hail.yaml", "workflow: ./flow.py:flow\ninputs: {fram: {files: 'hail/*'}}\n")
    watched.launch("watch.yaml", "hail.yaml")
    assert watched.code() == 2
    assert "hail.yaml:2:10" in watched.log[-1]
    assert "fram" in watched.log[-1]


def test_a_watch_that_is_told_to_stop_while_it_starts_ends_well(watched):
    """SIGTERM at a moment when nothing is watched yet: its subscribers do not come."""
    (watched.folder / "people.csv").unlink()
    os.mkfifo(watched.folder / "people.csv")
    watched.launch()
    with (watched.folder / "people.csv").open("w"):  # it begins to read
        assert watched.end(signal.SIGTERM) == 130
    assert watched.log[-1].endswith("stopped\n")
    assert "Traceback" not in watched.log[-1]
