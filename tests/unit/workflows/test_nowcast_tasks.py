"""The tasks of the nowcast: what they keep does not show, what they refuse they name, what they need is little."""

from __future__ import annotations

import errno
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import geojson_validator
import numpy as np
import orjson
import pytest
from dynamo.workflows import checks, kept
from dynamo.workflows.nowcast import carrier
from dynamo.workflows.nowcast import workflow as chain

from dynamo.errors import DataError, WorkflowError
from dynamo.graph.units import parse_bytes
from dynamo.radar import readers
from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.motion import METHODS, estimate_motion, write_motion
from dynamo.radar.netcdf import read_frames, read_grid, write_frames, write_grid
from dynamo.radar.quantities import QUANTITIES

GEOMETRY = Geometry(-98.0, 33.0, 0.01, -0.01, 100, 80)


def frame(minute: int) -> Grid:
    values = np.full(GEOMETRY.shape, -32.0)
    values[20 + minute : 30 + minute, 20 + minute : 40 + minute] = 40.0
    time = datetime(2026, 3, 25, 5, tzinfo=UTC) + timedelta(minutes=minute)
    return Grid.from_values(values, GEOMETRY, time, undetect=values < 0)


def test_lead_times_of_one_process_are_those_of_many(tmp_path):
    """A task that finds the frame already read writes the same bytes; a frame that changed is read anew."""
    frames = [frame(minute) for minute in (0, 5)]
    write_motion(tmp_path / "motion.nc", estimate_motion(frames))
    outputs = {}
    for number, latest in enumerate(frames):
        write_grid(tmp_path / "latest.nc", latest)
        for state in ("cold", "warm"):
            if state == "cold":
                carrier.carrier.cache_clear()
            for lead in (7, 3):
                out = tmp_path / "grid.nc"
                chain.extrapolate(tmp_path / "latest.nc", tmp_path / "motion.nc", out, lead=lead)
                outputs[number, state, lead] = out.read_bytes()
        assert outputs[number, "cold", 3] == outputs[number, "warm", 3]
        assert outputs[number, "cold", 7] == outputs[number, "warm", 7]
    write_grid(tmp_path / "latest.nc", frames[0])
    chain.extrapolate(tmp_path / "latest.nc", tmp_path / "motion.nc", tmp_path / "grid.nc", lead=3)
    assert (tmp_path / "grid.nc").read_bytes() == outputs[0, "cold", 3]


def test_products_do_not_depend_on_who_has_read_the_grid(tmp_path):
    """An image and polygons are the same in the process that wrote the grid and in one that reads it."""
    frames = [frame(minute) for minute in (0, 5)]
    write_grid(tmp_path / "latest.nc", frames[-1])
    write_motion(tmp_path / "motion.nc", estimate_motion(frames))
    made = []
    for state in ("written", "read"):
        folder = tmp_path / state
        folder.mkdir()
        chain.extrapolate(tmp_path / "latest.nc", tmp_path / "motion.nc", folder / "grid.nc", lead=7.5)
        (folder / "grid.nc").rename(folder / "kept.nc")
        assert len(kept._LAST) == 1
        if state == "read":
            kept._LAST.clear()
        chain.plot(folder / "kept.nc", folder / "image.png", folder / "bounds.json")
        chain.contour(folder / "kept.nc", folder / "polygons.geojson", levels=[20.0, 35.0])
        made.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert made[0] == made[1]


def test_a_file_that_was_changed_is_read_anew(tmp_path):
    """What is kept of the last grid is never taken for another one, even under the same name."""
    for minute in (0, 5):
        write_grid(tmp_path / "grid.nc", frame(minute))
        chain.plot(tmp_path / "grid.nc", tmp_path / "image.png", tmp_path / "bounds.json")
        assert (
            orjson.loads((tmp_path / "bounds.json").read_bytes())["valid_time"]
            == f"2026-03-25T05:{minute:02}:00Z"
        )


@pytest.mark.parametrize("flow", [chain.nowcast, chain.split])
@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"horizon": -5}, "`horizon` is -5; expected 0 or more"),
        ({"step": 0}, "`step` is 0; expected 1 or more"),
        ({"step": -1}, "`step` is -1; expected 1 or more"),
        ({"levels": []}, "`levels` is empty; expected one level or more"),
        (
            {"levels": (35.0, float("nan"))},
            r"`levels` is \[35.0, nan\]; expected finite numbers above -32 dBZ",
        ),
        ({"levels": [float("inf")]}, r"`levels` is \[inf\]; expected finite numbers"),
        ({"levels": [-32, 35]}, r"`levels` is \[-32, 35\]; expected finite numbers above -32 dBZ"),
        ({"levels": [35, 20, 35.0]}, r"`levels` is \[35, 20, 35.0\]; expected each level once"),
        ({"min_points": -1}, "`min_points` is -1; expected 0 or more"),
    ],
)
def test_parameters_of_which_nothing_could_be_made_are_refused(flow, params, says):
    """Which parameter, what was given and what is expected, while the workflow is described."""
    inputs = ["a.nc", "b.nc"] if flow is chain.nowcast else "a.nc"
    with pytest.raises(WorkflowError, match=says):
        flow(inputs, **params)


