"""Trace files, worlds and replays: what goes in comes out, and what is wrong is told with its place."""

from __future__ import annotations

import csv
import itertools
import json

import pytest

from dynamo.errors import UserError
from dynamo.fleet.policies.named import by_name
from dynamo.fleet.simulator import Job, Trace, outcome, simulate
from dynamo.fleet.simulator.faults import Outage
from dynamo.fleet.simulator.replay import from_flowbench, from_journal, is_flowbench
from dynamo.fleet.simulator.trace_file import read_trace, write_trace
from dynamo.fleet.simulator.world import WORLDS, read_world
from dynamo.graph.model import Graph, Task
from dynamo.graph.needs import Needs
from dynamo.journal import Journal, Workspace
from dynamo.worker.job import Report
from tests.unit.fleet.simulator.worlds import world

JOBS = [
    Job("a", 0.0, 60.0, 1.5, run="r", features={"bytes": 10.0}),
    Job("b", 5.0, float("inf"), 20.0, 2, 4096, frozenset({"w", "x"}), features={"echo_km2": 2.5}),
]


@pytest.mark.parametrize("name", ["t.json", "t.json.gz", "t.csv", "t.csv.gz"])
def test_a_trace_that_is_written_is_read_again(tmp_path, name):
    """All of its jobs, and in JSON its end too."""
    made = Trace.of("t", JOBS, 960.0)
    write_trace(made, tmp_path / name)
    found = read_trace(tmp_path / name)
    assert found.jobs == made.jobs
    assert found == made


def test_the_same_trace_gives_the_same_bytes(tmp_path):
    """Compressed too: no time of day is in it."""
    for name in ("a.json.gz", "b.json.gz"):
        write_trace(Trace.of("t", JOBS), tmp_path / name)
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "t:1: There is no column `kind`"),
        ("{", "t:1:2: This is not JSON"),
        ("[]", "an object with a list `jobs`"),
        ('{"jobs": []}', "The trace has no job"),
        ('{"job": [], "jobs": []}', "no 'job' .did you mean 'jobs'"),
        ('{"jobs": [{"kind": "a", "release": 0}]}', "job 0 of `jobs`: `work` is missing"),
        (
            '{"jobs": [{"kind": "a", "release": 0, "work": "x"}]}',
            "`work` must be a number of at least 0, not 'x'",
        ),
        ('{"jobs": [{"kind": "a", "release": -1, "work": 1}]}', "`release` must be a number of at least 0"),
        ('{"jobs": [{"kind": "a", "release": 9, "due": 8, "work": 1}]}', "`due` is before `release`"),
        ('{"jobs": [{"kind": "a", "release": 0, "work": 1, "cores": 0}]}', "`cores` must be at least 1"),
        ('{"jobs": [{"kind": "a", "release": 0, "work": 1, "core": 2}]}', "no 'core' .did you mean 'cores'"),
        ('{"jobs": [{"kind": "a", "release": 0, "work": 1, "features": 2}]}', "`features` must be an object"),
        (
            '{"until": 5, "jobs": [{"kind": "a", "release": 9, "work": 1}]}',
            "`until` is 5, before the last job",
        ),
        ("kind,release\na,0\n", "t:1: There is no column `work`"),
        ("kind,release,work\na,0,1\nb,0,no\n", "t:3: `work` must be a number"),
        ("kind,release,work\na,0,1,7\n", "t:2: This line has more cells"),
        ("kind,release,work,wet\na,0,1,very\n", "t:2: `wet` must be a number"),
    ],
)
def test_a_bad_trace_file_is_told_with_its_place(tmp_path, text, words):
    """One sentence that names what is wrong."""
    (tmp_path / "t").write_text(text)
    with pytest.raises(UserError, match=words):
        read_trace(tmp_path / "t")


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path):
    """Not as a traceback."""
    (tmp_path / "t").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none", tmp_path / "t"):
        with pytest.raises(UserError, match="cannot be read"):
            read_trace(path)


def test_recorded_runs_are_replayed(samples):
    """Of 25 real runs the jobs that ran on workers: 130 each, with the seconds that their record says."""
    paths = sorted((samples / "flowbench").glob("*.csv.gz"))
    made = from_flowbench(paths, every=60.0, within=300.0)
    assert len(made.jobs) == 25 * 130
    assert {job.kind for job in made.jobs} == {"unzip", "um_vel", "post_vel", "mvt", "point_alert"}
    assert len({job.run for job in made.jobs}) == 25
    first = [job for job in made.jobs if job.run == "normal-casa-wind-full-run0002"]
    assert first[0] == Job(
        "unzip", 0.0, 300.0, 39.0, run="normal-casa-wind-full-run0002", features={"bytes": 222753803.0}
    )
    assert min(job.release for job in made.jobs if job.run == "normal-casa-wind-full-run0003") == 60.0


def test_recorded_runs_keep_their_times_but_for_long_pauses(samples):
    """The first twenty began some minutes after one another, the slow ones days later: that is an hour here."""
    made = from_flowbench(sorted((samples / "flowbench").glob("*.csv.gz")))
    begins = sorted(
        min(job.release for job in made.jobs if job.run == run) for run in {job.run for job in made.jobs}
    )
    pauses = [second - first for first, second in itertools.pairwise(begins)]
    assert max(pauses) == 3600.0
    assert min(pauses) > 300.0
    assert all(job.due == float("inf") for job in made.jobs)


