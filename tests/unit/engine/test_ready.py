"""The ready set, over random graphs with random failures: everything that can run runs, once, in time."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynamo.engine.ready import ReadySet
from dynamo.errors import WorkflowError
from dynamo.graph import Graph, Task
from dynamo.planning import units

quick = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


def _graph(pick: random.Random, prefix: str, files: list[str], declared: tuple[str, ...] = ()) -> Graph:
    """Return a random graph; some tasks describe more at run time, some share a label."""
    tasks: dict[str, Task] = {}
    files, sources = list(files), {name: "/x" for name in files}  # noqa: C420 - tells what it is
    count = pick.randint(1, 12)
    for n in range(count):
        inputs = {"in": tuple(pick.choices(files, k=pick.randint(0, 3))) if files else ()}
        outputs = tuple(f"{prefix}f{n}.{i}" for i in range(pick.randint(1, 2)))
        if n == count - 1:
            outputs += declared
        kind = "expand" if not prefix and pick.random() < 0.2 else "python"
        label = pick.choice(["", "", "x", "y", "z"]) if kind == "python" else ""
        task = Task(f"{prefix}t{n}", "t", kind, "m:t", inputs, {"out": outputs}, {}, fuse=label)
        tasks[task.id] = task
        files.extend(outputs)
    return Graph("any", tasks, sources)


def _legal(pick: random.Random, *arguments) -> tuple[Graph, list[tuple[str, ...]]]:
    while True:
        graph = _graph(pick, *arguments)
        try:
            return graph, units(graph)
        except WorkflowError:  # labels that cannot share a job
            continue


def _play(pick: random.Random, chance: float) -> None:
    """Go through a run as the engine does, and check each step."""
    graph, jobs = _legal(pick, "", ["source"])
    ready = ReadySet(graph, jobs)
    whole = graph
    exists = set(graph.sources)
    state: dict[str, str] = {}
    waiting = ready.take()
    while waiting:
        unit = waiting.pop(pick.randrange(len(waiting)))
        retried = []
        for task_id in unit:
            if task_id not in ready.open:
                continue
            task = ready.tasks[task_id]
            if not set(task.input_names) <= exists:
                assert retried, f"{task_id} began before its inputs were there"
                ready.wait((task_id,))
                continue
            dice = pick.random()
            if dice < chance:
                state[task_id] = "failed"
                for blocked in ready.lose(task_id):
                    assert blocked not in state
                    state[blocked] = "blocked"
            elif dice < 2 * chance:
                retried.append((task_id,))
            else:
                assert task_id not in state
                state[task_id] = "done"
                ready.close(task_id)
                if task.kind == "expand":
                    declared = tuple(task.output_names)
                    names = list(task.input_names)
                    found, more = _legal(pick, f"{task_id}/", names, declared)
                    ready.expand(task_id, found, more)
                    whole = whole.expanded(task_id, found)
                else:
                    exists.update(task.output_names)
                    ready.exist(task.output_names)
            waiting.extend(ready.take())
        waiting.extend(retried)
    assert not ready.open, f"never settled: {ready.open}"
    assert set(state) == set(whole.tasks), "each task ends in exactly one state"
    for task in whole.tasks.values():
        bad = any(state[p] != "done" for p in whole.parents(task))
        assert (state[task.id] == "blocked") == bad, "blocked are those, and only those, behind a failure"


@quick
@given(st.integers(0, 1 << 40), st.sampled_from([0.0, 0.1, 0.3]))
def test_every_task_is_settled_once_and_never_too_early(seed, chance):
    """Whatever fails, is retried, fused or described at run time: all that can run has run at the end."""
    _play(random.Random(seed), chance)


def test_ten_thousand_wide_and_deep_are_linear():
    """A fan of ten thousand and a chain of as many are gone through without recursion."""
    fan = {
        f"t{n}": Task(f"t{n}", "t", "python", "m:t", {"a": "s"}, {"b": f"f{n}"}, {}) for n in range(10_000)
    }
    last = Task("last", "l", "python", "m:t", {"a": tuple(f"f{n}" for n in range(10_000))}, {"b": "end"}, {})
    graph = Graph("fan", {**fan, "last": last}, {"s": "/s"})
    ready = ReadySet(graph, units(graph))
    for (task_id,) in ready.take():
        ready.close(task_id)
        ready.exist([f"f{task_id[1:]}"])
    assert ready.take() == [("last",)]
    chain = {
        f"t{n}": Task(f"t{n}", "t", "python", "m:t", {"a": f"f{n - 1}"} if n else {}, {"b": f"f{n}"}, {})
        for n in range(10_000)
    }
    ready = ReadySet(Graph("chain", chain), units(Graph("chain", chain)))
    assert len(ready.lose("t0")) == 9_999
    assert not ready.open
