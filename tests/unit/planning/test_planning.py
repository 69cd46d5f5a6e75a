"""Keys, reasons, selections, jobs, and code versions."""

from __future__ import annotations

import importlib
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.errors import UserError, WorkflowError
from dynamo.graph import Graph, Needs, Task
from dynamo.journal.records import Parts, Result
from dynamo.planning import CodeVersions, Selection, decide, key_of, make_plan, parts_of, source, units
from dynamo.worker.job import Made

TASK = Task("t", "t", "python", "m:f", {"a": "x", "b": ("y", "z")}, {"o": "out"}, {"p": 1, "q": None})
DIGESTS = {"x": "1", "y": "2", "z": "3"}


def key(task: Task = TASK, code: str = "code", digests: dict[str, str] | None = None) -> str:
    """Return the key of a task."""
    return key_of(task, parts_of(task, code, digests or DIGESTS))


CHANGES = {
    "another function": replace(TASK, call="m:g"),
    "a parameter's value": replace(TASK, params={"p": 2, "q": None}),
    "a parameter's type": replace(TASK, params={"p": 1.0, "q": None}),
    "true for one": replace(TASK, params={"p": True, "q": None}),
    "a parameter less": replace(TASK, params={"p": 1}),
    "an output's name": replace(TASK, outputs={"o": "out2"}),
    "an output's parameter": replace(TASK, outputs={"o2": "out"}),
    "inputs swapped": replace(TASK, inputs={"a": "y", "b": ("x", "z")}),
    "inputs in another order": replace(TASK, inputs={"a": "x", "b": ("z", "y")}),
    "another image": replace(TASK, needs=Needs(image="other")),
    "an argument list": replace(TASK, argv=("x",)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_part_counts_in_the_key(change):
    """Each change of what a task is gives another key."""
    assert key(CHANGES[change]) != key()


def test_code_and_contents_count_in_the_key():
    """Other code and other contents give another key."""
    assert key(code="other") != key()
    assert key(digests={**DIGESTS, "z": "4"}) != key()


def test_what_does_not_matter_does_not_count():
    """Places, ids, resources, labels, the file's place and the order of parameters leave the key alone."""
    same = replace(
        TASK, id="u", step="u", place="x:1", fuse="x", call="/other/place.py:f",
        needs=Needs(cores=4, timeout=9.0), params={"q": None, "p": 1},
    )  # fmt: skip
    assert key(same) == key()


@pytest.mark.parametrize("name", ["image", "arguments"])
def test_parameters_of_any_name_count(name):
    """A parameter counts also where its name is that of another part of the key."""
    task = replace(TASK, needs=Needs(image="radar"), argv=("x",))
    keys = {key(replace(task, params={name: value})) for value in ("a", "b", None)}
    assert len(keys) == 3


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-2, 2) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=4,
)
PARAMS = st.dictionaries(st.sampled_from("pqr"), JSONS, max_size=3)


@settings(deadline=None)
@given(PARAMS, PARAMS, st.sampled_from(["1", "2"]), st.sampled_from(["1", "2"]))
def test_keys_are_equal_exactly_when_the_parts_are(a, b, x, y):
    """Parameters and contents decide; the order in which a dictionary is written does not."""
    from dynamo.graph.digest import canonical

    first, second = replace(TASK, params=a), replace(TASK, params=dict(reversed(b.items())))
    same = canonical(a) == canonical(b) and x == y
    assert (key(first, digests={**DIGESTS, "x": x}) == key(second, digests={**DIGESTS, "x": y})) == same


PARTS = parts_of(TASK, "code", DIGESTS)
REASONS = [
    (replace(PARTS, code="old"), "code of f changed"),
    (replace(PARTS, params={"p": 2, "q": None}), "parameter p changed from 2 to 1"),
    (replace(PARTS, params={"p": 1.0, "q": None}), "parameter p changed from 1.0 to 1"),
    (replace(PARTS, params={"p": 1}), "parameter q changed from None to None"),
    (replace(PARTS, params={"p": "x" * 99, "q": None}), f"parameter p changed from '{'x' * 36}... to 1"),
    (replace(PARTS, inputs={"x": "1", "y": "2"}), "input 'z' is new"),
    (replace(PARTS, inputs={**DIGESTS, "z": "9"}), "input 'z' changed"),
    (replace(PARTS, inputs={**DIGESTS, "w": "9"}), "input 'w' is no longer used"),
    (replace(PARTS, outputs=("old",)), "outputs are now named out"),
    (PARTS, "its inputs are bound to other parameters"),
]