AREA, CELLS = (-98.0, 31.8, -96.0, 33.4), (400, 400)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        (
            {"area": (-96.0, 31.8, -98.0, 33.4)},
            r"`area` is \[-96.0, 31.8, -98.0, 33.4\]; expected west, south",
        ),
        ({"area": (-98.0, 33.4, -96.0, 31.8)}, "`area` is .*south < north"),
        ({"area": (-198.0, 31.8, -96.0, 33.4)}, "`area` is .*-180 to 180"),
        ({"area": (-98.0, 31.8, -96.0, 93.4)}, "`area` is .*-90 to 90"),
        ({"area": (-98.0, 31.8, float("nan"), 33.4)}, "`area` is .*expected west"),
        ({"area": (-98.0, 31.8, -96.0)}, "`area` is .*expected west"),
        ({"cells": (400,)}, r"`cells` is \[400\]; expected columns, rows: two whole numbers of 32 or more"),
        ({"cells": (400, 0)}, "`cells` is .*32 or more"),
        ({"cells": (400, 31)}, "`cells` is .*32 or more"),
        ({"cells": (400.5, 400)}, "`cells` is .*whole numbers"),
        ({"cells": None}, "`area` is given without `cells`"),
        ({"area": None}, "`cells` is given without `area`"),
        ({"every": 0.0}, "`every` is 0.0; expected more than 0 minutes"),
        ({"every": float("nan")}, "`every` is nan; expected more than 0 minutes"),
        ({"window": -1.0}, "`window` is -1.0; expected more than 0 minutes"),
        ({"highest": 0.0}, "`highest` is 0.0; expected more than 0 degrees"),
    ],
)
def test_a_grid_that_cannot_be_is_refused_before_anything_runs(params, says):
    """Each names the parameter, what was given, and what is expected."""
    with pytest.raises(WorkflowError, match=says):
        chain.nowcast(["a.nc", "b.nc"], **{"area": AREA, "cells": CELLS, **params})


def test_the_floor_of_levels_is_that_of_reflectivity():
    """What stands for "nothing detected" is written down twice, and is one number."""
    assert QUANTITIES["reflectivity"].floor == checks.FLOOR


