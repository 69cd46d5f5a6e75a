"""What is drawn of a graph."""

from __future__ import annotations

import pytest

from dynamo.graph import Graph, Task
from dynamo.report.picture import picture


def boxes(drawn) -> dict[str, str]:
    return {box.label: box.count for box in drawn.boxes.values()}


def test_a_fan_out_is_one_box_with_a_count(chains):
    """31 lead times are one box a step, and input files one box."""
    drawn = picture(chains.graph("nowcast"))
    assert boxes(drawn) == {
        "frames": "6 files", "motion": "", "move": "31 tasks", "plot": "31 tasks", "contour": "31 tasks", "join": "",
    }  # fmt: skip
    ends = {(drawn.boxes[a.tail].label, drawn.boxes[a.head].label) for a in drawn.arrows}
    assert ends == {
        ("frames", "motion"), ("frames", "move"), ("motion", "move"), ("move", "plot"), ("move", "contour"),
        ("plot", "join"),
    }  # fmt: skip


def test_labels_that_differ_in_numbers_are_one_frame(chains):
    """lead-00 to lead-30 stand for 31 jobs around the three steps that share them."""
    drawn = picture(chains.graph("nowcast"))
    (frame,) = drawn.frames.values()
    assert frame.label == "lead-00 to lead-30 (31 jobs)"
    assert {b.label for b in drawn.boxes.values() if b.frame} == {"move", "plot", "contour"}


def test_expanded_every_task_and_file_is_a_box(chains):
    """With expand, nothing stands for more than itself, and each job has its frame."""
    graph = chains.graph("nowcast")
    drawn = picture(graph, expand=True)
    assert len(drawn.boxes) == len(graph.tasks) + len(graph.sources)
    assert all(len(box.members) == 1 for box in drawn.boxes.values())
    assert len(drawn.frames) == 31
    assert drawn.frames["lead-07"].label == "lead-07 (one job)"


def test_every_edge_of_the_graph_is_in_some_arrow(chains):
    """Joining arrows loses no file."""
    graph = chains.graph("nowcast")
    for expand in (False, True):
        drawn = picture(graph, expand=expand)
        assert {f for a in drawn.arrows for f in a.files} == set(graph.consumers)


def test_a_step_that_reads_itself_is_chained_not_looped(chains):
    """Three calls one after another are one box that says so, with no arrow to itself."""
    drawn = picture(chains.graph("steps"))
    assert boxes(drawn) == {"frame_0.nc": "", "follow": "3 tasks, one after another"}
    assert len(drawn.arrows) == 1


def test_calls_of_one_workflow_inside_another_are_one_frame(chains):
    """The six calls of `inner` have numbered names but are drawn once."""
    drawn = picture(chains.graph("outer"))
    assert boxes(drawn) == {"frames": "6 files", "find": "6 tasks", "follow": "6 tasks"}
    assert [f.label for f in drawn.frames.values()] == ["inner-0 to inner-5 (6 calls)"]


def test_a_run_time_workflow_points_at_what_it_described(chains):
    """After a run, dashed arrows lead from the workflow to the first tasks it added."""
    from dynamo.journal import Journal

    run = chains.run(chains.graph("storms"), "r")
    with Journal(chains.workspace.journal) as journal:
        drawn = picture(journal.graph(run))
    found = [a for a in drawn.arrows if a.found]
    assert [(drawn.boxes[a.tail].label, drawn.boxes[a.head].label) for a in found] == [("each", "move")]
    assert [f.label for f in drawn.frames.values()] == ["each (described at run time)"]


@pytest.mark.parametrize("expand", [False, True])
def test_an_empty_graph_is_an_empty_picture(expand):
    """Nothing in, nothing out."""
    drawn = picture(Graph("none", {}), expand=expand)
    assert (drawn.boxes, drawn.arrows, drawn.frames) == ({}, (), {})


def test_a_file_may_be_called_like_a_task():
    """Names of files and ids of tasks are kept apart."""
    task = Task("t", "t", "python", "m:t", {"a": "t"}, {"b": "b"}, {})
    more = Task("u", "u", "python", "m:u", {"a": "b"}, {"b": "c"}, {})
    drawn = picture(Graph("g", {"t": task, "u": more}, {"t": "/t"}))
    ends = [
        (drawn.boxes[a.tail].kind, drawn.boxes[a.tail].label, drawn.boxes[a.head].label) for a in drawn.arrows
    ]
    assert ends == [("source", "t", "t"), ("python", "t", "u")]


def test_a_source_that_nobody_reads_is_not_drawn():
    """Only files that matter to the tasks are boxes."""
    task = Task("t", "t", "python", "m:t", {"a": "a.nc"}, {"b": "b.nc"}, {})
    drawn = picture(Graph("g", {"t": task}, {"a.nc": "/a.nc", "unread.nc": "/u.nc"}))
    assert [b.label for b in drawn.boxes.values()] == ["a.nc", "t"]