def test_with_enough_cores_a_recorded_run_takes_what_it_took(samples):
    """No job waits for more than a match."""
    path = samples / "flowbench" / "normal-casa-wind-full-run0002.csv.gz"
    made = from_flowbench([path])
    record = simulate(made, by_name("static", cores=200), world(present={"w/cloud/one/on-demand": 200}))
    pairs = zip(made.jobs, record.started, strict=True)
    assert max(began - job.release for job, began in pairs) <= 2.0
    assert outcome(record).done == 130
    assert is_flowbench(path)


def test_what_is_no_record_of_a_run_is_told(tmp_path):
    """A column is missing, or none of its jobs ran on a worker."""
    (tmp_path / "t.csv").write_text("kind,release,work\na,0,1\n")
    assert not is_flowbench(tmp_path / "t.csv")
    with pytest.raises(UserError, match="no column `kickstart_site`"):
        from_flowbench([tmp_path / "t.csv"])
    columns = (
        "kickstart_site",
        "kickstart_transformations",
        "ready",
        "execute_start",
        "execute_end",
        "stage_in_bytes",
    )
    with (tmp_path / "u.csv").open("w") as file:
        csv.writer(file).writerows([columns, ["local", "a", "1", "2", "3", ""]])
    with pytest.raises(UserError, match="No job of this record ran on a worker"):
        from_flowbench([tmp_path / "u.csv"])


def test_a_run_of_our_own_journal_is_replayed(tmp_path):
    """The second task is released when the first is done; what failed and what still runs is not in it."""
    workspace = Workspace.open(tmp_path)
    graph = Graph("flow", {task.id: task for task in _tasks()})
    with Journal(workspace.journal) as journal:
        with pytest.raises(UserError, match="nothing to replay"):
            from_journal(journal)
        with journal.change():
            journal.add_run("r1", graph, {}, 1000.0)
            _attempt(journal, "first", 1001.0, 1011.0, "ok")
            _attempt(journal, "second", 1012.0, 1013.0, "failed")
            _attempt(journal, "second", 1013.0, 1017.0, "ok")
        made = from_journal(journal, within=120.0)
    assert made.jobs == (
        Job("flow/step", 0.0, 120.0, 10.0, run="r1"),
        Job("flow/step", 11.0, 60.0, 8.0, 2, 512, run="r1"),
    )


def _tasks():
    shared = {"step": "step", "kind": "python", "call": "m:f", "params": {}}
    yield Task(id="first", inputs={}, outputs={"out": ("a",)}, **shared)
    needs = Needs(cores=2, memory=512, deadline=60.0)
    yield Task(id="second", inputs={"a": ("a",)}, outputs={"out": ("b",)}, needs=needs, **shared)


def _attempt(journal, task, started, ended, outcome_):
    n = sum(each.task == task for each in journal.attempts("r1")) + 1
    journal.start_attempt("r1", task, n, "w", started, "step", "new")
    journal.end_attempt("r1", n, outcome_, Report(task, outcome_, started, ended))


def test_a_world_is_read_from_a_file(tmp_path):
    """Offers, groups, limits and faults."""
    offers = [{"key": "w/a/s", "group": "w", "provider": "a", "cores": 4}]
    faults = [{"fault": "Outage", "provider": "a", "start": 60, "end": 90}]
    data = {
        "offers": offers,
        "groups": {"w": {"max": 3}},
        "limits": {"cores": 8},
        "faults": faults,
        "match": 5,
    }
    (tmp_path / "w.json").write_text(json.dumps(data))
    found = read_world(tmp_path / "w.json")
    assert (found.offers[0].cores, found.groups["w"].max, found.limits.cores, found.match) == (4, 3, 8, 5)
    assert found.faults == (Outage("a", 60, 90),)


OFFER = {"key": "w/a/s", "group": "w", "provider": "a", "cores": 4}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"offers": []}, "an object with a list `offers`"),
        ({"offers": [OFFER | {"core": 1}]}, "an offer has no 'core' .did you mean 'cores'"),
        ({"offers": [OFFER | {"cores": "4"}]}, "an offer: `cores` must be of type int, not '4'"),
        ({"offers": [{"key": "w/a/s", "cores": 4}]}, "an offer is not complete"),
        ({"offers": [OFFER | {"group": "x"}]}, "for the group 'x', which is not there"),
        ({"offers": [OFFER | {"boot": 500}]}, "a `boot_high` of at least `boot`"),
        ({"groups": {"w": {"maxi": 3}}}, "the group w has no 'maxi'"),
        ({"faults": [{"fault": "Outrage"}]}, "no fault 'Outrage' .did you mean 'Outage'"),
        (
            {"faults": [{"fault": "Reclaim", "offer": "w/a/t", "at": 5}]},
            "no offer 'w/a/t' .did you mean 'w/a/s'",
        ),
        ({"interval": 0}, "`interval` must be above 0"),
        ({"estimates": "wild"}, "`estimates` is exact or noisy or half or learned or seasoned, not 'wild'"),
        ({"forecast": "rain"}, "`forecast` is nowcast or clocks or none, not 'rain'"),
        ({"paid_from": "birth"}, "`paid_from` is order or ready"),
        ({"order": "shortest"}, "`order` is longest or arrival, not 'shortest'"),
        ({"wind": 5}, "the world has no 'wind'"),
    ],
)
def test_a_bad_world_is_told(tmp_path, change, words):
    """With what is wrong in it."""
    (tmp_path / "w.json").write_text(json.dumps({"offers": [OFFER], "groups": {"w": {}}} | change))
    with pytest.raises(UserError, match=words):
        read_world(tmp_path / "w.json")


def test_the_worlds_by_name_are_complete():
    """Each has offers for its groups."""
    for make in WORLDS.values():
        made = make()
        assert {offer.group for offer in made.offers} == set(made.groups)