def test_a_nowcast_is_described_without_numpy():
    """`dynamo plan` and `dynamo check` need not wait for it."""
    code = (
        "import sys; from dynamo.workflows.nowcast import nowcast; "
        "nowcast(['a.nc'], area=(-98, 31, -96, 33), cells=(50, 50)); print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_grid_that_can_be_is_not_refused():
    """The whole world, and the smallest grid."""
    assert chain.nowcast(["a.nc"], area=(-180, -90, 180, 90), cells=[32, 32], highest=0.5, window=4).tasks


@pytest.mark.parametrize("flow", [chain.nowcast, chain.split])
def test_the_animation_of_many_lead_times_shows_some_of_them(flow):
    """61 at most, evenly, the first and the last among them; all of them where there are no more."""
    source = ["a.nc"] if flow is chain.nowcast else "a.nc"
    for horizon, count in ((30, 31), (60, 61), (61, 61), (720, 61)):
        (film,) = (t for t in flow(source, horizon=horizon).tasks.values() if t.step == "animate")
        leads = [int(name[len("reflectivity_") : -len(".nc")]) for name in film.inputs["grids"]]
        assert (len(leads), leads[0], leads[-1]) == (count, 0, horizon)
        steps = np.diff(leads)
        assert 1 <= steps.min() <= steps.max() <= steps.min() + 1


def test_the_methods_of_motion_are_those_there_are():
    """The workflow names them all, so that a run file with another is refused before anything runs."""
    assert set(get_args(chain.Method)) == METHODS.keys()


def test_a_method_that_is_not_installed_is_refused_before_anything_runs(monkeypatch):
    """It names the package to install, while the workflow is described."""
    monkeypatch.setattr(chain, "find_spec", lambda _: None)
    with pytest.raises(WorkflowError, match=r"pip install 'dynamo-weather\[pysteps\]'"):
        chain.nowcast(["a.nc", "b.nc"], method="pysteps")


@pytest.mark.parametrize(
    ("levels", "outlines"),
    [
        ([30.0], [30.0]),
        ([30.0, 40.0], [40.0]),
        ([20.0, 35.0, 45.0], [35.0, 45.0]),
        (chain.LEVELS, [35.0, 45.0]),
    ],
)
@pytest.mark.parametrize("flow", [chain.nowcast, chain.split])
def test_the_contact_sheet_always_has_an_outline(flow, levels, outlines):
    """The middle levels are drawn, and of a single level that one."""
    graph = flow(["a.nc"] if flow is chain.nowcast else "a.nc", levels=levels)
    (sheet,) = (task for task in graph.tasks.values() if task.step == "sheet")
    assert list(sheet.params["levels"]) == outlines


@pytest.mark.parametrize("flow", [chain.nowcast, chain.split])
def test_there_is_a_legend_with_and_without_previews(flow):
    """It hangs on one grid alone: not on the previews, and where no grid can be had there is none."""
    for previews in (True, False):
        graph = flow(["a.nc"] if flow is chain.nowcast else "a.nc", previews=previews)
        (legend,) = (task for task in graph.tasks.values() if task.step == "legend")
        grid = "latest.nc" if flow is chain.nowcast else "reflectivity_00.nc"
        assert (legend.inputs, legend.outputs) == ({"grid": grid}, {"image": "legend.png"})


def test_a_small_machine_has_room_for_the_nowcast():
    """What each task declares is measured on 1000 x 1000 cells: 1 GiB at most, half of it for one lead time."""
    graph = chain.nowcast(["a.nc"])
    most: dict[str, int] = {}
    for task in graph.tasks.values():
        most[task.step] = max(most.get(task.step, 0), task.needs.memory)
    half = {"extrapolate", "plot", "contour", "legend"}
    assert most == {step: parse_bytes("512 MiB" if step in half else "1 GiB") for step in most}


def ingest_at(folder, *times):
    paths = []
    for number, time in enumerate(times):
        paths.append(folder / f"frame_{number}.nc")
        write_grid(paths[-1], frame(number).with_time(time))
    chain.ingest(paths, folder / "frames.nc", folder / "latest.nc")


def test_a_frame_of_a_time_to_come_is_refused(tmp_path):
    """The message names the time and the file, and says that a clock is wrong."""
    late = datetime.now(UTC) + timedelta(days=300)
    with pytest.raises(
        DataError, match=rf"{late:%Y-%m-%d %H:%M} UTC \(frame_1\.nc\) is in the future.*clock is wrong"
    ):
        ingest_at(tmp_path, late - timedelta(days=400), late)
    assert not (tmp_path / "latest.nc").exists()


def sweep(radar, minute, second=0):
    """What a sweep is once it lies on a grid."""
    attributes = {"radar": radar, "elevation": 1.0}
    time = datetime(2026, 3, 25, 5, tzinfo=UTC) + timedelta(minutes=minute, seconds=second)
    return replace(frame(minute), source=radar, attributes=attributes, time=time)


def ingest_sweeps(folder, sweeps, **params):
    """Give `ingest` sweeps of each radar in a file of its own, read as if it were of that radar's format."""
    files = {}
    for number, one in enumerate(sweeps):
        files[folder / f"{one.source}_{number}.nc"] = one
        write_grid(folder / f"{one.source}_{number}.nc", one)
    chain.ingest(list(files), folder / "frames.nc", folder / "latest.nc", **params)
    return read_grid(folder / "latest.nc"), read_frames(folder / "frames.nc")


def test_a_radar_that_the_newest_composite_lacks_is_named(tmp_path, capsys):
    """In the log with the time of its last sweep, in both files; the sequence still has it as a source."""
    sweeps = [sweep("north", minute) for minute in range(6)] + [sweep("south", 0), sweep("south", 2, 30)]
    latest, frames = ingest_sweeps(tmp_path, sweeps, window=2.5)
    said = capsys.readouterr().err
    assert said == (
        "not in the newest composite, of 2026-03-25 05:05 UTC: south (last sweep 05:02:30); "
        "in a composite are sweeps of the last 2.5 min (`window`)\n"
    )
    assert (latest.source, latest.attributes["absent_radars"]) == ("north", "south")
    assert {(g.source, g.attributes["absent_radars"]) for g in frames} == {("north, south", "south")}


def test_nothing_is_said_of_radars_that_are_all_there(tmp_path, capsys):
    """A wider window takes the same sweep in."""
    sweeps = [sweep("north", minute) for minute in range(6)] + [sweep("south", 0), sweep("south", 2, 30)]
    latest, _ = ingest_sweeps(tmp_path, sweeps, window=4.0)
    assert capsys.readouterr().err == ""
    assert latest.source == "north, south"
    assert "absent_radars" not in latest.attributes


def test_sweeps_of_which_nothing_is_known_are_named(tmp_path):
    """Those of the newest composite, by their files."""
    sweeps = [sweep("north", minute) for minute in range(3)]
    empty = np.full(GEOMETRY.shape, np.nan)
    for late in (4, 5):
        nothing = Grid.from_values(empty, GEOMETRY, sweep("north", late).time, out_of_range=empty != 0)
        sweeps.append(replace(nothing, source="north", attributes=sweep("north", 0).attributes))
    with pytest.raises(
        DataError, match=r"of 2026-03-25 05:05 UTC \(north_3.nc, north_4.nc\), holds no usable"
    ):
        ingest_sweeps(tmp_path, sweeps, window=2.0)


@pytest.mark.parametrize("which", [1, -1])
@pytest.mark.parametrize(("pattern", "share"), [("casa/cleburne*.gz", 0.4), ("frames/RAD_NL25*.h5", 0.9)])
def test_real_files_that_were_cut_off_are_as_if_they_were_not_there(
    samples, tmp_path, capsys, pattern, share, which
):
    """The frames are those of the others, but for the name of what is left out; in the middle, and the newest."""
    files = sorted(samples.glob(pattern))[:4]
    cut = tmp_path / files[which].name
    cut.write_bytes(files[which].read_bytes()[: int(files[which].stat().st_size * share)])
    others = [file for file in files if file.name != cut.name]
    made = {}
    for name, given in (("with", [cut, *others]), ("without", others)):
        chain.ingest(given, tmp_path / f"{name}.nc", tmp_path / f"{name}_latest.nc")
        made[name] = [*read_frames(tmp_path / f"{name}.nc"), read_grid(tmp_path / f"{name}_latest.nc")]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"left out: {cut.name}: is ")
    assert {grid.attributes["damaged_files"] for grid in made["with"]} == {cut.name}
    for one, other in zip(made["with"], made["without"], strict=True):
        assert (one.time, one.geometry, one.source) == (other.time, other.geometry, other.source)
        assert np.array_equal(one.values, other.values, equal_nan=True)
        assert np.array_equal(one.status, other.status)


