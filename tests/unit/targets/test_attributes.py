"""What jobs tell of themselves in the queue: the same in each cycle, and nothing that HTCondor reads otherwise."""

from __future__ import annotations

import math
import re

import htcondor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.fleet.condor_ads import done_of, jobs_of
from dynamo.graph.model import Graph, Task
from dynamo.graph.needs import Needs
from dynamo.images.image import Image
from dynamo.targets.ahead import ahead
from dynamo.targets.attributes import LINES, attributes, clock_lines
from dynamo.targets.dagman import DagOptions, dag_text
from dynamo.targets.jobs import Compiled, compile_jobs
from dynamo.targets.submit import submit_text
from dynamo.targets.unfolding import Unfolding

BEGAN = 1_800_000_000.75


def task(n: int, step: str = "plot", **more: object) -> Task:
    given = {"inputs": {"scan": "scan"}, "params": {}, **more}
    return Task(f"t{n}", step, "python", "m:f", outputs={"out": f"out{n}"}, **given)


def one_job(*tasks: Task, name: str = "nowcast") -> Compiled:
    graph = Graph(name, {one.id: one for one in tasks}, {"scan": "/data/scan", "map": "/data/map"})
    return compile_jobs(graph, [tuple(graph.tasks)])


def told(compiled: Compiled, began: float = BEGAN, **sizes: int) -> dict[str, str]:
    (job,) = compiled.jobs.values()
    return attributes(compiled, job, began, sizes)


def ad_of(submit: str, variables: dict[str, str]) -> dict[str, str]:
    """Return what HTCondor makes of a submit description with these variables."""
    text = "".join(f"{key} = {value}\n" for key, value in variables.items()) + submit
    found = htcondor2.Submit(text)
    return {name: found.expand(f"My.Dynamo{name}") for name in ("Kind", "Features", "Due")}


def test_the_kind_is_workflow_and_steps():
    """Each step once, in the order of the tasks, however many there are."""
    steps = ("extrapolate", "plot", "extrapolate", "contour", "plot")
    assert told(one_job(*(task(n, step) for n, step in enumerate(steps))))["kind"] == (
        "nowcast/extrapolate+plot+contour"
    )


@pytest.mark.parametrize("calls", [["track/"], ["track-0/", "track-1/"], ["track-07/", "track-11/"]])
def test_the_kind_does_not_tell_how_often_a_workflow_was_called(calls):
    """As many storms as there are, what is done for one has one name."""
    tasks = [task(n, f"{call}plot") for n, call in enumerate(calls)]
    assert told(one_job(*tasks))["kind"] == "nowcast/track/plot"


def test_a_kind_that_is_too_long_is_told_apart_by_its_end():
    """At a hundred characters, the same each time."""
    fits = ["x" * 92, "x" * 93]
    kinds = [told(one_job(task(0, step)))["kind"] for step in fits]
    assert kinds[0] == f"nowcast/{fits[0]}"
    assert len(kinds[1]) == 100
    assert re.fullmatch(r"nowcast/x{83}-[0-9a-f]{8}", kinds[1])[0] != told(one_job(task(0, "x" * 95)))["kind"]
    assert told(one_job(task(0, fits[1])))["kind"] == kinds[1]


def test_features_are_what_is_known_before_the_job_runs():
    """Bytes of files that are there, minutes ahead, tasks; what is not known is left out."""
    tasks = [task(n, params={"lead": lead}) for n, lead in enumerate((5, 7.5, None, True, "9", 1e300))]
    assert told(one_job(*tasks), scan=120, map=99)["features"] == "bytes=120;lead=6.25;tasks=6"
    both = task(0, inputs={"scans": ("scan", "map")})
    assert told(one_job(both), scan=120, map=99)["features"] == "bytes=219;tasks=1"
    assert told(one_job(both))["features"] == "tasks=1"


def test_what_tasks_told_before_is_a_feature():
    """Beside what is known of the job itself, in digits that cost no room in the queue."""
    compiled = one_job(task(0, params={"lead": 5}))
    (job,) = compiled.jobs.values()
    said = attributes(compiled, job, BEGAN, {"scan": 120}, {"echo_km2": 12345.678, "storms": -3.0})
    assert said["features"] == "echo_km2=12345.7;storms=-3;bytes=120;lead=5;tasks=1"
    (seen,) = jobs_of([{"DynamoFeatures": said["features"], "JobStatus": 1}], {})
    assert seen.features == {"echo_km2": 12345.7, "storms": -3, "bytes": 120, "lead": 5, "tasks": 1}


