"""Describing and planning a graph of 100,000 tasks: ``python benchmarks/plan.py``.

Seconds and peak memory in a process of its own (``--child COUNT`` prints them); then the plan of 10,000 tasks
that were all run before. Peers: a networkx graph of the same nodes and edges with a topological sort, in the
same process, which knows no files, no code and no reasons; and Dask's graph of as many delayed calls.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import noops
from dynamo.engine import LocalEngine, Request
from dynamo.engine.known import Facts
from dynamo.journal import Workspace
from dynamo.planning import make_plan
from noop import done
from peer import figure, measured
from rows import Row, main


def child(count):
    """Print the seconds and the peak memory of one graph."""
    before, cpu = peak(), time.process_time()
    start = time.perf_counter()
    graph = noops.layers(count)
    built = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(folder)
        with LocalEngine(workspace, inline=True) as engine:
            plan = make_plan(graph, Facts(workspace, engine.journal))
    planned, cpu = time.perf_counter(), time.process_time() - cpu
    assert plan.to_run == len(graph.tasks)
    most = peak()
    edges = [(parent, task.id) for task in graph.tasks.values() for parent in graph.parents(task)]
    found = {"build": built - start, "plan": planned - built, "cpu": cpu, "peak": most, "before": before}
    print(json.dumps(found | {"networkx": networkx(graph.tasks, edges)}))


def peak():
    """Largest resident memory of this process so far, MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def networkx(nodes, edges):
    """Seconds to make a graph and sort it."""
    import networkx as nx

    start = time.perf_counter()
    graph = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    assert len(list(nx.topological_sort(graph))) == len(nodes)
    return time.perf_counter() - start


def again(count):
    """Seconds to plan tasks that were all run before, and to run them again."""
    graph = noops.wide(count)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(folder)
        with LocalEngine(workspace, inline=True, modules=[str(Path(__file__).parent)]) as engine:
            done(engine.run(Request("first", graph)))
            start = time.perf_counter()
            plan = make_plan(graph, Facts(workspace, engine.journal))
            planned = time.perf_counter() - start
            assert plan.to_reuse == count
            start = time.perf_counter()
            done(engine.run(Request("second", graph)))
            return planned, time.perf_counter() - start


def measure(quick: bool) -> Iterator[Row]:
    """One large graph, and one that needs nothing."""
    count, cached = (10_000, 1_000) if quick else (100_000, 10_000)
    line = [sys.executable, __file__, "--child", str(count)]
    ours = json.loads(subprocess.run(line, check=True, stdout=subprocess.PIPE).stdout)
    dask = measured("dask_graph.py", count // 5)
    yield Row(
        f"graph of {count:,} tasks, described and planned",
        ours["build"] + ours["plan"],
        "s",
        5,
        {
            "networkx: the bare graph, made and sorted": ours["networkx"],
            "Dask: as many delayed calls, made and put in order": figure(dask, "build", 5),
        },
        note=f"ours: described in {ours['build']:.2f} s, planned in {ours['plan']:.2f} s, of which "
        f"{ours['cpu']:.2f} s CPU; Dask: a fifth of the tasks, times five",
    )
    yield Row(
        f"graph of {count:,} tasks, peak memory",
        ours["peak"],
        "MB",
        500,
        note=f"{ours['before']:.0f} MB of it before the graph",
    )
    planned, rerun = again(cached)
    yield Row(f"{cached:,} tasks that were run before, planned", planned, "s")
    yield Row(f"{cached:,} tasks that were run before, run again (all reused)", rerun, "s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(int(sys.argv[2]))
    else:
        main(__doc__, measure)
