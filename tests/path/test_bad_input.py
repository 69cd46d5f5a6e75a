"""What a new user gives the nowcast by mistake: each gets a clear error, and an exit code that says who must act."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.netcdf import read_grid, write_grid
from dynamo.radar.storm import storm

GEOMETRY = Geometry(-98.0, 33.0, 0.01, -0.01, 80, 60)
START = datetime(2026, 3, 25, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def frames() -> list[Grid]:
    return storm("line", 3, 4, geometry=GEOMETRY, start=START)


@pytest.fixture
def case(tmp_path, frames):
    """A run file and four good frames, for each test to spoil."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for grid in frames:
        write_grid(folder / f"radar_{grid.time:%Y%m%dT%H%M%SZ}.nc", grid)
    (tmp_path / "nowcast.yaml").write_text(
        "workflow: dynamo.workflows.nowcast:nowcast\n"
        "inputs: {frames: 'frames/*.nc'}\n"
        "params: {horizon: 2, previews: false}\n"
        "products: products\n"
    )
    return tmp_path


def frame(case: Path, n: int) -> Path:
    return sorted((case / "frames").iterdir())[n]


def run(case: Path, *options: str) -> tuple[int, str, dict]:
    """Run the real command; return its exit code, what it says, and what it reports as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "dynamo.cli", "run", case / "nowcast.yaml", "--json", *options],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr, done.stderr
    summary = json.loads(done.stdout) if done.stdout else {}
    errors = " ".join(f["error"] for f in summary.get("failures", []))
    return done.returncode, done.stderr + errors, summary


def test_good_frames_are_nowcast(case):
    """What the other tests spoil works when it is not spoiled: grid, image, bounds and polygons for 3 leads."""
    code, _, summary = run(case)
    assert code == 0
    assert summary["ran"] == 2 + 3 * 3 + 1
    names = {Path(p).name for p in summary["products"]}
    assert {
        "reflectivity_00.nc",
        "reflectivity_01.png",
        "reflectivity_02.json",
        "polygons_02.geojson",
        "legend.png",
    } <= names


def truncate(path: Path) -> str:
    """Leave the first part of a file, and return its name."""
    path.write_bytes(path.read_bytes()[:1500])
    return path.name


def log_of_ingest(case: Path) -> str:
    (log,) = (case / ".dynamo" / "runs").glob("*/logs/ingest.1.log")
    return log.read_text()


@pytest.mark.parametrize("which", [1, 3])
def test_the_nowcast_goes_on_without_a_truncated_file(case, which):
    """Also where it is the newest: the products begin with the frame before, and all say which file is left out."""
    name = truncate(frame(case, which))
    code, text, summary = run(case)
    assert code == 0, text
    assert f"left out: {name}: is not readable" in log_of_ingest(case)
    made = read_grid(case / "products" / "reflectivity_02.nc")
    assert made.attributes["damaged_files"] == name
    assert made.time == START + timedelta(minutes=(2 if which == 3 else 3) + 2)
    assert summary["ran"] == 2 + 3 * 3 + 1


def test_a_file_that_is_whole_the_next_time_is_taken_in(case):
    """What was made without it is not what is made with it: the content decides."""
    path = frame(case, 3)
    whole = path.read_bytes()
    truncate(path)
    assert run(case)[0] == 0
    path.write_bytes(whole)
    _, _, summary = run(case)
    made = read_grid(case / "products" / "reflectivity_00.nc")
    assert (made.time, "damaged_files" in made.attributes) == (START + timedelta(minutes=3), False)
    assert summary["reused"] == 0


def test_a_truncated_file_is_named_where_it_is_not_to_be_skipped(case):
    """The message names the file, and all that needs it says why it could not run."""
    name = truncate(frame(case, 1))
    code, text, summary = run(case, "--param", "skip_damaged=false")
    assert code == 2
    assert name in text
    assert summary["blocked"] == 1 + 3 * 3 + 1
    assert not (case / "products").exists()


def test_too_few_whole_files_are_told_with_those_that_are_left_out(case):
    """One frame has no motion: the message names the others."""
    names = [truncate(frame(case, n)) for n in (0, 1, 3)]
    code, text, _ = run(case)
    assert code == 2
    assert "at least two frames, there is one, of 2026-03-25 05:02:00Z" in text
    assert f"left out, since they cannot be read: {', '.join(names)};" in text
    assert run(case, "--param", "method=none")[0] == 0, "which needs no second one"


def test_files_of_which_none_can_be_read_are_told(case):
    """How many there are, and what is wrong with the first."""
    names = [truncate(frame(case, n)) for n in range(4)]
    code, text, _ = run(case)
    assert code == 2
    assert f"none of the 4 files can be read; the first: {names[0]}: is not readable" in text


def test_a_folder_in_place_of_a_file_is_named(case):
    """A folder given as a frame is told as such, with its place, before anything runs."""
    runfile = case / "nowcast.yaml"
    runfile.write_text(runfile.read_text().replace("frames/*.nc", "frames"))
    code, text, summary = run(case)
    assert (code, summary) == (2, {})
    assert "nowcast.yaml:2:" in text
    assert "folder" in text or "directory" in text


def test_a_frame_on_another_grid_is_named_by_its_time(case, frames):
    """The message says which frame, how its grid differs, and what would help."""
    other = storm("line", 3, 1, geometry=Geometry(-98.0, 33.0, 0.01, -0.01, 70, 60), start=START)[0]
    write_grid(frame(case, 2), other.with_time(frames[2].time))
    code, text, _ = run(case)
    assert code == 2
    assert "05:02" in text
    assert frame(case, 2).name in text
    assert "60 x 70 cells instead of 60 x 80" in text
    assert "`area` and `cells`" in text


def test_frames_out_of_order_are_put_in_order(case):
    """The time in the data decides, not the order of the names."""
    names = [p.name for p in sorted((case / "frames").iterdir())]
    good = json.dumps(_polygons(case))
    for name, new in zip(names, ("z", "y", "x", "w"), strict=True):
        (case / "frames" / name).rename(case / "frames" / f"{new}.nc")
    assert json.dumps(_polygons(case)) == good


def _polygons(case: Path) -> dict:
    code, text, _ = run(case)
    assert code == 0, text
    return json.loads((case / "products" / "polygons_02.geojson").read_bytes())


def test_a_frame_given_twice_counts_once(case):
    """Two files of the same time are one frame."""
    good = _polygons(case)
    copy = case / "frames" / frame(case, 1).name.replace("radar", "copy")
    copy.write_bytes(frame(case, 1).read_bytes())
    assert _polygons(case) == good


def test_one_frame_is_too_few(case):
    """The message asks for a second frame."""
    for n in (3, 2, 1):
        frame(case, n).unlink()
    code, text, _ = run(case)
    assert code == 2
    assert "at least two" in text


def test_no_frame_at_all_says_where_was_looked(case):
    """The pattern that matches nothing is told with its place in the run file."""
    for n in (3, 2, 1, 0):
        frame(case, n).unlink()
    code, text, _ = run(case)
    assert code == 2
    assert "nowcast.yaml:2:" in text
    assert "frames/*.nc" in text


def test_a_frame_from_the_future_is_refused(case):
    """A file whose name is of tomorrow is a fault of somebody's clock, and is named."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    late = case / "frames" / f"radar_{tomorrow:%Y%m%dT%H%M%SZ}.nc"
    late.write_bytes(frame(case, 0).read_bytes())
    code, text, _ = run(case)
    assert code == 2
    assert late.name in text
    assert "future" in text