def test_what_its_tasks_took_lately_is_a_feature():
    """Of all of them, on the cores that the job has; nothing where one of the steps was never run."""
    needs = [Needs(cores=cores) for cores in (1, 2, 1)]
    compiled = one_job(*(task(n, step, needs=needs[n]) for n, step in enumerate(("plot", "contour", "plot"))))
    (job,) = compiled.jobs.values()
    for seconds, usual in (({"plot": 1.25, "contour": 0.5}, ";usual=6"), ({"plot": 1.25}, ""), ({}, "")):
        assert attributes(compiled, job, BEGAN, {}, {}, seconds)["features"] == f"tasks=3{usual}"


@pytest.mark.parametrize(
    ("began", "deadlines", "due"),
    [
        (BEGAN, [60.0], "1800000060"),
        (BEGAN, [90.0, 0.0, 40.5], "1800000041"),
        (BEGAN, [0.0], "undefined"),
        (0.0, [60.0], "undefined"),
    ],
)
def test_a_job_is_due_when_the_first_of_its_tasks_is(began, deadlines, due):
    """In whole seconds; undefined where there is no deadline, or the DAG is of no run."""
    tasks = [task(n, needs=Needs(deadline=deadline)) for n, deadline in enumerate(deadlines)]
    assert told(one_job(*tasks), began)["due"] == due


def direct(compiled: Compiled) -> DagOptions:
    images = {name: Image(name, docker=f"{name}:1") for name in ("default", "own")}
    return DagOptions(container="docker", images=images, began=BEGAN, sizes={"scan": 7})


@pytest.mark.parametrize("kind", ["worker", "command", "ahead"])
def test_a_fleet_reads_what_htcondor_makes_of_it(kind):
    """Of a job of a worker, of a command in its own image, and of one that is submitted before its DAG."""
    needs = Needs(deadline=60.0, image="own" if kind == "command" else "")
    more = {"kind": "command", "argv": ("x",)} if kind == "command" else {}
    one = Task(
        "t", "plot", **{"kind": "python", **more}, call="m:f", inputs={"i": "scan"}, outputs={"o": "out"},
        params={"lead": 7}, needs=needs,
    )  # fmt: skip
    compiled = one_job(one)
    options = direct(compiled)
    (job,) = compiled.jobs.values()
    if kind == "ahead":
        (text,) = ahead(compiled, options, "log")
        said = ad_of(text, {})
    else:
        dag = dag_text(compiled, "nowcast", "nowcast", options, final=False)
        line = re.findall(rf"^VARS {job.name} (.*cores.*)$", dag, re.MULTILINE)[0]
        said = ad_of(submit_text(compiled, job, options), dict(re.findall(r'(\w+)="([^"]*)"', line)))
    assert said == {
        "Kind": '"nowcast/plot"',
        "Features": '"bytes=7;lead=7;tasks=1"',
        "Due": "1800000060",
    }
    ad = {"DynamoKind": said["Kind"].strip('"'), "DynamoFeatures": said["Features"].strip('"')}
    (seen,) = jobs_of([{**ad, "DynamoDue": int(said["Due"]), "JobStatus": 1}], {})
    assert (seen.kind, seen.due) == ("nowcast/plot", 1800000060)
    assert seen.features == {"bytes": 7, "lead": 7, "tasks": 1}


@settings(deadline=None, max_examples=200)
@given(st.text(), st.lists(st.text(), min_size=1, max_size=4))
def test_names_of_any_signs_break_no_line(name, steps):
    """Quotes, lines, macros: a graph need not come of Python functions."""
    found = told(one_job(*(task(n, step) for n, step in enumerate(steps)), name=name))
    assert re.fullmatch(r"[A-Za-z0-9._/+-]{1,100}", found["kind"])
    said = ad_of('My.DynamoKind = "$(kind)"\nMy.DynamoFeatures = ""\nMy.DynamoDue = 0\nqueue\n', found)
    assert said["Kind"] == f'"{found["kind"]}"'


