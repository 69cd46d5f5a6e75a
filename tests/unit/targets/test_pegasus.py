"""Compiling for Pegasus: what is written is valid, says what the graph says, and runs by its word alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from dynamo.cli import main
from dynamo.images.image import Image
from dynamo.targets.catalog_yaml import to_yaml
from dynamo.worker.build import build

HERE = Path(__file__).parent
STAND_IN = HERE.parent / "pegasus" / "stand_in.py"
SCHEMAS = {
    "workflow.yml": "wf-5.0.yml",
    "sites.yml": "sc-5.0.yml",
    "transformations.yml": "tc-5.0.yml",
    "replicas.yml": "rc-5.0.yml",
}


def compiled(runfile: Path, to: Path, *more: str) -> Path:
    with pytest.raises(SystemExit) as end:
        main(["compile", str(runfile), "--target", "pegasus", "-o", str(to), *more])
    assert end.value.code == 0
    return to


def load(path: Path):
    return yaml.load(path.read_text(), Loader=yaml.CSafeLoader)


def jobs_of(folder: Path) -> dict[str, dict]:
    return {job["id"]: job for job in load(folder / "workflow.yml")["jobs"]}


def check(folder: Path, schemas: Path) -> None:
    """Hold all four files against the schemas of Pegasus."""
    found = ((p.name, Resource(contents=load(p), specification=DRAFT7)) for p in schemas.glob("*.yml"))
    registry = Registry().with_resources(found)
    for name, schema in SCHEMAS.items():
        jsonschema.Draft7Validator({"$ref": schema}, registry=registry).validate(load(folder / name))


def test_what_is_written_is_valid_and_as_it_was(chain, tmp_path, schemas):
    """All files hold against Pegasus' own schemas, and are those of the golden folder byte for byte."""
    out = compiled(chain / "run.yaml", tmp_path / "out")
    check(out, schemas)
    golden = HERE / "golden" / "pegasus"
    found = {}
    for path in sorted(p for p in out.rglob("*") if p.is_file() and p.name != "code.tar"):
        text = (
            path.read_text().replace(str(out), "/OUT").replace(str(chain), "/WORK").replace(build(), "BUILD")
        )
        found[str(path.relative_to(out))] = re.sub(r"(dynamo: )\d+\.\d+\.\d+", r"\1VERSION", text)
    if os.environ.get("DYNAMO_WRITE_GOLDEN"):
        for name, text in found.items():
            (golden / name).parent.mkdir(parents=True, exist_ok=True)
            (golden / name).write_text(text)
    assert found == {str(p.relative_to(golden)): p.read_text() for p in golden.rglob("*") if p.is_file()}


def test_it_is_the_same_each_time(compile_seeded, tmp_path):
    """Compiling twice, under other hash seeds, writes the same bytes."""
    seen = []
    for seed in ("1", "2"):
        out = compile_seeded("pegasus", tmp_path / "o", seed)
        seen.append({p: p.read_bytes() for p in out.rglob("*") if p.is_file()})
    assert seen[0] == seen[1]


def test_it_runs_by_its_word_alone(chain, tmp_path):
    """Jobs that get what they declare, and nothing else, make the products; only these come home."""
    out = compiled(chain / "run.yaml", tmp_path / "out")
    for name in ("chain.py", "helper.py"):
        (chain / name).unlink()  # the modules travelled
    subprocess.run([sys.executable, STAND_IN], cwd=out, check=True)
    names = json.loads((out / "names.json").read_text())
    made = {names[p.name]: p.read_text() for p in (out / "outputs").iterdir()}
    assert made["say/the result.txt"].startswith("it's  two words\n")
    assert sorted(made) == ["joined.txt", "say/the result.txt"]
    assert made["joined.txt"].count("a a") == 2


def test_dependencies_are_those_that_pegasus_would_infer(chain, tmp_path):
    """A job waits for exactly those whose outputs it reads."""
    out = compiled(chain / "run.yaml", tmp_path / "out")
    maker = {u["lfn"]: i for i, job in jobs_of(out).items() for u in job["uses"] if u["type"] == "output"}
    inferred = {
        (maker[u["lfn"]], i)
        for i, job in jobs_of(out).items()
        for u in job["uses"]
        if u["type"] == "input" and u["lfn"] in maker
    }
    said = {(e["id"], c) for e in load(out / "workflow.yml")["jobDependencies"] for c in e["children"]}
    assert said == inferred
    assert len(said) == 3 + 3 + 3 + 1


def test_what_a_task_asks_for_is_in_its_profiles(chain, tmp_path):
    """Cores, memory in MiB, run time, priority, label and retries."""
    jobs = jobs_of(compiled(chain / "run.yaml", tmp_path / "out"))
    split = jobs["split"]["profiles"]
    assert split["pegasus"] == {"cores": 1, "memory": 100, "runtime": 90}
    assert split["condor"] == {
        "priority": 5, "+DynamoKind": '"chain/split"', "+DynamoFeatures": '"bytes=6;tasks=1"'
    }  # fmt: skip
    assert split["dagman"] == {"PRIORITY": 5}
    assert jobs["double-0"]["profiles"]["pegasus"]["label"] == "lane-0"
    assert jobs["double-1"]["profiles"]["pegasus"]["label"] == "lane-0"
    assert jobs["join"]["profiles"]["dagman"] == {"retry": 2}
    assert jobs["split"]["metadata"] == {"task": "split", "step": "split"}


