"""Compiling to WfFormat: valid by the format's rules and WfCommons' own checks, and the same after a replay."""

from __future__ import annotations

import json
import random
from pathlib import Path

import jsonschema
import pytest
from wfcommons import WorkflowGenerator
from wfcommons.wfchef.recipes import BlastRecipe, MontageRecipe
from wfcommons.wfinstances.schema import SchemaValidator

from dynamo.cli import main
from dynamo.graph import Graph, Needs, Task
from dynamo.targets.wfformat import Execution, Machine, Went, to_wfformat

HERE = Path(__file__).parent
SCHEMA = HERE / "wfformat.schema.json"


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    assert end.value.code == 0


def valid(path: Path) -> dict:
    """Hold an instance against the format, and against what WfCommons checks beyond a schema; return it."""
    data = json.loads(path.read_text())
    validator = SchemaValidator(SCHEMA)
    validator.validate_instance(data)
    assert validator.errors == []
    return data


def structure(data: dict) -> dict[str, tuple[str, list[str], list[str], list[str]]]:
    """What is kept through a replay: ids, programs, dependencies and what tasks make."""
    return {
        t["id"]: (t["name"], sorted(t["parents"]), sorted(t["children"]), sorted(t["outputFiles"]))
        for t in data["workflow"]["specification"]["tasks"]
    }


def replayed(folder: Path, instance: str, **params: object) -> Path:
    said = "".join(f"  {name}: {json.dumps(value)}\n" for name, value in params.items())
    text = f"workflow: dynamo.workflows.replay:wfformat\ninputs: {{instance: {instance}}}\nparams:\n  scale: 0\n{said}"
    (folder / "replay.yaml").write_text(text)
    return folder / "replay.yaml"


def make(path: Path, recipe: type, tasks: int) -> Path:
    """Write an instance like those that WfCommons recorded of a real workflow."""
    random.seed(7)
    WorkflowGenerator(recipe.from_num_tasks(tasks)).build_workflow().write_json(path)
    return path


def test_a_plan_is_valid(chain, tmp_path):
    """Tasks, files and dependencies of a run file's graph; sizes of the files that are there."""
    run("compile", chain / "run.yaml", "--target", "wfformat", "-o", tmp_path / "out")
    data = valid(tmp_path / "out" / "chain.json")
    assert data["schemaVersion"] == "1.5"
    assert "execution" not in data["workflow"]
    found = structure(data)
    assert found["double-0"] == ("double", ["split"], ["double-1"], ["once_0.txt"])
    sizes = {f["id"]: f["sizeInBytes"] for f in data["workflow"]["specification"]["files"]}
    assert sizes["joined.txt"] == 0
    assert 6 in sizes.values()


def test_a_finished_run_has_times_machines_and_bytes(chain, tmp_path):
    """What the journal knows of a run is told of each of its tasks."""
    text = (chain / "run.yaml").read_text()
    (chain / "run.yaml").write_text(text[: text.index("images:")])
    run("run", chain / "run.yaml", "--quiet", "--cores", "1")
    out = tmp_path / "run.json"
    run("compile", "--run", "chain", "--workspace", chain / ".dynamo", "--target", "wfformat", "-o", out)
    data = valid(out)
    execution = data["workflow"]["execution"]
    rows = {t["id"]: t for t in execution["tasks"]}
    assert len(rows) == 9
    assert all(0 < t["runtimeInSeconds"] <= execution["makespanInSeconds"] for t in rows.values())
    assert rows["double-0"]["readBytes"] == 1
    assert rows["double-0"]["writtenBytes"] == 4
    assert rows["join"]["command"] == {
        "program": "sort",
        "arguments": ["-o", "joined.txt", "twice_0.txt", "twice_1.txt", "twice_2.txt"],
    }
    (machine,) = execution["machines"]
    assert {m for t in rows.values() for m in t["machines"]} == {machine["nodeName"]}
    assert machine["cpu"]["coreCount"] >= 1