def test_a_frame_whose_own_time_is_in_the_future_is_refused(case, frames):
    """The time in the data decides, whatever the file is called: else that frame stays the newest for a year."""
    late = datetime.now(UTC) + timedelta(days=300)
    write_grid(frame(case, 3), frames[3].with_time(late))
    code, text, _ = run(case)
    assert code == 2
    assert f"{late:%Y-%m-%d %H:%M} UTC" in text
    assert f"UTC ({frame(case, 3).name}) is in the future" in text
    assert "clock is wrong" in text


def test_a_missing_variable_is_named_with_what_is_there(case):
    """The message names the variable that was looked for and those the file has."""
    path = frame(case, 3)
    for n in (2, 1, 0):
        frame(case, n).unlink()
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("lat", 3)
        file.createDimension("lon", 3)
        file.createVariable("temperature", "f4", ("lat", "lon"))[:] = 280.0
    code, text, _ = run(case)
    assert code == 2
    assert path.name in text
    assert "temperature" in text


def test_an_outage_is_no_dry_weather(case, frames):
    """A newest frame of which nothing is known ends the run: its file and share are named, nothing is published."""
    nothing = Grid.from_values(np.full(GEOMETRY.shape, np.nan), GEOMETRY, frames[3].time)
    write_grid(frame(case, 3), nothing)
    code, text, _ = run(case)
    assert code == 2
    assert f"05:03 UTC ({frame(case, 3).name}), holds no usable cell" in text
    assert "0 of 4800 are known, 100% missing, 0% out of range; is the radar out?" in text
    assert not (case / "products").exists()


def test_an_earlier_frame_without_any_value_is_legal(case, frames):
    """A gap in the sequence is data: what is missing there plays no part, and the products tell what is known."""
    nothing = Grid.from_values(np.full(GEOMETRY.shape, np.nan), GEOMETRY, frames[0].time)
    write_grid(frame(case, 0), nothing)
    assert 0.5 < _polygons(case)["known_share"] <= 1


def test_an_area_without_data_is_no_dry_weather(case):
    """Coordinates on the wrong side of the globe give no map without rain, but a question about them."""
    code, text, _ = run(case, "--param", "area=[97, 32, 98, 33]", "--param", "cells=[50, 50]")
    assert code == 2
    assert "holds no usable cell in `area` [97" in text
    assert "100% out of range; does `area` (west, south, east, north) lie where the radars look?" in text


def test_a_wrong_parameter_is_told_before_anything_runs(case):
    """The text of the option is shown, with what was expected."""
    code, text, summary = run(case, "--param", "horizon=soon")
    assert (code, summary) == (2, {})
    assert "horizon" in text
    assert "soon" in text


@pytest.mark.parametrize("option", ["horizon=-5", "step=0", "levels=[]", "window=0", "min_points=-1"])
def test_a_parameter_of_which_nothing_can_be_made_is_told_before_anything_runs(case, option):
    """The parameter is named with what was given and expected; it is the user who must act."""
    code, text, summary = run(case, "--param", option)
    assert (code, summary) == (2, {})
    assert f"`{option.partition('=')[0]}`" in text
    assert "expected" in text


def test_an_unknown_method_names_the_known_ones(case):
    """The nearest name is offered."""
    code, text, _ = run(case, "--param", "method=lkk")
    assert code == 2
    assert "did you mean 'lk'" in text


def test_area_without_cells_says_that_they_go_together(case):
    """Half of a pair of parameters is refused in words."""
    code, text, _ = run(case, "--param", "area=[-98, 32, -97, 33]")
    assert code == 2
    assert "go together" in text


def test_a_text_file_among_the_frames_is_no_radar_file(case):
    """The log names the file and the formats that were tried."""
    (case / "frames" / "zz.nc").write_text("not a radar file")
    code, _, _ = run(case)
    text = log_of_ingest(case)
    assert code == 0
    assert "zz.nc" in text