def test_a_label_over_two_images_is_none(chain, tmp_path):
    """Tasks that run in different images do not share a job."""
    text = (chain / "chain.py").read_text()
    text = text.replace(
        "    joined = join(",
        '    with fuse("both"):\n        double("twice_0.txt", "x.txt")\n        joined = join(',
    )
    (chain / "chain.py").write_text(text)
    jobs = jobs_of(compiled(chain / "run.yaml", tmp_path / "out"))
    assert "label" not in jobs["join"]["profiles"]["pegasus"]
    assert jobs["double-6"]["profiles"]["pegasus"] == {"cores": 1}


def test_images_are_containers(chain, tmp_path):
    """Docker references by default; the .sif file where Apptainer is preferred."""
    found = load(compiled(chain / "run.yaml", tmp_path / "out") / "transformations.yml")
    containers = {c["name"]: (c["type"], c["image"]) for c in found["containers"]}
    assert containers["tools"] == ("docker", "docker://registry.example.org/tools:1")
    assert containers["default"] == ("docker", "docker://dynamo-worker:0.1.0")
    assert all(t["sites"][0]["container"] == t["namespace"] for t in found["transformations"])


def test_a_preferred_kind_of_container_is_taken():
    """An image that has both is the one that the run file's engine is to use."""
    from dynamo.targets.catalogs import Program, plain, transformations

    image = Image("radar", "radar:1", "/images/radar.sif")
    program = Program("dynamo-worker", "/x", sent=True, image=image)
    (found,) = plain(transformations([program], "apptainer"))["containers"]
    assert found == {
        "name": "radar", "type": "singularity", "image": "file:///images/radar.sif", "image.site": "local",
    }  # fmt: skip


def test_without_a_table_of_images_there_are_no_containers(chain, tmp_path):
    """Then commands too run through dynamo-worker."""
    run = (chain / "run.yaml").read_text()
    (chain / "run.yaml").write_text(run[: run.index("images:")])
    out = compiled(chain / "run.yaml", tmp_path / "out")
    assert {job["name"] for job in jobs_of(out).values()} == {"dynamo-worker"}
    assert "containers" not in load(out / "transformations.yml")


def test_run_times_of_an_earlier_run_are_told(chain, tmp_path):
    """Where a task ran before, its run time stands in the place of its time-out."""
    run = (chain / "run.yaml").read_text()
    (chain / "run.yaml").write_text(run[: run.index("images:")])
    with pytest.raises(SystemExit) as end:
        main(["run", str(chain / "run.yaml"), "--quiet", "--cores", "1"])
    assert end.value.code == 0
    jobs = jobs_of(compiled(chain / "run.yaml", tmp_path / "out"))
    assert jobs["split"]["profiles"]["pegasus"]["runtime"] < 90


def test_a_run_time_workflow_is_refused(tmp_path, capsys):
    """The message names the task and the engines that can."""
    (tmp_path / "w.py").write_text(
        "from dynamo import Input, Output, task, workflow\n"
        "@task\ndef one(source: Input, out: Output) -> None: ...\n"
        "@workflow(runtime=True)\ndef storms(source: Input, out: Output) -> None:\n    one(source, out)\n"
        "@workflow\ndef w(source: Input):\n    storms(source, 'out.txt')\n"
    )
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "run.yaml").write_text("workflow: ./w.py:w\ninputs: {source: a.txt}\n")
    with pytest.raises(SystemExit) as end:
        main(["compile", str(tmp_path / "run.yaml"), "--target", "pegasus", "-o", str(tmp_path / "out")])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "w.py:9: storms describes more of the graph" in said
    assert "engine: htcondor" in said
    assert not (tmp_path / "out").exists()


def test_an_apptainer_folder_is_refused(chain, tmp_path, capsys):
    """Pegasus sends an image as one file."""
    (chain / "box").mkdir()
    run = (
        (chain / "run.yaml")
        .read_text()
        .replace('{docker: "registry.example.org/tools:1"}', "{apptainer: box}")
    )
    (chain / "run.yaml").write_text(run)
    with pytest.raises(SystemExit) as end:
        main(["compile", str(chain / "run.yaml"), "--target", "pegasus", "-o", str(tmp_path / "out")])
    assert end.value.code == 2
    assert "apptainer build tools.sif" in capsys.readouterr().err


def test_without_the_api_the_message_says_what_to_install(chain, tmp_path, capsys, monkeypatch):
    """The Python API of Pegasus is an extra."""
    for name in [
        n
        for n in sys.modules
        if n.startswith(("Pegasus", "dynamo.targets.catalogs", "dynamo.targets.pegasus_jobs"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "Pegasus", None)
    monkeypatch.setitem(sys.modules, "Pegasus.api", None)
    with pytest.raises(SystemExit) as end:
        main(["compile", str(chain / "run.yaml"), "--target", "pegasus", "-o", str(tmp_path / "out")])
    assert end.value.code == 2
    assert "pip install 'dynamo-weather[pegasus]'" in capsys.readouterr().err


#: Text that can be written to a file.
TEXT = st.characters(codec="utf-8")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(TEXT)
)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v) | st.dictionaries(st.text(TEXT, max_size=80), v), max_leaves=20
)


@given(
    st.dictionaries(
        st.text(TEXT, min_size=1, max_size=80) | st.sampled_from(["on", "No", "~", "1"]),
        VALUES,
        min_size=1,
    )
)
def test_yaml_is_read_back_as_it_was(value):
    """Whatever JSON values there are, as PyYAML reads them."""
    assert yaml.safe_load(to_yaml(value)) == value
