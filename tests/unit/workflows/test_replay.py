"""A recorded workflow as a graph: what is kept of it, what is made up, and what is refused."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from dynamo.workflows.replay import wfformat
from dynamo.workflows.replay.tasks import burn

from dynamo.errors import DataError, WorkflowError
from dynamo.graph import workflow

NEW = {
    "name": "tiny",
    "schemaVersion": "1.5",
    "workflow": {
        "specification": {
            "tasks": [
                {"name": "a/b", "id": "one", "parents": [], "children": ["two"],
                 "inputFiles": ["in.txt"], "outputFiles": ["x", "both"]},
                {"name": "c", "id": "two", "parents": ["one"], "children": [],
                 "inputFiles": ["x"], "outputFiles": ["both"]},
                {"name": "c", "id": "three", "parents": ["two"], "children": []},
            ],
            "files": [{"id": "x", "sizeInBytes": 1000}, {"id": "in.txt", "sizeInBytes": 5}],
        },
        "execution": {
            "makespanInSeconds": 3, "executedAt": "2026-01-01T00:00:00Z",
            "tasks": [
                {"id": "one", "runtimeInSeconds": 10.0, "coreCount": 1.5, "memoryInBytes": 2**30, "priority": 4},
                {"id": "two", "runtimeInSeconds": 2.0, "memoryInBytes": 5},
            ],
        },
    },
}  # fmt: skip

OLD = {
    "name": "old",
    "schemaVersion": "1.4",
    "workflow": {
        "makespanInSeconds": 3, "executedAt": "2020-01-01T00:00:00Z",
        "tasks": [
            {"name": "split_1", "id": "ID1", "category": "split", "parents": [], "runtimeInSeconds": 4.0, "cores": 2,
             "files": [{"link": "input", "name": "in.txt", "sizeInBytes": 9},
                       {"link": "output", "name": "x", "sizeInBytes": 3}]},
            {"name": "sum_1", "id": "ID2", "parents": ["split_1"], "command": {"program": "sum"},
             "files": [{"link": "input", "name": "x", "sizeInBytes": 3}]},
        ],
    },
}  # fmt: skip


def written(path, data):
    path.write_text(json.dumps(data))
    return path


def changed(**specification):
    data = json.loads(json.dumps(NEW))
    data["workflow"]["specification"] |= specification
    return data


def test_a_graph_is_as_it_was_recorded(tmp_path):
    """Ids, programs, run times, sizes, cores, memory and priority; memory below that of a Python process is raised."""
    graph = wfformat.graph(written(tmp_path / "i.json", NEW), scale=0.1, size_scale=0.5)
    one, two, three = graph.tasks.values()
    assert graph.name == "tiny"
    assert (one.id, one.step, one.call) == ("one", "a_b", burn.call)
    assert one.params == {"seconds": 1.0, "sizes": [500, 1], "work": "sleep"}
    assert (one.needs.cores, one.needs.memory, one.needs.priority) == (2, 2**30, 4)
    assert two.needs.memory == 256 * 2**20
    assert three.params["seconds"] == 0.0
    assert graph.sources == {"in.txt": str(tmp_path / "i.json")}


def test_dependencies_without_a_file_are_kept(tmp_path):
    """Where a child reads nothing of its parent, or a second task says to make a file, a mark makes the edge."""
    graph = wfformat.graph(written(tmp_path / "i.json", NEW))
    one, two, three = graph.tasks.values()
    assert list(one.output_names) == ["x", "both"]
    assert list(two.output_names) == [".two.ended"]
    assert list(graph.parents(two)) == ["one"]
    assert list(graph.parents(three)) == ["two"]


def test_files_that_go_in_a_circle_give_way_to_recorded_dependencies(tmp_path):
    """Some records have tasks that read what a later one writes."""
    tasks = json.loads(json.dumps(NEW["workflow"]["specification"]["tasks"]))
    tasks[0]["inputFiles"], tasks[2]["outputFiles"] = ["late"], ["late"]
    graph = wfformat.graph(written(tmp_path / "i.json", changed(tasks=tasks)))
    assert graph.order() == ("one", "two", "three")


def test_an_older_version_is_read(tmp_path):
    """1.4: tasks name each other by name, and carry their files."""
    graph = wfformat.graph(written(tmp_path / "i.json", OLD))
    split, total = graph.tasks.values()
    assert (split.step, split.params["sizes"], split.needs.cores) == ("split", [3], 2)
    assert (total.step, list(graph.parents(total)), list(total.input_names)) == ("sum", ["split_1"], ["x"])


def test_needs_and_sizes_can_be_left_out(tmp_path):
    """For a machine that is smaller than the recorded ones."""
    graph = wfformat.graph(written(tmp_path / "i.json", NEW), resources=False, bytes=False)
    one = graph.tasks["one"]
    assert (one.needs.cores, one.needs.memory, one.params["sizes"]) == (1, 0, [1, 1])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"schemaVersion": "2.0"}, "not an instance of WfFormat 1.3, 1.4, 1.5, 1.6: schemaVersion is '2.0'"),
        ([], "schemaVersion is None"),
        (changed(tasks=[]), "it has no tasks"),
        (changed(tasks=[{"name": "a", "id": "a", "parents": ["b"]}]), "waits for 'b', which is no task"),
        (changed(tasks=[{"name": "a", "id": "a"}, {"name": "b", "id": "a"}]), "two tasks have the same id"),
        (changed(tasks=[{"id": "a"}]), "damaged: KeyError 'name'"),
        ("{", "not JSON"),
    ],
)
def test_what_is_no_instance_is_refused(tmp_path, data, said):
    """The message names the file and what is wrong."""
    path = tmp_path / "i.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    with pytest.raises(DataError, match=r"i\.json: ") as error:
        wfformat.graph(path)
    assert said in str(error.value)


def test_a_circle_of_dependencies_is_refused(tmp_path):
    """As in any other graph."""
    tasks = [{"name": "a", "id": "a", "parents": ["b"]}, {"name": "b", "id": "b", "parents": ["a"]}]
    with pytest.raises(WorkflowError, match=r"wait for each other|cycle|circle"):
        wfformat.graph(written(tmp_path / "i.json", changed(tasks=tasks)))


def test_a_missing_file_and_a_bad_scale_are_refused(tmp_path):
    """Each says what was expected."""
    with pytest.raises(DataError, match=r"cannot read .*nowhere\.json: No such file"):
        wfformat.graph(tmp_path / "nowhere.json")
    with pytest.raises(WorkflowError, match="shares from 0"):
        wfformat.graph(written(tmp_path / "i.json", NEW), scale=-1)


def test_a_replay_is_no_part_of_another_workflow(tmp_path):
    """Its graph has ids of its own."""
    path = written(tmp_path / "i.json", NEW)

    @workflow
    def outer() -> None:
        wfformat(path)

    with pytest.raises(WorkflowError, match="a run file of its own"):
        outer.graph()


@pytest.mark.parametrize("work", ["sleep", "cpu"])
def test_a_task_takes_its_time_and_writes_its_bytes(tmp_path, work, monkeypatch):
    """Busy or asleep; what it writes depends on the name alone."""
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    source = tmp_path / "in"
    source.write_bytes(b"x" * 3_000_000)
    outs = [tmp_path / "a", tmp_path / "b", tmp_path / "again" / "a"]
    outs[2].parent.mkdir()
    began = time.monotonic()
    burn([source], outs, seconds=30.0 if work == "sleep" else 0.2, sizes=[2_500_000, 0, 2_500_000], work=work)
    (rest,) = slept
    assert (rest > 0) is (work == "sleep")
    assert time.monotonic() - began >= 0.2 - 0.2 * (work == "sleep")
    assert [out.stat().st_size for out in outs] == [2_500_000, 0, 2_500_000]
    assert outs[0].read_bytes() == outs[2].read_bytes()


def test_the_readme_tells_the_parameters():
    """Names and defaults are those of the function."""
    text = (Path(__file__).parents[3] / "workflows/replay/README.md").read_text()
    told = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", text, re.MULTILINE))
    assert told == {n: str(p.default) for n, p in wfformat.signature.parameters.items() if n != "instance"}
