"""`dynamo new`: what it makes works at once, and it never overwrites."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import jsonschema
import numpy as np
import pytest
import yaml

import dynamo
from dynamo.cli import main
from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.netcdf import write_grid
from dynamo.radar.quantity import to_reflectivity
from dynamo.runfile import prepare
from dynamo.worker.loading import load_module


def new(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["new", *map(str, arguments)])
    return ended.value.code


@pytest.fixture(scope="module")
def skeleton(tmp_path_factory):
    """A skeleton called my-storms."""
    folder = tmp_path_factory.mktemp("new")
    assert new("my-storms", "--to", folder) == 0
    return folder / "my-storms"


def test_the_skeleton_is_a_run_file_that_is_right(skeleton):
    """Twelve frames are measured, tabulated and drawn."""
    got = prepare(skeleton / "my-storms.yaml")
    assert {step: len(ids) for step, ids in got.graph.steps.items()} == {
        "measure": 12,
        "tabulate": 1,
        "draw": 1,
    }
    assert got.workflow.signature.name == "my_storms"
    assert got.data_time is not None


def test_its_tasks_work_as_functions(skeleton, tmp_path):
    """From a frame to the chart, called as the engine would call them."""
    own = load_module(str(skeleton / "workflow.py"))
    frames = sorted(skeleton.glob("frames/*.nc"))[:3]
    for n, frame in enumerate(frames):
        own.measure(frame, tmp_path / f"{n}.json", threshold=40.0)
    own.tabulate([tmp_path / f"{n}.json" for n in (2, 0, 1)], tmp_path / "storms.csv")
    own.draw(tmp_path / "storms.csv", tmp_path / "storms.png", threshold=40.0)
    lines = (tmp_path / "storms.csv").read_text().splitlines()
    assert lines[0] == "time,area_km2,maximum_dbz"
    assert lines[1:] == sorted(lines[1:])
    assert float(lines[1].split(",")[2]) >= 40
    assert (tmp_path / "storms.png").read_bytes().startswith(b"\x89PNG")


def test_rain_rates_are_measured_in_dbz(skeleton, tmp_path):
    """A frame in mm/h, as some networks send it, has the area and the maximum of the same rain in dBZ."""
    own = load_module(str(skeleton / "workflow.py"))
    geometry = Geometry(-98.0, 33.0, 0.01, -0.01, 40, 40)
    time = datetime(2024, 6, 1, 12, tzinfo=UTC)
    rain = Grid.from_values(np.full((40, 40), 50.0), geometry, time, quantity="rain_rate")
    for grid in (rain, to_reflectivity(rain)):
        write_grid(tmp_path / f"{grid.quantity}.nc", grid)
        own.measure(tmp_path / f"{grid.quantity}.nc", tmp_path / f"{grid.quantity}.json", threshold=45.0)
    one, other = (json.loads((tmp_path / f"{q}.json").read_text()) for q in ("rain_rate", "reflectivity"))
    assert one["maximum_dbz"] == pytest.approx(
        other["maximum_dbz"], abs=0.25
    )  # dBZ is stored in steps of 0.5
    assert one["area_km2"] == other["area_km2"]
    assert one["area_km2"] > 0


def test_a_frame_that_was_measured_is_not_measured_again(skeleton, tmp_path):
    """A minute later, with a new frame there and the oldest gone, one frame of the twelve is new."""
    folder = tmp_path / "rolling"
    shutil.copytree(skeleton, folder)
    newest = max(folder.glob("frames/*.nc"))
    newest.rename(folder / newest.name)
    first = dynamo.run(prepare(folder / "my-storms.yaml").graph, workspace=folder / "w", inline=True)
    (folder / newest.name).rename(newest)
    second = dynamo.run(prepare(folder / "my-storms.yaml").graph, workspace=folder / "w", inline=True)
    assert (first.ran, first.reused) == (14, 0)
    assert (second.ran, second.reused) == (3, 11)


def test_its_own_tests_pass(skeleton):
    """As the user would run them."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(skeleton)],
        cwd=skeleton, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_editors_are_helped(skeleton):
    """The run file names the schema beside it, and fits it."""
    text = (skeleton / "my-storms.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=./run-file.schema.json\n")
    jsonschema.validate(yaml.safe_load(text), json.loads((skeleton / "run-file.schema.json").read_text()))


def test_no_placeholder_is_left(skeleton):
    """In no file of it."""
    for path in skeleton.iterdir():
        if path.is_file():
            assert "my_chain" not in path.read_text(), path


def test_nothing_is_overwritten(tmp_path, capsys):
    """A folder with anything in it, or a file, stays as it is; an empty folder is filled."""
    (tmp_path / "a1").mkdir()
    (tmp_path / "a1" / "mine.txt").write_text("mine")
    (tmp_path / "b1").write_text("mine")
    for name in ("a1", "b1"):
        assert new(name, "--to", tmp_path) == 2
        assert "is there already" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a1", "b1"]
    (tmp_path / "c1").mkdir()
    assert new("c1", "--to", tmp_path) == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("1st", "is no name"), ("a b", "is no name"), ("../x", "is no name"), ("", "is no name"), ("été", "is no name"),
        ("class", "word of Python"), ("match", "word of Python"), ("measure", "the skeleton itself uses"),
        ("dynamo", "a module that every run needs"), ("json", "a module that every run needs"),
        ("list", "the skeleton itself uses"), ("workflow", "the skeleton itself uses"),
    ],
)  # fmt: skip
def test_a_name_that_would_not_work_is_refused(tmp_path, capsys, name, words):
    """Before anything is written."""
    assert new(name, "--to", tmp_path) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