def test_other_signs_are_other_kinds():
    """What is left of two names may be alike; what stands behind it is not."""
    kinds = {told(one_job(task(0, step)))["kind"] for step in ('a"b', "a b", "a$b", "a_b")}
    assert len(kinds) == 4
    assert "nowcast/a_b" in kinds


def test_what_is_described_at_run_time_is_compiled_as_its_run_was(tmp_path):
    """When the run began is known there too."""
    options = DagOptions(began=BEGAN, sizes={"scan": 120}, facts={"echo_km2": 7.5}, seconds={"plot": 2.5})
    Unfolding("nowcast", {}, {}, options).write(tmp_path, "nowcast")
    assert Unfolding.read(tmp_path, "nowcast").options == options


@pytest.mark.parametrize("clock", ["every 300 s", "cron */5 6-18 * * 1#2 in Europe/Berlin"])
def test_jobs_tell_which_clock_starts_the_next_run(clock):
    """With the run file, by HTCondor itself, to the fleet."""
    compiled = one_job(task(0))
    (job,) = compiled.jobs.values()
    options = DagOptions(feed="/etc/dynamo/nowcast.yaml", clock=clock, run="r1")
    found = htcondor2.Submit(submit_text(compiled, job, options))
    ad = {f"Dynamo{name}": found.expand(f"My.Dynamo{name}").strip('"') for name in ("Feed", "Clock", "Run")}
    (seen,) = jobs_of([{**ad, "JobStatus": 1, "QDate": 50}], {})
    assert (seen.feed, seen.clock, seen.run, seen.queued) == (options.feed, clock, "r1", 50.0)
    ended = {**ad, "JobCurrentStartDate": 60, "CompletionDate": 70, "QDate": 50, "RequestCpus": 2}
    done = done_of(ended)
    assert (done.feed, done.clock, done.run, done.queued, done.cores) == (options.feed, clock, "r1", 50.0, 2)
    assert done.core_seconds == 20.0


@pytest.mark.parametrize(("feed", "clock"), [("", "every 9 s"), ("/a.yaml", ""), ("/a.yaml", 'every "9" s')])
def test_a_run_that_no_clock_starts_tells_of_none(feed, clock):
    """Nor does one whose clock could not be written."""
    compiled = one_job(task(0))
    (job,) = compiled.jobs.values()
    assert "DynamoClock" not in submit_text(compiled, job, DagOptions(feed=feed, clock=clock))


def test_the_run_file_of_a_clock_has_no_sign_that_breaks_a_line():
    """What is left of its path is told apart by its end."""
    first, second = (clock_lines(f'/data/a "{name}"$.yaml', "every 9 s")[0] for name in "xy")
    assert re.fullmatch(r'My.DynamoFeed = "/data/a_x_.yaml-[0-9a-f]{8}"', first)
    assert first != second


def test_what_is_due_first_and_then_what_is_longest_has_the_highest_number():
    """By deadline; of one deadline by the seconds its tasks took lately; of alike tasks by their bytes."""
    compiled = one_job(task(0))
    (job,) = compiled.jobs.values()

    def length(seconds: float | None, size: int) -> int:
        usual = {} if seconds is None else {"plot": seconds}
        return int(attributes(compiled, job, BEGAN, {"scan": size}, {}, usual)["length"])

    rising = [(None, 0), (None, 10), (None, 10**9), (0.5, 0), (2.0, 10**6), (2.0, 3 * 10**6), (2000.0, 0)]
    found = [length(*one) for one in rising]
    assert found == sorted(set(found))
    assert length(1e12, 10**18) < 2**31
    wide = one_job(task(0, needs=Needs(cores=8)))
    (eight,) = wide.jobs.values()
    assert attributes(wide, eight, BEGAN, {}, {}, {"plot": 2.0})["length"] == str(length(2.0, 0))
    due = task(0, needs=Needs(deadline=60.0))
    submit = "\n".join(["executable = /bin/true", *LINES])
    values = told(one_job(due), scan=7)
    found = htcondor2.Submit("".join(f"{key} = {value}\n" for key, value in values.items()) + submit)
    assert found.expand("My.PostJobPrio1") == f"-{math.floor(BEGAN + 60)}"
    assert found.expand("My.PostJobPrio2") == values["length"]
