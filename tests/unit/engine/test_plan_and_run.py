"""The plan and the engine agree, for any small graph and any changes between two runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dynamo.engine import LocalEngine, Products, Request
from dynamo.engine.known import Facts
from dynamo.errors import WorkflowError
from dynamo.graph import Graph, Task
from dynamo.journal import Journal, Workspace
from dynamo.planning import Plan, Selection, make_plan, units
from dynamo.worker.store import stored_path

SOURCES = ("s0", "s1")
CODE = """
from dynamo import Input, Output, task, workflow

@workflow(runtime=True)
def each(sources: list[Input], outs: list[Output], *, add: int):
    half = join(sources, ['half'], add=add)
    join(half, outs, add=add)

@workflow(runtime=True)
def deep(sources: list[Input], outs: list[Output], *, add: int):
    each(sources, outs, add=add)

@task
def join(sources: list[Input], outs: list[Output], *, add: int):
    for out in outs:
        out.write_text(f"({','.join(s.read_text() for s in sources)} {add // 2} %s)")
"""


@dataclass(frozen=True)
class Node:
    """One task: the files it reads and makes, and its parameter, of which only the half can be seen."""

    id: str
    reads: tuple[str, ...]
    makes: tuple[str, ...]
    add: int
    label: str
    #: Whether `join` makes them, or a run-time workflow that describes it: `each`, or `deep`, which describes `each`.
    step: str = "join"

    @property
    def inside(self) -> tuple[str, ...]:
        """Ids of the tasks of which a stored output can be harmed."""
        under = {"join": "", "each": f"{self.id}/", "deep": f"{self.id}/each/"}[self.step]
        return (self.id, f"{under}join-0", f"{under}join-1") if under else (self.id,)


@dataclass(frozen=True)
class World:
    """All that a run depends on."""

    nodes: tuple[Node, ...]
    sources: tuple[int, ...] = (1, 1)
    code: int = 0
    #: Ids of tasks of which a stored output is removed, and of which one is spoiled.
    removed: tuple[str, ...] = ()
    spoiled: tuple[str, ...] = ()

    def graph(self, folder: Path) -> Graph:
        """Return the graph, and write the files that it starts from."""
        for name, size in zip(SOURCES, self.sources, strict=True):
            (folder / name).write_text("x" * size)
        (folder / "flow.py").write_text(CODE % (self.code // 2) + "#" * (self.code % 2))
        tasks = {
            n.id: Task(
                n.id, n.step, "python" if n.step == "join" else "expand", f"{folder}/flow.py:{n.step}",
                {"sources": n.reads}, {"outs": n.makes}, {"add": n.add}, fuse=n.label,
            )
            for n in self.nodes
        }  # fmt: skip
        graph = Graph("any", tasks, {name: str(folder / name) for name in SOURCES})
        try:
            units(graph)
        except WorkflowError:  # the labels cannot be kept
            return replace(graph, tasks={i: replace(t, fuse="") for i, t in tasks.items()})
        return graph

    def contents(self) -> Mapping[str, str]:
        """Return what every file must hold."""
        files = {name: "x" * size for name, size in zip(SOURCES, self.sources, strict=True)}
        for n in self.nodes:
            tail = f" {n.add // 2} {self.code // 2})"
            text = f"({','.join(files[r] for r in n.reads)}{tail}"
            if n.step != "join":
                half = "each/half" if n.step == "deep" else "half"
                files[f"{n.id}/{half}"] = text
                text = f"({text}{tail}"
            files |= dict.fromkeys(n.makes, text)
        return files


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw chains, joins, tasks that share files, tasks of two outputs, labels, and run-time workflows."""
    files, nodes = list(SOURCES), []
    for n in range(draw(st.integers(1, 6))):
        reads = draw(st.lists(st.sampled_from(files[-4:]), unique=True, max_size=3))
        makes = [f"f{n}.{k}" for k in range(draw(st.integers(1, 2)))]
        label = draw(st.sampled_from(["", "", "x", "y"]))
        step = draw(st.sampled_from(["join", "join", "each", "deep"]))
        nodes.append(Node(f"t{n}", tuple(reads), tuple(makes), draw(st.integers(0, 3)), label, step))
        files += makes
    return World(tuple(nodes))


@st.composite
def changed(draw: st.DrawFn, world: World) -> World:
    """Draw what happens between two runs."""
    for kind in draw(
        st.lists(st.sampled_from(["add", "reads", "source", "code", "remove", "spoil"]), max_size=3)
    ):
        k = draw(st.integers(0, len(world.nodes) - 1))
        node = world.nodes[k]
        if kind in ("add", "reads"):
            earlier = [*SOURCES, *(f for n in world.nodes[:k] for f in n.makes)]
            node = (
                replace(node, add=draw(st.integers(0, 3)))
                if kind == "add"
                else replace(
                    node, reads=tuple(draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)))
                )
            )
            world = replace(world, nodes=(*world.nodes[:k], node, *world.nodes[k + 1 :]))
        elif kind == "source":
            world = replace(world, sources=draw(st.sampled_from([(2, 1), (1, 2), (2, 2)])))
        elif kind == "code":
            world = replace(world, code=draw(st.integers(1, 2)))
        elif kind == "remove":
            world = replace(world, removed=(*world.removed, draw(st.sampled_from(node.inside))))
        else:
            world = replace(world, spoiled=(*world.spoiled, draw(st.sampled_from(node.inside))))
    return world