@pytest.mark.parametrize(("before", "reason"), REASONS)
def test_each_change_has_its_reason(before, reason):
    """The first difference is named in one sentence."""
    decision = decide(TASK, "new", PARTS, result=None, damage="", previous=("old", before))
    assert (decision.action, decision.reason) == ("run", reason)


def test_the_other_reasons():
    """New, removed, damaged, forced and reused tasks say so."""
    result = Result("k", "run-1", "t", {"out": Made("d", 1, 1)})
    know = {"result": None, "damage": "", "previous": None}
    say = [
        (know, "run", "never run before"),
        ({**know, "previous": ("k", PARTS)}, "run", "its earlier result was removed"),
        ({**know, "result": result}, "reuse", "reused from run run-1"),
        ({**know, "result": result, "damage": "output 'out' is damaged"}, "run", "output 'out' is damaged"),
        ({**know, "result": result, "forced": True}, "run", "asked for by --force"),
    ]  # fmt: skip
    for known, action, reason in say:
        decision = decide(TASK, "k", PARTS, **known)
        assert (decision.action, decision.reason) == (action, reason)


class Facts:
    """What is known, from a set of tasks whose results are there."""

    def __init__(self, there: set[str]) -> None:
        self.there = there
        self.keys: dict[str, str] = {}

    def code(self, call: str) -> str:
        return "c"

    def source(self, name: str, path: str) -> str:
        return f"digest of {path}"

    def image(self, task: Task) -> str:
        return ""

    def result(self, key: str) -> Result | None:
        return None

    def damage(self, result: Result) -> str:
        return ""

    def described(self, result: Result) -> Graph:
        raise AssertionError

    def latest(self, workflow: str, task: str) -> tuple[str, Parts] | None:
        return None


def graph(*edges: str, **labels: str) -> Graph:
    """Return a graph from ``"a>b"`` edges; `labels` fuses tasks."""
    names = dict.fromkeys(n for edge in edges for n in edge.split(">"))
    parents = {n: tuple(e.split(">")[0] for e in edges if e.endswith(f">{n}")) for n in names}
    tasks = {
        n: Task(n, n, "python", "m:f", {"i": parents[n]}, {"o": n}, {}, fuse=labels.get(n, "")) for n in names
    }
    return Graph("g", tasks)


def test_selections():
    """Until keeps what is needed, only leaves the rest, patterns match ids, steps and outputs."""
    whole = graph("a>b", "b>c", "a>d")
    assert list(Selection(until=("b",)).restrict(whole).tasks) == ["a", "b"]
    plan = make_plan(whole, Facts(set()), Selection(only=("[ab]",)))
    assert {t: d.action for t, d in plan.decisions.items()} == {
        "a": "run",
        "b": "run",
        "c": "leave",
        "d": "leave",
    }
    plan = make_plan(whole, Facts(set()), Selection(only=("b", "c")))
    assert plan.decisions["a"].action == "leave"
    assert plan.decisions["c"].action == "leave"
    plan = make_plan(graph("a>c", "b>c"), Facts(set()), Selection(only=("a", "c")))
    assert [(d.action, d.reason) for d in plan.decisions.values()] == [
        ("run", "never run before"),
        ("leave", "needs 'b', which b would make, left out by --only"),
        ("leave", "left out by --only"),
    ]
    with pytest.raises(
        UserError, match=r"--force contur: no task, step or output of that name \(did you mean 'contour'"
    ):
        Selection(force=("contur",)).check(graph("contour>x"))


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("part-0", {"part-0/a", "part-0/in/b"}),
        ("part", {"part-0/a", "part-0/in/b", "part-1/a"}),
        ("part-0/in", {"part-0/in/b"}),
        ("part-1/a", {"part-1/a"}),
        ("other", {"other"}),
    ],
)
def test_a_workflow_is_selected_whole(pattern, matched):
    """Its id or step selects all tasks in it, in workflows inside it too, and no others."""
    whole = graph("part-0/a>part-0/in/b", "part-1/a>other", "parts>other")
    chosen = Selection(only=(pattern,), force=(pattern,))
    chosen.check(whole)
    assert {i for i, t in whole.tasks.items() if not chosen.leaves(t)} == matched
    assert {i for i, t in whole.tasks.items() if chosen.forces(t)} == matched


