"""Packing tasks into jobs: nothing lost, nothing in a circle, no more jobs than are worth their seconds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.errors import WorkflowError
from dynamo.graph import Graph
from dynamo.graph.model import Task
from dynamo.graph.needs import Needs
from dynamo.planning.pack import Packing, pack
from dynamo.worker.loading import load_object


def task(
    n: int, reads: tuple[int, ...] = (), *, kind: str = "python", fuse: str = "", **needs: object
) -> Task:
    names = tuple(f"f-{r}" for r in reads)
    return Task(
        f"t-{n}", f"s-{n % 3}", kind, "m:f", {"i": names}, {"o": f"f-{n}"}, {}, (), Needs(**needs), fuse, f"x:{n}"
    )  # fmt: skip


def graph(tasks: list[Task]) -> Graph:
    return Graph("g", {t.id: t for t in tasks})


@st.composite
def graphs(draw):
    """Random graphs; labels only where they are legal, which is along chains of one image and number of cores."""
    tasks: list[Task] = []
    for n in range(draw(st.integers(1, 40))):
        reads = tuple(sorted(draw(st.sets(st.integers(0, n - 1), max_size=3)))) if n else ()
        kind = draw(st.sampled_from(["python", "python", "python", "command", "expand"]))
        image, cores = draw(st.sampled_from(["", "", "radar"])), draw(st.sampled_from([1, 1, 1, 2, 4]))
        tasks.append(task(n, reads, kind=kind, image=image, cores=cores))
    return graph(tasks)


PACKINGS = st.builds(
    Packing,
    slots=st.integers(0, 9),
    overhead=st.sampled_from([0.0, 0.5, 3.0]),
    longest=st.sampled_from([1.0, 5.0, 300.0]),
    default=st.sampled_from([0.0, 0.1, 1.0, 10.0]),
    seconds=st.dictionaries(st.sampled_from(["s-0", "s-1"]), st.floats(0, 100)),
)


def check(g: Graph, units: list[tuple[str, ...]]) -> None:
    """What holds for whatever is packed."""
    assert sorted(t for unit in units for t in unit) == sorted(g.tasks)
    done: set[str] = set()
    for unit in units:
        for t in unit:
            assert set(g.parents(g.tasks[t])) <= done, "after its parents, also in its job"
            done.add(t)
        tasks = [g.tasks[t] for t in unit]
        if len(tasks) > 1:
            assert len({t.needs.image for t in tasks}) == 1
            assert not any(t.kind == "expand" or (t.kind == "command" and t.needs.image) for t in tasks)
        # No other job stands between two tasks of this one.
        others = {t for other in units if other != unit for t in other}
        assert others.isdisjoint(unit)


@settings(max_examples=300, deadline=None)
@given(graphs(), PACKINGS)
def test_every_task_is_in_one_job_and_jobs_have_an_order(g, packing):
    """Whatever the graph; what cannot share a job does not, and all of a job need the same cores."""
    units = pack(g, packing)
    check(g, units)
    for unit in units:
        assert len({g.tasks[t].needs.cores for t in unit}) == 1
    assert pack(g, packing) == units
    if not packing.slots:
        assert all(len(unit) == 1 for unit in units)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 9), st.booleans())
def test_what_labels_fuse_stays_together(lanes, length, slots, joined):
    """In one job, with its cores the most that any of them needs; also where the jobs could be more."""
    tasks = [task(0)]
    for lane in range(lanes):
        for n in range(length):
            at = 1 + lane * length + n
            tasks.append(task(at, (at - 1 if n else 0,), fuse=f"lane-{lane}", cores=1 + (n == 1)))
    if joined:
        tasks.append(task(len(tasks), tuple(1 + lane * length for lane in range(lanes))))
    g = graph(tasks)
    units = pack(g, Packing(slots=slots, longest=0.5))
    check(g, units)
    owner = {t: n for n, unit in enumerate(units) for t in unit}
    for lane in range(lanes):
        assert len({owner[f"t-{1 + lane * length + n}"] for n in range(length)}) == 1


def test_labels_that_cannot_share_a_job_are_refused():
    """With the place of the task."""
    g = graph([task(0, fuse="a"), task(1, (0,)), task(2, (1,), fuse="a")])
    with pytest.raises(WorkflowError, match=r"x:\d: the tasks fused as 'a' cannot share a job"):
        pack(g)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 200), st.integers(1, 20), st.integers(1, 4))
def test_side_by_side_run_no_more_jobs_than_there_are_slots(width, slots, cores):
    """Of those that need more cores, fewer; and none is split off that is shorter than what a job costs."""
    g = graph([task(n, cores=cores) for n in range(width)])
    seconds = dict.fromkeys(("s-0", "s-1", "s-2"), 1.0)
    units = pack(g, Packing(slots=slots, overhead=3.0, seconds=seconds))
    assert len(units) <= max(slots // cores, 1)
    assert len(units) == max(min(slots // cores, width // 3, width), 1)
    sizes = [len(unit) for unit in units]
    assert max(sizes) - min(sizes) <= 1


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 200), st.integers(1, 20), st.integers(1, 4))
def test_a_fan_out_that_was_never_timed_gets_all_slots(width, slots, cores):
    """Four tasks may take a second or an hour: in one job, each would wait for the others."""
    g = graph([task(3 * n, cores=cores) for n in range(width)])  # all of one step
    units = pack(g, Packing(slots=slots, overhead=3.0))
    assert len(units) == max(min(slots // cores, width), 1)
    sizes = [len(unit) for unit in units]
    assert max(sizes) - min(sizes) <= 1


def test_a_job_that_would_take_too_long_is_parted():
    """By prediction, also where there are fewer slots."""
    g = graph([task(n) for n in range(100)])
    seconds = dict.fromkeys(("s-0", "s-1", "s-2"), 30.0)
    units = pack(g, Packing(slots=2, longest=300.0, seconds=seconds))
    assert len(units) == 10
    assert all(len(unit) == 10 for unit in units)


def test_long_and_short_tasks_are_dealt_by_their_seconds():
    """Not by their number."""
    tasks = [task(n) for n in range(12)]
    units = pack(graph(tasks), Packing(slots=2, overhead=1.0, seconds={"s-0": 30.0, "s-1": 0.1, "s-2": 0.1}))
    assert [sum(int(t[2:]) % 3 == 0 for t in unit) for unit in units] == [2, 2]


@pytest.mark.parametrize("size", [1, 2, 20_000])
def test_a_chain_is_one_job(size):
    """However deep; nothing here is recursive."""
    g = graph([task(n, (n - 1,) if n else ()) for n in range(size)])
    assert pack(g) == [tuple(f"t-{n}" for n in range(size))]
    assert len(pack(g, Packing(slots=0))) == size


def test_a_fan_of_ten_thousand_is_few_jobs():
    """As many as slots, or as long ones as may be."""
    g = graph([task(n) for n in range(10_000)])
    assert len(pack(g, Packing(slots=8, default=0.01))) == 8
    assert len(pack(g, Packing(slots=8, default=1.0, longest=300.0))) == 34


def test_a_diamond_on_many_slots_is_one_job_where_it_is_short():
    """Two tasks of a second are not worth two jobs of three."""
    g = graph([task(0), task(1, (0,)), task(2, (0,)), task(3, (1, 2))])
    assert len(pack(g, Packing(slots=8))) == 1
    units = pack(g, Packing(slots=8, default=60.0))
    assert [len(unit) for unit in units] == [1, 1, 1, 1]


def test_a_nowcast_on_two_slots_is_about_four_jobs():
    """What comes before the lead times, two halves of these, what comes after."""
    workflow = load_object("dynamo.workflows.nowcast:nowcast")
    g = workflow.graph([f"/data/frame-{n}.nc" for n in range(6)], horizon=30)
    units = pack(g, Packing(slots=2))
    check(g, units)
    assert 3 <= len(units) <= 4
    assert sum(len(unit) > len(g.tasks) / 3 for unit in units) == 2
