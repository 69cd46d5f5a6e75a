"""Names of files and jobs: safe everywhere, each only once, and the same each time."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from dynamo.graph import Graph
from dynamo.graph.model import Task
from dynamo.targets.jobs import MORE, compile_jobs, spec_of
from dynamo.targets.names import safe, safe_names

SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
NAMES = st.one_of(
    st.text(max_size=150), st.sampled_from(["out", "OUT", "a b", "a_b", ".", "..", "-", "+x", "x" * 120])
)


@given(NAMES.filter(bool))
def test_a_safe_name_is_safe(name):
    """It begins with no dot or dash, is no longer than a file name may be, and is kept where it was safe."""
    found = safe(name)
    assert SAFE.fullmatch(found)
    assert len(found) <= 130
    assert safe(found) == found or len(found) > 100
    if SAFE.fullmatch(name) and len(name) <= 100:
        assert found == name


@given(st.lists(NAMES.filter(bool), unique=True), st.lists(NAMES))
def test_no_two_safe_names_are_alike(names, others):
    """Nor like others that are taken, also where case does not count."""
    found = safe_names(names, others)
    lower = [name.lower() for name in found.values()]
    assert list(found) == names
    assert len(set(lower)) == len(lower)
    assert {other.lower() for other in others}.isdisjoint(lower)
    assert all(SAFE.fullmatch(name) for name in found.values())
    assert safe_names(names, others) == found


def test_long_names_that_differ_at_their_beginning_stay_apart():
    """Also where their safe forms are equal but for case."""
    names = ["A" + "x" * 99, "a" + "x" * 99, "a" + "X" * 99]
    assert len({name.lower() for name in safe_names(names).values()}) == 3


def one(name: str, fuse: str = "", reads: tuple[str, ...] = (), kind: str = "python", out: str = "") -> Task:
    return Task(name, name, kind, "m:f", {"i": reads}, {"o": out or f"of-{name}"}, {}, fuse=fuse)


def compiled(*tasks: Task, sources=(), units=None):
    graph = Graph("g", {t.id: t for t in tasks}, {name: f"/data/{name}" for name in sources})
    return compile_jobs(graph, units or [(t.id,) for t in tasks])


def test_jobs_have_names_that_dagman_takes():
    """None that means something to it, or that the last node has; each only once, also where case does not count."""
    ids = ["final", "FINAL", "Parent", "child", "ALL_NODES", "a.b", "a_b", "A b", "täg", "x" * 200, "x" * 201]
    names = list(compiled(*(one(name) for name in ids)).jobs)
    assert len({name.lower() for name in names}) == len(ids)
    assert {"final", "parent", "child", "all_nodes"}.isdisjoint(name.lower() for name in names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,90}", name) for name in names)


def test_no_job_has_the_name_of_the_node_of_what_a_run_time_workflow_describes():
    """Whatever the tasks are called."""
    found = compiled(one("storm", kind="expand"), one(f"storm{MORE}"))
    assert not set(found.jobs) & set(found.more.values())


def test_who_reads_waits_for_who_makes():
    """Of files between jobs; those inside one, and those from outside, make nobody wait."""
    tasks = (
        one("a", reads=("in",)),
        one("b", reads=("of-a", "in")),
        one("c", reads=("of-a", "of-b")),
        one("d"),
    )
    found = compiled(*tasks, sources=["in"], units=[("a",), ("b", "c"), ("d",)])
    a, bc, d = found.jobs.values()
    assert (a.parents, bc.parents, d.parents) == ((), (a.name,), ())
    assert bc.inputs == {"of-a": f"jobs/{a.name}/out/of-a", "in": "inputs/in"}
    spec = spec_of(found, bc, {"in": "ff", "other": "00"}, "b")
    assert spec.graph.sources == {"of-a": "of-a", "in": "in"}
    assert spec.digests == {"in": "ff"}
    assert spec.reports == (f"{a.name}.report.json",)
    assert spec.outputs == {"of-b": "out/of-b", "of-c": "out/of-c"}


def test_who_reads_what_a_run_time_workflow_declares_waits_for_what_that_describes():
    """Not for the description alone."""
    found = compiled(one("storm", kind="expand", out="track"), one("draw", reads=("track",)))
    assert found.jobs["draw"].parents == (found.more["storm"],)
    assert spec_of(found, found.jobs["storm"], {}, "b").outputs == {".storm.graph.json": found_path(found)}


def found_path(found) -> str:
    return f"out/{found.paths['.storm.graph.json'].rpartition('/')[2]}"
