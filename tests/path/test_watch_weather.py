"""A run file that waits for weather in the products of another, in the real `dynamo watch`: of both, and of each."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

from dynamo.radar.netcdf import write_grid
from dynamo.radar.storm import storm

HAIL = """
workflow: ./flow.py:flow
inputs: {frame: {files: 'hail/*.json', last: 1}}
trigger:
  late: 10 min
  when: {run: watch.yaml, product: 'storm.*', level: '>= 45 dBZ', area: 10 km2, within: 60 km, of: [[-97.1, 32.7]],
         hold: 30 s%s}
products: products/{run}
"""
OVER = "45 dBZ over 416 km2 within 60 km"


@pytest.fixture
def hail(watched):
    """Two run files; nobody is told."""
    (watched.folder / "hail").mkdir()
    watched.say(alerts="")
    watched.write("hail.yaml", HAIL % "")
    return watched


def begin(watched, said, *options):
    """Watch, and hear how the one that waits is."""
    watched.launch(*options)
    line = watched.until(f"hail.yaml: {said}" if len(options) > 1 else f" {said}")
    watched.until("watching ")
    return line


def told(watched, *arguments):
    """What a command says."""
    line = [sys.executable, "-c", "from dynamo.cli import main; main()", *arguments]
    ended = subprocess.run(line, cwd=watched.folder, capture_output=True, text=True, check=False)
    return ended.stdout + ended.stderr


def states(watched):
    """How the windows of the one that waits stand, the oldest first."""
    return [
        state for (state,) in watched.rows("SELECT state FROM windows WHERE feed = 'hail.yaml' ORDER BY time")
    ]


def comes(watched, number, state):
    """Let a frame come to the one that waits, until its window is in this state."""
    watched.show(number, 45, "hail")
    watched.wait(lambda: states(watched)[-1:] == [state])


def ran(watched, number, level):
    """Let the other run, and see what it showed."""
    watched.show(number, level)
    watched.wait(lambda: watched.rows("SELECT count(*) FROM sightings") == [(number + 1,)])


def awake(watched):
    """What is answered to those who look."""
    return watched.ask()["feeds"]["hail.yaml"]["when"]


def test_it_sleeps_in_fair_weather_wakes_with_the_storm_and_sleeps_after_the_hold(hail):
    """One watch of both. What came last while it slept is run when it wakes, and nothing that came before."""
    begin(hail, "awake: nothing was heard of watch.yaml yet", "watch.yaml", "hail.yaml", "--port", "0")
    ran(hail, 0, 20)
    hail.until("hail.yaml: asleep: not 45 dBZ over 10 km2 within 60 km at ")
    comes(hail, 0, "asleep")
    comes(hail, 1, "asleep")
    assert not awake(hail)["awake"]
    said = hail.ask("/metrics")
    assert 'dynamo_awake{feed="hail.yaml"} 0.0' in said
    assert 'dynamo_windows_total{feed="hail.yaml",state="asleep"} 2.0' in said
    assert hail.ask()["feeds"]["hail.yaml"]["data_time"] == hail.start_time.timestamp() + 1
    ran(hail, 1, 45)
    assert f"{OVER} at " in hail.until("hail.yaml: awake: ")
    hail.until("hail.yaml: 2")
    assert states(hail) == ["asleep", "done"]
    assert awake(hail)["said"].startswith(f"awake: {OVER} at ")
    for number in (2, 31):
        hail.show(number, 0)
        comes(hail, number, "done")
    hail.show(32, 0)
    hail.until("hail.yaml: asleep: ")
    comes(hail, 32, "asleep")
    assert hail.end() == 130
    assert states(hail) == ["asleep", "done", "done", "done", "asleep"]
    causes = hail.rows("SELECT awake, cause FROM wakings ORDER BY id")
    assert causes == [(1, "new"), (0, "clear"), (1, "held"), (0, "clear")]


def test_two_watches_and_a_kill_change_nothing(hail):
    """One that is killed while it sleeps hears at its start what the other made meanwhile; once more while awake."""
    hail.start()
    other = hail.process
    ran_alone = lambda number, level: (hail.show(number, level), hail.until("1 ran"))  # noqa: E731

    ran_alone(0, 20)
    begin(hail, "asleep: ", "hail.yaml")
    comes(hail, 0, "asleep")
    hail.kill()
    hail.process = other
    ran_alone(1, 45)
    assert OVER in begin(hail, "awake: ", "hail.yaml")
    hail.until("1 ran")
    assert states(hail) == ["done"]
    comes(hail, 1, "done")
    hail.kill()
    hail.process = other
    ran_alone(2, 0)
    assert OVER in begin(hail, "awake: ", "hail.yaml")
    comes(hail, 2, "done")
    second, hail.process = hail.process, other
    ran_alone(33, 0)
    hail.process = second
    hail.until("asleep: ")
    comes(hail, 33, "asleep")
    assert hail.end() == 130
    hail.process = other
    assert hail.end() == 130
    assert states(hail) == ["done", "done", "done", "asleep"]


def test_it_does_not_sleep_because_the_other_died(hail):
    """Its runs fail for longer than the hold; that is told, and over when they are heard again."""
    hail.start("watch.yaml", "hail.yaml", "--port", "0")
    ran(hail, 0, 20)
    hail.until("hail.yaml: asleep: ")
    for number in (1, 30):
        hail.show(number, 0, fault="no rain today")
        comes(hail, number, "asleep")
    hail.wait(lambda: "no rain today" in hail.ask()["feeds"]["hail.yaml"]["troubles"].get("when", ""))
    comes(hail, 31, "done")
    assert "nothing certain was heard of watch.yaml for more than 30 s" in hail.until(
        "warning: hail.yaml: awake: "
    )
    said = hail.ask()
    assert said["feeds"]["hail.yaml"]["ok"]
    assert "nothing certain was heard" in said["feeds"]["hail.yaml"]["troubles"]["when"]
    assert 'dynamo_trouble{feed="hail.yaml",what="when"} 1.0' in hail.ask("/metrics")
    hail.show(32, 0)
    hail.until("hail.yaml: asleep: ")
    assert hail.ask()["feeds"]["hail.yaml"]["troubles"] == {}
    assert hail.end() == 130


def test_a_price_holds_nothing_back(hail):
    """Its windows are run always, and their tasks have another priority while the storm is there."""
    hail.write("hail.yaml", HAIL % ", priority: 10")
    begin(hail, "priority 10: nothing was heard", "watch.yaml", "hail.yaml", "--port", "0")
    ran(hail, 0, 20)
    hail.until("hail.yaml: priority 0: ")
    comes(hail, 0, "done")
    ran(hail, 1, 50)
    hail.until("hail.yaml: priority 10: ")
    comes(hail, 1, "done")
    assert hail.end() == 130


def test_an_edited_condition_begins_anew(hail):
    """What was seen of the old one says nothing of the new."""
    hail.start("watch.yaml", "hail.yaml", "--port", "0")
    ran(hail, 0, 45)
    hail.until("hail.yaml: awake: 45 dBZ")
    hail.write("hail.yaml", (HAIL % "").replace("45 dBZ", "55 dBZ"))
    hail.until("asleep: not 55 dBZ")
    comes(hail, 0, "asleep")
    hail.write("hail.yaml", (HAIL % "").replace("dBZ", "mm"))
    hail.until("warning: hail.yaml: level: storm.geojson of watch.yaml is in dBZ, and 45 mm is waited for")
    hail.until("hail.yaml: awake: nothing certain was heard of watch.yaml")
    assert "  awake: nothing certain was heard of watch.yaml" in told(hail, "status")
    hail.write("hail.yaml", (HAIL % "").partition("trigger:")[0])
    hail.until("hail.yaml was edited")
    hail.wait(lambda: not hail.rows("SELECT 1 FROM wakings"))
    assert hail.end() == 130
    hail.write("hail.yaml", (HAIL % "").replace("dBZ", "mm"))
    said = told(hail, "check", "hail.yaml")
    assert "hail.yaml:6:54: level: storm.geojson of watch.yaml is in dBZ, and 45 mm is waited for" in said
    hail.write("hail.yaml", (HAIL % "").replace("storm.*", "storms.*"))
    assert "made no product like 'storms.*'; it made storm.geojson" in told(hail, "check", "hail.yaml")


NOWCAST = """
workflow: dynamo.workflows.nowcast:nowcast
inputs: {frames: {files: 'incoming/*.nc', last: 3}}
params: {horizon: 1, levels: [35, 45], previews: false}
trigger: {late: 1 h, needs: {frames: {files: 2}}}
products: products/{run}
"""
STORM = """
workflow: ./seen.py:flow
inputs: {frame: {files: 'incoming/*.nc', last: 1}}
trigger:
  late: 1 h
  when: {run: nowcast.yaml, product: 'polygons_00.geojson', level: '>= 45 dBZ', area: 10 km2, within: 30 km,
         of: [[-97.1, 32.85]], hold: 6 min}
