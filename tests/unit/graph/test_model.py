"""Graphs as data: JSON both ways, digests, order, depth."""

from __future__ import annotations

import random
from dataclasses import replace

import networkx as nx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynamo.errors import WorkflowError
from dynamo.graph import Graph, Needs, Task
from dynamo.graph.check import check
from dynamo.graph.digest import NotJSON, canonical, digest, to_json

#: A busy machine is no fault of the code under test.
quick = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=6)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def chain(length: int) -> Graph:
    """Return a graph in which each task reads the one before."""
    tasks = [
        Task(f"t{n}", "t", "python", "m:t", {"a": f"f{n - 1}"} if n else {}, {"b": f"f{n}"}, {})
        for n in range(length)
    ]
    return Graph("chain", {t.id: t for t in tasks})


def _graph(seed: int) -> Graph:
    """Some acyclic graph of up to twelve tasks, with lists, sources, labels and parameters."""
    pick = random.Random(seed)
    tasks: dict[str, Task] = {}
    files = [f"source{n}" for n in range(2)]
    sources = {name: f"/data/{name}" for name in files}
    for n in range(pick.randint(1, 12)):
        outputs = tuple(f"file{n}.{i}" for i in range(pick.randint(1, 2)))
        inputs = {"one": pick.choice(files), "many": tuple(pick.choices(files, k=pick.randint(0, 3)))}
        needs = Needs(cores=pick.randint(1, 4), timeout=pick.choice([0.0, 1.5]))
        tasks[f"t{n}"] = Task(
            f"t{n}", pick.choice("ab"), "python", "m:t", inputs, {"out": outputs}, {"p": [pick.random(), {"k": n}]},
            pick.choice([(), ("echo", "x")]), needs, pick.choice(["", "x"]), f"f.py:{n}",
        )  # fmt: skip
        files.extend(outputs)
    order = pick.sample(list(tasks), len(tasks))
    return Graph("any", {i: tasks[i] for i in order}, sources)


def graphs() -> st.SearchStrategy[Graph]:
    """Any acyclic graph."""
    return st.integers(0, 1 << 32).map(_graph)


@quick
@given(graphs())
def test_json_both_ways_gives_the_same_graph(graph):
    """A graph goes through JSON text unchanged, in the same order and with the same digest."""
    back = Graph.from_json(orjson.loads(orjson.dumps(graph.to_json())))
    assert back == graph
    assert list(back.tasks) == list(graph.tasks)
    assert back.digest() == graph.digest()


@quick
@given(graphs())
def test_the_digest_is_over_what_is_said_not_where(graph):
    """Other places leave the digest alone; another parameter, file or need does not."""
    moved = replace(graph, tasks={i: replace(t, place="elsewhere.py:1") for i, t in graph.tasks.items()})
    assert moved.digest() == graph.digest()
    first = next(iter(graph.tasks.values()))
    for changed in (
        replace(first, params={**first.params, "zz": 1}),
        replace(first, outputs={"out": "other"}),
        replace(first, needs=replace(first.needs, memory=99)),
        replace(first, argv=("other",)),
    ):
        assert replace(graph, tasks={**graph.tasks, first.id: changed}).digest() != graph.digest()


@quick
@given(graphs())
def test_order_puts_every_task_after_its_parents(graph):
    """The order holds each task once, after its parents; networkx sees the same edges."""
    check(graph)
    order = list(graph.order())
    assert sorted(order) == sorted(graph.tasks)
    at = {task_id: n for n, task_id in enumerate(order)}
    edges = {(p, t.id) for t in graph.tasks.values() for p in graph.parents(t)}
    assert all(at[a] < at[b] for a, b in edges)
    assert edges == {(t.id, c) for t in graph.tasks.values() for c in graph.children(t)}
    network = graph.to_networkx()
    assert set(network.edges) == edges
    assert nx.is_directed_acyclic_graph(network)
    assert all(network.nodes[i]["task"] is t for i, t in graph.tasks.items())


@quick
@given(JSONS, JSONS)
def test_canonical_json_is_equal_exactly_when_the_values_are(a, b):
    """Equal values have equal bytes whatever the order of keys; others have others."""

    def shuffled(value):
        if isinstance(value, dict):
            return {k: shuffled(v) for k, v in reversed(value.items())}
        return [shuffled(v) for v in value] if isinstance(value, list) else value

    assert to_json(a) == a
    assert canonical(to_json(shuffled(a))) == canonical(to_json(a))
    same = repr(_sorted(a)) == repr(_sorted(b))  # repr tells 1, 1.0 and True apart, and 0.0 and -0.0
    assert (digest(a) == digest(b)) == same


def _sorted(value):
    if isinstance(value, dict):
        return {k: _sorted(value[k]) for k in sorted(value)}
    return [_sorted(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "value", [float("nan"), float("-inf"), b"x", {1}, object(), 2**64, {None: 1}, "\ud800"]
)
def test_what_json_cannot_carry_is_refused(value):
    """No silent null: each such value is refused, with its place inside the whole."""
    with pytest.raises(NotJSON, match=r"^x\.k\[1\]"):
        to_json({"k": [0, value]}, "x")


def test_a_chain_of_twenty_thousand_is_legal():
    """Deep graphs are checked, ordered, written and read without recursion."""
    graph = chain(20_000)
    check(graph)
    assert graph.order()[-1] == "t19999"
    assert Graph.from_json(graph.to_json()).digest() == graph.digest()
    assert graph.to_networkx().number_of_edges() == 19_999


def test_a_long_cycle_is_told_in_short():
    """A cycle of twenty thousand tasks is found and told in one line."""
    graph = chain(20_000)
    first = replace(graph.tasks["t0"], inputs={"a": "f19999"})
    with pytest.raises(WorkflowError, match=r"wait for each other: .* \.\.\. 19996 more \.\.\., ") as raised:
        check(replace(graph, tasks={**graph.tasks, "t0": first}))
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"tasks": [{}]},
        {"tasks": 3},
        {"needs": []},
        {"needs": [{"corse": 1}]},
    ],
)
def test_json_that_is_no_graph_is_refused(change):
    """Another format, or a shape that is none, is a `WorkflowError`."""
    with pytest.raises(WorkflowError, match="not a graph"):
        Graph.from_json({**chain(2).to_json(), **change})


@quick
@given(graphs(), graphs())
def test_an_expansion_adds_its_tasks_and_takes_over_the_outputs(graph, more):
    """After an expansion the node makes nothing, the added tasks do, and the order is still legal."""
    found = Graph(
        "found",
        {
            f"x/{t.id}": replace(
                t,
                id=f"x/{t.id}",
                inputs={"many": tuple(f"x/{f}" for f in t.input_names)},
                outputs={"out": tuple(f"x/{f}" for f in t.output_names)},
            )
            for t in more.tasks.values()
        },
        {f"x/{name}": path for name, path in more.sources.items()},
    )  # fmt: skip
    node = next(iter(graph.tasks))
    last = found.order()[-1]
    declared = {"out": tuple(graph.tasks[node].output_names)}
    found = replace(found, tasks={**found.tasks, last: replace(found.tasks[last], outputs=declared)})
    whole = graph.expanded(node, found)
    assert len(whole.tasks) == len(graph.tasks) + len(more.tasks)
    assert not list(whole.tasks[node].output_names)
    assert all(whole.producer[n] == last for n in declared["out"])