@pytest.mark.parametrize("version", ["1.5", "1.6"])
def test_either_version_can_be_asked_for(chain, tmp_path, version):
    """Some tools take one version only."""
    out = tmp_path / "x.json"
    run("compile", chain / "run.yaml", "--target", "wfformat", "-o", out, "--schema-version", version)
    assert valid(out)["schemaVersion"] == version


def test_what_a_run_time_workflow_described_depends_on_it():
    """Its hidden description is a file that its tasks read; names that the format has not are written in others."""
    tasks = [
        Task("storms", "storms", "expand", "w:storms", {"g": "in+put"}, {}, {}),
        Task(
            "storms/track-0", "storms/track", "python", "w:track", {}, {"out": "storms/a"}, {}, needs=Needs(2)
        ),
        Task("last", "last", "python", "w:last", {"x": "storms/a"}, {"out": "end"}, {}),
    ]
    graph = Graph("w", {t.id: t for t in tasks}, {"in+put": "/x"})
    went = Execution(0.0, 5.0, {"last": Went(1.0, 2.0, 1.0, 100, "node-1")}, (Machine("node-1", cores=4),))
    data = to_wfformat(graph, {"end": 7}, went)
    jsonschema.validate(data, json.loads(SCHEMA.read_text()))
    first, second, third = data["workflow"]["specification"]["tasks"]
    assert second["parents"] == ["storms"]
    assert first["children"] == third["parents"] == [second["id"]]
    assert second["inputFiles"] == first["outputFiles"] != []
    assert data["workflow"]["execution"]["tasks"] == [
        {
            "id": "last", "runtimeInSeconds": 2.0, "executedAt": "1970-01-01T00:00:01.000+00:00",
            "command": {"program": "last", "arguments": []}, "coreCount": 1, "avgCPU": 50.0,
            "memoryInBytes": 100, "machines": ["node-1"], "readBytes": 0, "writtenBytes": 7,
        }
    ]  # fmt: skip


@pytest.mark.parametrize("recipe", [BlastRecipe, MontageRecipe])
def test_an_instance_is_the_same_after_a_replay(tmp_path, recipe):
    """Read, made a graph, written again: ids, programs, dependencies and files, of workflows as WfCommons has them."""
    source = make(tmp_path / "in.json", recipe, 80)
    run("compile", replayed(tmp_path, "in.json"), "--target", "wfformat", "-o", tmp_path / "out.json")
    assert structure(valid(tmp_path / "out.json")) == structure(json.loads(source.read_text()))


def test_a_workflow_of_ours_is_the_same_after_a_replay(chain, tmp_path):
    """Compile, replay, compile."""
    run("compile", chain / "run.yaml", "--target", "wfformat", "-o", tmp_path / "in.json")
    run("compile", replayed(tmp_path, "in.json"), "--target", "wfformat", "-o", tmp_path / "out.json")
    assert structure(valid(tmp_path / "out.json")) == structure(valid(tmp_path / "in.json"))


def test_a_replay_runs_and_is_recorded_again(tmp_path):
    """A recorded Blast workflow is run, and what is recorded of that has its structure."""
    source = make(tmp_path / "in.json", BlastRecipe, 50)
    replayed(tmp_path, "in.json", resources=False, size_scale=0.001)
    run("run", tmp_path / "replay.yaml", "--quiet")
    arguments = ("--workspace", tmp_path / ".dynamo", "--target", "wfformat", "-o", tmp_path / "out.json")
    run("compile", "--run", "Blast", *arguments)
    data = valid(tmp_path / "out.json")
    assert structure(data) == structure(json.loads(source.read_text()))
    assert len(data["workflow"]["execution"]["tasks"]) == len(structure(data))


def test_a_run_is_for_wfformat_only(tmp_path, capsys):
    """Pegasus needs a run file; and either is needed, not both."""
    for arguments, said in (
        (["--run", "x", "--target", "pegasus"], "name a run file to compile for pegasus"),
        (["--target", "wfformat"], "Name a run file, or a finished run"),
    ):
        with pytest.raises(SystemExit) as end:
            main(["compile", *arguments, "-o", str(tmp_path)])
        assert end.value.code == 2
        assert said in capsys.readouterr().err