products: products/{run}
"""
COPY = """
from dynamo import Input, Output, task, workflow

@task
def copy(frame: Input, out: Output):
    out.write_bytes(b'seen')

@workflow
def flow(frame: Input):
    copy(frame, out='seen.txt')
"""


def test_the_built_in_storm_wakes_a_chain_and_leaves_it_asleep(watched):
    """The real nowcast of its frames: 10 km2 are there in frames 5 to 7 and not in those before or after."""
    start = watched.start_time - timedelta(minutes=40)
    frames = storm("line", seed=0, frames=40, every=timedelta(minutes=2), start=start)[:14]
    for name, text in (("nowcast.yaml", NOWCAST), ("storm.yaml", STORM), ("seen.py", COPY)):
        watched.write(name, text)
    watched.start("nowcast.yaml", "storm.yaml", "--cores", "2")
    by = "SELECT count(*) FROM windows WHERE feed = '%s' AND state NOT IN ('queued', 'running')"
    seen = "SELECT count(*) FROM sightings"
    for n, grid in enumerate(frames, 1):
        part = watched.folder / "incoming" / ".part"
        write_grid(part, grid)
        part.rename(watched.folder / "incoming" / f"frame-{grid.time:%Y%m%d-%H%M%S}.nc")
        watched.wait(lambda n=n: watched.rows(by % "nowcast.yaml") == [(n,)])
        watched.wait(lambda n=n: watched.rows(seen) == [(n - 1,)])  # the first is no nowcast: it needs two
        watched.wait(lambda n=n: watched.rows(by % "storm.yaml") == [(n,)])
    assert watched.end() == 130
    states = watched.rows("SELECT state FROM windows WHERE feed = 'storm.yaml' ORDER BY time")
    awake = [
        n in {0, 1} or 5 <= n <= 11 for n in range(14)
    ]  # until it was heard; from the storm on, and for the hold
    assert [state == "done" for (state,) in states] == awake
    areas = [area for (area,) in watched.rows("SELECT area FROM sightings ORDER BY time")]
    assert [n for n, area in enumerate(areas, 1) if area >= 10] == [5, 6, 7]
