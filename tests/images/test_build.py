"""The images that come with dynamo, built and looked at on real Docker."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from dynamo.errors import InfrastructureError, UserError
from dynamo.images.base import base_image
from dynamo.images.build import RECIPES, build, reference_of
from dynamo.images.check import check_calls, check_image
from dynamo.images.labels import code_here, version_here
from dynamo.images.wheel import make_wheel
from dynamo.images.wheels import fetch

ROOT = Path(__file__).resolve().parents[2]


def dynamo(*arguments, code=0, folder=None):
    """Run the command line and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "dynamo.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def test_the_wheel_is_what_is_installed_and_the_same_each_time():
    """With the workflows, the recipes, the data and the entry points."""
    name, content = make_wheel()
    assert content == make_wheel()[1]
    assert name == f"dynamo_weather-{version_here()}-py3-none-any.whl"
    inside = zipfile.ZipFile(BytesIO(content)).namelist()
    assert len(inside) == len(set(inside))
    for path in (
        "dynamo/worker/__main__.py",
        "dynamo/workflows/nowcast/workflow.py",
        "dynamo/containers/worker/Dockerfile",
        "dynamo/runfile/schema.json",
        f"dynamo_weather-{version_here()}.dist-info/entry_points.txt",
    ):
        assert path in inside, path


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_recipe_is_locked_with_digests(recipe):
    """All of a lock, so that pip takes nothing else."""
    lock = (ROOT / "containers" / recipe / "requirements.lock").read_text()
    pins = [line for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
    assert pins
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert lock.count("--hash=sha256:") >= len(pins)


def test_the_lock_has_all_that_dynamo_depends_on():
    """A dependency that is added is locked too."""
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = (ROOT / "containers" / "algorithms" / "requirements.lock").read_text().lower().replace("_", "-")
    for text in project["dependencies"]:
        name = Requirement(text).name.lower().replace("_", "-")
        assert f"\n{name}==" in lock, name


def test_the_image_runs_as_no_root_with_the_dynamo_of_here(docker, worker_image):
    """Found out in a container of it, not from its labels alone."""
    assert [finding.text for finding in check_image(docker, worker_image) if not finding.ok] == []
    user = docker.containers.run(worker_image, ["id", "-u"], remove=True).decode().strip()
    assert user == "1000"
    assert docker.images.get(worker_image).attrs["Size"] < 250 << 20
    listed = json.loads(dynamo("image", "list", "--json"))
    assert {"name": worker_image, "version": version_here(), "same": True}.items() <= {
        **next(one for one in listed if one["name"] == worker_image)
    }.items()


def test_building_again_changes_nothing(docker, monkeypatch):
    """All steps are as they were, so the image keeps its digest, and with it the results of its tasks."""
    ours = make_wheel()
    monkeypatch.setattr("dynamo.images.build.make_wheel", lambda: ours)
    first, second = (build(docker, "worker", tell=lambda _: None).id for _ in range(2))
    assert second == first


def test_an_image_of_somebody_as_root_is_told(docker, tmp_path):
    """As is one that is not here."""
    base = base_image(docker)
    findings = check_image(docker, base.id)
    assert [f.ok for f in findings] == [False, True]
    assert "its user is root; give it another" in findings[0].text
    told = dynamo("image", "check", "dynamo-worker:nowhere", code=2)
    assert "FAILED dynamo-worker:nowhere is not on this machine" in told


def test_what_cannot_be_imported_in_an_image_is_told_before_a_run(docker, worker_image, tmp_path):
    """By the function's name and the missing module."""
    (tmp_path / "flow.py").write_text(
        "from dynamo import Input, Output, task, workflow\n\n"
        "@task\ndef fine(frame: Input, out: Output) -> None: ...\n\n"
        "@workflow\ndef flow(frame: Input) -> None:\n    fine(frame, 'a')\n"
    )
    (tmp_path / "frame").touch()
    (tmp_path / "run.yaml").write_text(
        "workflow: ./flow.py:flow\ninputs: {frame: frame}\n"
        f"engine: {{container: docker}}\nimages: {{default: '{worker_image}'}}\n"
    )
    assert "flow.py:fine can be imported" in dynamo("image", "check", "run.yaml", folder=tmp_path)
    (tmp_path / "lacks.py").write_text("import numpy\n\ndef f(): ...\n")
    (finding,) = check_calls(docker, worker_image, [f"{tmp_path}/lacks.py:f"], [], [str(tmp_path)])
    assert not finding.ok
    assert "numpy" in finding.text


def test_what_cannot_be_had_is_told(docker, tmp_path):
    """A base that is nowhere, a recipe, a kind of machine, a library."""
    with pytest.raises(UserError, match="no base image no-such-image:1"):
        base_image(docker, "no-such-image:1")
    with pytest.raises(UserError, match=r"no recipe 'algoritms' \(did you mean 'algorithms'\?\)"):
        build(docker, "algoritms")
    lock = tmp_path / "requirements.lock"
    lock.write_text("orjson==3.10.0 --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(UserError, match="no images for machines of kind 's390x'"):
        fetch(lock, tmp_path, "s390x")
    with pytest.raises(InfrastructureError, match="pip cannot fetch the libraries of"):
        fetch(lock, tmp_path, "x86_64")


def test_the_code_that_runs_tasks_is_known_by_its_digest():
    """The same each time; hexadecimal."""
    assert code_here() == code_here()
    int(code_here(), 16)


def test_the_recipe_of_a_cut_off_site_can_be_executed():
    """By its owner, also once installed."""
    script = ROOT / "containers" / "base" / "debootstrap.sh"
    assert script.stat().st_mode & stat.S_IXUSR
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
    assert reference_of("worker") == f"dynamo-worker:{version_here()}"
    assert os.access(script, os.X_OK)
