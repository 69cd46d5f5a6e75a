"""The published JSON Schema is the model, and agrees with what `load` says."""

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml

from dynamo.runfile import FaultyRunFileError, load, schema
from dynamo.runfile.json_schema import schema_text

GOOD = [
    "workflow: a.b:c",
    "workflow: ./a.py:c\ninputs:\nparams:\n",
    "workflow: a:b\ninputs: {x: a.nc, y: [a, b], z: {files: a, last: 3, within: 10 min, from: '2017-03-29T07:30Z'}}",
    "workflow: a:b\nproducts: {to: 'p/{run}', only: '*.png'}\nengine: {name: local, cores: 1, memory: 1 GiB}",
    "workflow: a:b\nengine: {container: docker}\nimages: {default: a:1, b: {docker: c, apptainer: d, network: true}}",
    "workflow: a:b\nengine: htcondor",
    "workflow: a:b\nengine: {name: htcondor, pool: a, schedd: b, slots: 2, worker: /w, at_once: {plot: 1}}",
    "workflow: a:b\nproducts: p\nengine: local\nworkspace: w\nparams: {x: [1, {y: null}]}",
]
BAD = [
    "inputs: {}", "workflow: 5", "workflow: a:b\ntrigger: 1", "workflow: a:b\ninputs: {x: {last: 3}}",
    "workflow: a:b\ninputs: {x: {files: a, last: 0}}", "workflow: a:b\nengine: slurm",
    "workflow: a:b\ninputs: {x: {files: a, lst: 1}}", "workflow: a:b\nproducts: {only: []}",
    "workflow: a:b\nengine: {cores: null}", "workflow: a:b\nworkspace: ''",
    "workflow: a:b\nengine: {container: podman}", "workflow: a:b\nimages: {a: {dockr: b}}",
    "workflow: a:b\nimages: {a: {docker: 5}}", "workflow: a:b\nimages: [a]",
]  # fmt: skip


def test_the_published_file_is_the_model():
    """`dynamo check --schema > dynamo/runfile/schema.json` makes it anew."""
    assert (files("dynamo.runfile") / "schema.json").read_text() == schema_text()


def test_it_is_a_schema():
    """Of the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("text", GOOD)
def test_what_is_right_is_right_to_both(tmp_path, text):
    """An editor marks nothing that `dynamo check` accepts."""
    jsonschema.validate(yaml.safe_load(text), schema())
    (tmp_path / "run.yaml").write_text(text)
    assert load(tmp_path / "run.yaml").workflow == yaml.safe_load(text)["workflow"]


@pytest.mark.parametrize("text", BAD)
def test_what_is_wrong_is_wrong_to_both(tmp_path, text):
    """An editor marks what `dynamo check` refuses."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), schema())
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(FaultyRunFileError):
        load(tmp_path / "run.yaml")


def test_every_key_is_described():
    """An editor has something to show for each."""
    for part in (schema(), *schema()["$defs"].values()):
        for name, key in part["properties"].items():
            assert key.get("description"), name


def test_the_documented_examples_are_right():
    """Every whole run file in the reference is one."""
    page = Path(__file__).parents[3] / "docs" / "reference" / "run-file.md"
    blocks = [b.split("```")[0] for b in page.read_text().split("```yaml\n")[1:]]
    whole = [
        yaml.safe_load(b) for b in blocks if b.lstrip("# ").startswith("workflow:") or "\nworkflow:" in b
    ]
    assert whole
    for block in whole:
        jsonschema.validate(json.loads(json.dumps(block)), schema())