def test_labels_fuse_where_that_is_legal():
    """Tasks of a label are one job, in an order in which they can run; each task is in exactly one job."""
    assert units(graph("a>b", "b>c", "a>c", b="x", c="x")) == [("a",), ("b", "c")]
    with pytest.raises(WorkflowError, match="fused as 'x' cannot share a job"):
        units(graph("a>b", "b>c", a="x", c="x"))
    with pytest.raises(WorkflowError, match="cannot share a job"):
        units(graph("a>b", "c>d", "b>e", "d>f", a="x", d="x", c="y", b="y"))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1 << 40))
def test_jobs_hold_every_task_once_in_a_legal_order(seed):
    """Whatever the labels: the jobs are a partition, ordered inside, or the labels are refused."""
    pick = random.Random(seed)
    count = pick.randint(2, 9)
    edges = [f"{a}>{b}" for b in range(count) for a in range(b) if pick.random() < 0.4] or ["0>1"]
    whole = graph(*edges)
    whole = replace(
        whole, tasks={n: replace(t, fuse=pick.choice(["", "x", "y"])) for n, t in whole.tasks.items()}
    )
    try:
        jobs = units(whole)
    except WorkflowError:
        return
    flat = [t for job in jobs for t in job]
    assert sorted(flat) == sorted(whole.tasks)
    for job in jobs:
        for n, task_id in enumerate(job):
            assert not set(whole.parents(whole.tasks[task_id])) & set(job[n:])


SOURCE = '''
"""A module."""
import math
from helpers import help_me
LIMIT = 3

def local(x):
    """Help."""
    return x + LIMIT

@task(timeout=1)
def one(a: Input, b: Output, *, c: int = 1):
    """Do one."""
    b.write_text(str(local(c)))

@task
def other(a: Input, b: Output):
    help_me(a)

@workflow(runtime=True)
def each(a: Input, b: Output):
    other(a, b)
'''
HELPERS = '"""Help."""\nimport deeper\ndef help_me(x): return deeper.go(x)\n'


@pytest.fixture
def versions(tmp_path: Path):
    """Return a function that gives the versions of the three tasks for changed sources."""

    def of(*change: str, helpers: str = HELPERS, deeper: str = "def go(x): return x\n") -> dict[str, str]:
        (tmp_path / "flow.py").write_text(SOURCE.replace(*change) if change else SOURCE)
        (tmp_path / "helpers.py").write_text(helpers)
        (tmp_path / "deeper.py").write_text(deeper)
        code = CodeVersions()
        return {name: code.of(f"{tmp_path}/flow.py:{name}") for name in ("one", "other", "each")}

    return of


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (("return x + LIMIT", "return x + LIMIT  # a comment"), set()),
        (('"""Do one."""', '"""Do just one."""'), set()),
        (('"""Help."""', '"""Help more."""'), set()),
        (('    """Help."""\n', ""), set()),
        (('"""A module."""', ""), set()),
        (("@task(timeout=1)", "@task(timeout=2, memory='1 GB')"), set()),
        (("b.write_text(str(local(c)))", "b.write_text(\n        str(local(c)),\n    )"), set()),
        (("str(local(c))", "str(local(c) + 1)"), {"one"}),
        (("c: int = 1", "c: int = 2"), {"one"}),
        (("@task(timeout=1)\n", "@task(timeout=1)\n@twice\n"), {"one", "other", "each"}),
        (("help_me(a)", "help_me(b)"), {"other", "each"}),
        (("    other(a, b)", "    other(b, a)"), {"each"}),
        (("x + LIMIT", "x - LIMIT"), {"one", "other", "each"}),
        (("LIMIT = 3", "LIMIT = 4"), {"one", "other", "each"}),
    ],
)
def test_a_change_touches_the_versions_it_reaches(versions, change, changed):
    """Comments, layout, docstrings and needs do not count; bodies, defaults, helpers and named tasks do.

    A decorator of others may keep the task where any other finds it.
    """
    before, after = versions(), versions(*change)
    assert {name for name in before if before[name] != after[name]} == changed


def test_neighbours_count_through_their_imports(versions):
    """A change in an imported neighbour, or in what that imports, changes the version; a comment there does not."""
    before = versions()
    assert versions(helpers=HELPERS + "# a comment\n") == before
    assert all(versions(helpers=HELPERS + "x = 1\n")[n] != before[n] for n in before)
    assert all(versions(deeper="def go(x): return -x\n")[n] != before[n] for n in before)