def test_what_the_machine_did_wrong_is_no_fault_of_a_file(tmp_path, monkeypatch):
    """It may be read the next time, so nothing is made, and kept, without it."""
    write_grid(tmp_path / "a.nc", frame(0))
    write_grid(tmp_path / "b.nc", frame(1))

    def no_more_files(path, **_):
        raise DataError(f"{path}: cannot be read") from OSError(errno.EMFILE, "Too many open files")

    whole = readers.find
    monkeypatch.setattr(
        readers,
        "find",
        lambda path, **given: (no_more_files if path.name == "b.nc" else whole)(path, **given),
    )
    with pytest.raises(DataError, match=r"b\.nc: cannot be read"):
        chain.ingest([tmp_path / "a.nc", tmp_path / "b.nc"], tmp_path / "frames.nc", tmp_path / "latest.nc")


def test_a_clock_may_be_a_little_fast(tmp_path):
    """Ten minutes ahead are forgiven: that is not yet a wrong day or zone."""
    now = datetime.now(UTC).replace(microsecond=0)
    ingest_at(tmp_path, now, now + timedelta(minutes=9))
    assert (tmp_path / "latest.nc").exists()


def test_a_missing_step_is_named_with_those_there_are(tmp_path):
    """Who asks for a step that the forecast lacks is told which it has."""
    steps = [replace(frame(lead), lead_minutes=float(lead)) for lead in (0, 5, 10)]
    write_frames(tmp_path / "forecast.nc", steps)
    with pytest.raises(DataError, match=r"forecast\.nc holds no step of 7 min; there are 0, 5, 10"):
        chain.take(tmp_path / "forecast.nc", tmp_path / "grid.nc", lead=7)


@pytest.mark.parametrize(("min_points", "count"), [(12, 0), (0, 1)])
def test_polygons_of_a_single_pixel_are_a_valid_file(tmp_path, min_points, count):
    """The outline of one cell has fewer than 12 positions: what is left is a collection, still valid."""
    values = np.full(GEOMETRY.shape, -32.0)
    values[30, 40] = 50.0
    write_grid(tmp_path / "grid.nc", Grid.from_values(values, GEOMETRY, frame(0).time, undetect=values < 0))
    chain.contour(tmp_path / "grid.nc", tmp_path / "p.geojson", levels=[35.0], min_points=min_points)
    collection = orjson.loads((tmp_path / "p.geojson").read_bytes())
    assert collection["type"] == "FeatureCollection"
    assert len(collection["features"]) == count
    assert geojson_validator.validate_structure(collection) == {}
    assert geojson_validator.validate_geometries(collection)["invalid"] == {}