@st.composite
def cases(draw: st.DrawFn) -> tuple[World, Selection, World, Selection]:
    """Draw a first run, what changes, and a second run."""
    first = draw(worlds())
    names = [n.id for n in first.nodes]
    some = st.lists(st.sampled_from(names), unique=True, max_size=3).map(tuple)
    none: st.SearchStrategy[tuple[str, ...]] = st.just(())
    until = draw(none | some)
    only = draw(none | some)
    second = Selection(force=draw(none | some), only=only, until=draw(none | some))
    return first, Selection(until=until), draw(changed(first)), second


FUSED = World((Node("t0", (), ("f0",), 0, "x"), Node("t1", ("f0",), ("f1",), 0, "x")))
DEEP = World((Node("t0", (), ("f0",), 0, "", "deep"), Node("t1", ("f0",), ("f1",), 0, "")))
APART = World(
    (Node("t0", (), ("f0",), 0, ""), Node("t1", (), ("f1",), 0, ""), Node("t2", ("f0", "f1"), ("f2",), 0, ""))
)


def harm(world: World, workspace: Workspace, journal: Journal, run: str) -> None:
    """Remove and spoil stored files as `world` says."""
    done = journal.tasks(run)
    for task_id in (*world.removed, *world.spoiled):
        result = journal.result(done[task_id].key or "") if task_id in done else None
        for made in result.made.values() if result else ():
            path = Path(stored_path(str(workspace.store), made.digest))
            if task_id in world.removed:
                path.unlink(missing_ok=True)
            elif path.exists():
                os.chmod(path, 0o644)
                path.write_text("spoiled")


def _under(plan: Plan, task: str) -> bool:
    """Whether the innermost run-time workflow that the plan knows of `task` was not planned as reused."""
    while task not in plan.decisions:
        task = task.rpartition("/")[0]
    return plan.decisions[task].action != "reuse"


def agree(plan: Plan, selection: Selection, ran: Mapping[str, str], reused: Mapping[str, str]) -> None:
    """Check the plan against the reasons of what ran and what was reused."""
    # What a run-time workflow describes is planned only where its result is reused.
    ran = {t: r for t, r in ran.items() if t in plan.decisions or not _under(plan, t)}
    planned = {a: {t for t, d in plan.decisions.items() if d.action == a} for a in ("run", "reuse", "leave")}
    assert planned["reuse"] <= set(reused), "what the plan reuses is reused"
    left = set(plan.decisions) - set(ran) - set(reused)
    assert left <= planned["leave"], "what is left out was planned so"
    if selection.only:
        # An input that comes out as it was may let the engine reuse what the plan left out, and so run what needs it.
        assert set(ran) <= planned["run"] | planned["leave"]
        assert {t.partition("/")[0] for t in ran} <= set(selection.only), "--only runs no others"
    else:
        assert set(ran) <= planned["run"], "nothing runs that the plan reuses"
    for task_id, decision in plan.decisions.items():
        if decision.key is not None and decision.action == "run" and task_id in ran:
            assert ran[task_id] == decision.reason
        if decision.action == "reuse":
            assert reused[task_id] == decision.reason


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
@example(
    (FUSED, Selection(), replace(FUSED, nodes=(replace(FUSED.nodes[0], add=2), FUSED.nodes[1])), Selection())
)
@example((DEEP, Selection(), DEEP, Selection()))
@example((DEEP, Selection(), replace(DEEP, removed=("t0/each/join-0",)), Selection()))
@example(
    (
        DEEP,
        Selection(),
        replace(DEEP, nodes=(replace(DEEP.nodes[0], add=2), DEEP.nodes[1])),
        Selection(only=("t0", "t1")),
    )
)
@example((APART, Selection(), replace(APART, code=2), Selection(only=("t0", "t2"))))
def test_the_engine_does_what_the_plan_says(case):
    """It runs no more than planned, reuses all that was to be reused, in the same words, and no content is stale."""
    first, before, second, selection = case
    with TemporaryDirectory() as name:
        folder = Path(name)
        workspace, out = Workspace.open(folder / ".dynamo"), folder / "out"
        with (
            LocalEngine(workspace, cores=1, memory=1 << 30, inline=True) as engine,
            Journal(workspace.journal) as journal,
        ):
            assert engine.run(Request("one", first.graph(folder), selection=before)).ok
            harm(second, workspace, journal, "one")
            graph = second.graph(folder)
            plan = make_plan(graph, Facts(workspace, journal), selection)
            summary = engine.run(Request("two", graph, Products(str(out)), selection))
            assert summary.ok, summary.failures
            told, whole = journal.tasks("two"), journal.graph("two")
            again = make_plan(graph, Facts(workspace, journal), replace(selection, force=()))
        ran = {t: r.reason for t, r in told.items() if r.state == "done"}
        reused = {t: r.reason for t, r in told.items() if r.state == "reused"}
        assert (summary.ran, summary.reused) == (len(ran), len(reused))
        agree(plan, selection, ran, reused)
        finished = {n for t in told for n in whole.tasks[t].output_names}
        want = second.contents()
        assert {p.relative_to(out).as_posix(): p.read_text() for p in out.rglob("*") if p.is_file()} == {
            n: want[n] for n in finished
        }
        assert all(again.decisions[t].action == "reuse" for t in told), "what was done is not done again"