def test_modules_count_through_relative_imports(tmp_path, monkeypatch):
    """In a package, relative imports lead on; other packages do not count."""
    package = tmp_path / "mypackage_for_versions"
    (package / "sub").mkdir(parents=True)
    files = {
        "__init__.py": "", "sub/__init__.py": "", "near.py": "X = 1\n", "sub/far.py": "Y = 1\n", "unused.py": "Z = 1\n",
        "flow.py": "from .near import X\nfrom .sub import far\n@task\ndef one(b: Output): far.Y + X\n",
    }  # fmt: skip
    for name, text in files.items():
        (package / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()

    def version() -> str:
        return CodeVersions().of("mypackage_for_versions.flow:one")

    seen = {version()}
    for name in ("near.py", "sub/far.py"):
        (package / name).write_text("X = Y = 2\n")
        seen.add(version())
    assert len(seen) == 3
    (package / "unused.py").write_text("Z = 2\n")
    assert version() in seen
    assert not [m for m in sys.modules if m.startswith("mypackage_for_versions")], (
        "telling a version runs no code of the user"
    )


def test_the_science_counts(tmp_path):
    """A task that imports `dynamo.radar` has a version that follows it; one that imports others has not."""
    flow = tmp_path / "flow.py"
    code = CodeVersions()
    flow.write_text("@task\ndef one(b: Output):\n    from dynamo.radar.palette import Palette\n")
    code.of(f"{flow}:one")
    assert {"palette.py", "palettes.json", "casa.py"} <= {path.name for path in code.states()}
    flow.write_text("@task\ndef one(b: Output):\n    import numpy\n    from dynamo.graph import task\n")
    code = CodeVersions()
    code.of(f"{flow}:one")
    assert {path.name for path in code.states()} == {"flow.py"}


def test_code_that_cannot_be_versioned_is_an_error(tmp_path):
    """No source, no file, and no Python are each told; there is no silent lack of a version."""
    (tmp_path / "bad.py").write_text("def x(:\n")
    for call, words in [
        ("no_such_module_at_all:f", "cannot find the source of no_such_module_at_all"),
        ("math:sqrt", "cannot find the source of math"),
        (f"{tmp_path}/none.py:f", "cannot read"),
        (f"{tmp_path}/bad.py:f", "bad.py:1:7: not valid Python"),
    ]:
        with pytest.raises(UserError, match=words):
            CodeVersions().of(call)


def test_what_was_found_in_a_file_is_kept_for_the_next_process(tmp_path, monkeypatch):
    """An unchanged file is not parsed again, and gives the same version; a changed one is."""

    class Kept(dict):
        def parsed(self, path, state):
            return self.get((path, state))

        def keep_parsed(self, path, state, found):
            self[path, state] = found

    path = tmp_path / "chain.py"
    path.write_text("from dynamo import task\nLIMIT = 3\n@task\ndef one(out): return LIMIT\n")
    memory = Kept()
    first = CodeVersions(memory).of(f"{path}:one")
    assert len(memory) == 1
    source._parsed.clear()
    monkeypatch.setattr(source, "_parse", lambda _: pytest.fail("parsed again"))
    assert CodeVersions(memory).of(f"{path}:one") == first
    monkeypatch.undo()
    path.write_text(path.read_text().replace("LIMIT = 3", "LIMIT = 30"))
    assert CodeVersions(memory).of(f"{path}:one") != first


def test_a_task_reached_through_a_helper_counts(tmp_path):
    """What a helper of the file calls can change the outcome; what it does not name cannot."""
    from dynamo.planning.code import CodeVersions

    text = (
        "from dynamo import task\n"
        "@task\ndef inner(out): return 1\n"
        "@task\ndef other(out): return 1\n"
        "def helper(): return inner\n"
        "TABLE = {'a': helper}\n"
        "@task\ndef outer(out): return TABLE['a']()\n"
    )
    path = tmp_path / "chain.py"
    path.write_text(text)
    before = CodeVersions().of(f"{path}:outer")
    path.write_text(text.replace("def inner(out): return 1", "def inner(out): return 22"))
    assert CodeVersions().of(f"{path}:outer") != before
    path.write_text(text.replace("def other(out): return 1", "def other(out): return 333"))
    assert CodeVersions().of(f"{path}:outer") == before
