"""Every slice in `examples/slices` is right: by its schema, its form, its sense, and what its drivers know."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from dynamo.fleet.credentials import Credentials
from dynamo.fleet.slice_checks import check, load
from dynamo.fleet.slice_file import read, schema
from dynamo.fleet.slice_plan import plan
from dynamo.fleet.slice_world import World

FOLDER = Path(__file__).parents[3] / "examples" / "slices"
SLICES = sorted(path for path in FOLDER.iterdir() if path.suffix in {".yaml", ".json"})
AWS = "[radar]\naws_access_key_id = x\naws_secret_access_key = y\n"
CLOUDS = {"clouds": {name: {"auth": {"auth_url": "https://x"}} for name in ("chameleon", "jetstream2")}}


@pytest.fixture
def credentials(tmp_path, monkeypatch):
    """Those that the examples name."""
    (tmp_path / "aws").write_text(AWS)
    (tmp_path / "clouds.yaml").write_text(yaml.safe_dump(CLOUDS))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws"))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    monkeypatch.setenv("CAMPUS_AUTH_URL", "https://campus.example.org")


def test_there_are_five():
    """On a laptop, with Docker and without; on one cloud; on a reservation with another behind; on two joined."""
    assert [path.name for path in SLICES] == [
        "chameleon-aws.json", "laptop.yaml", "one-cloud.json", "one-laptop.yaml", "two-openstacks.yaml"
    ]  # fmt: skip


@pytest.mark.parametrize("path", SLICES, ids=lambda path: path.name)
@pytest.mark.usefixtures("credentials")
def test_an_example_is_right(path):
    """The drivers are those that are installed; from an empty world, the least is planned."""
    text = path.read_text()
    plain = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    jsonschema.validate(plain, schema())
    slice_ = load(path)
    names = slice_.providers
    world = World({name: [] for name in names}, {name: [] for name in names}, {name: [] for name in names})
    made = plan(slice_, world).changes
    machines = sum(step.count for step in made if step.kind == "machine")
    assert machines == sum(group.fewest for group in slice_.nodes.values())
    assert sum(step.kind == "network" for step in made) == sum(len(n.spans) for n in slice_.networks.values())


def slices_on_pages():
    """The slices in JSON on the pages of the site."""
    for page in sorted((FOLDER.parents[1] / "docs").rglob("*.md")):
        for block in page.read_text().split("```json\n")[1:]:
            text = block.partition("```")[0]
            if '"slice":' in text and '"nodes":' in text:
                yield pytest.param(text, id=f"{page.name}-{text[:20].split()[-1]}")


@pytest.mark.parametrize("text", list(slices_on_pages()))
def test_a_slice_on_a_page_is_right(text):
    """By its schema, its form, and its sense, but for credentials that only its reader has."""
    jsonschema.validate(json.loads(text), schema())
    draft = read("page.json", text)
    check(draft, find=lambda named: Credentials({}, named))
    draft.sound()


def test_every_key_is_in_the_reference():
    """By the tables that they are read by."""
    text = (FOLDER.parents[1] / "docs/reference/slice.md").read_text()
    for part in (schema(), *schema()["$defs"].values()):
        for key in part["properties"]:
            assert f"`{key}`" in text or f"`{{{key}:" in text or f" {key}: 4 GiB}}`" in text, key


def test_the_readme_names_every_one():
    """Who looks for one finds it."""
    readme = (FOLDER / "README.md").read_text()
    assert all(f"`{path.name}`" in readme for path in SLICES)
