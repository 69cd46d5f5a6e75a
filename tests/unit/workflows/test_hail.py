"""The hail chains: each sweep to its classes, each volume to its sizes, and what becomes of those that are wrong."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from dynamo.workflows.hail import hail, hail_size, workflow
from dynamo.workflows.hail.tasks import MEASURES, compose, identify, measure
from dynamo.workflows.products import contour

from dynamo.errors import DataError, UserError, WorkflowError
from dynamo.radar.environment import MIN_BETWEEN
from dynamo.radar.grid import Cell
from dynamo.radar.hail import FITS
from dynamo.radar.netcdf import read_grid
from dynamo.radar.polar import cell_heights
from dynamo.radar.readers import read_sweeps

AREA, CELLS = (-97.99, 31.775, -96.16, 33.525), (366, 350)
PLACE = {"area": AREA, "cells": CELLS}
PLACE_OF_LEMA = {"area": (8.3, 45.8, 8.9, 46.3), "cells": (200, 220)}  # 0.25 km, as the gates
LEVELS = {"freezing_level": 4100.0, "minus20_level": 7000.0}


def newest(samples: Path, radar: str) -> Path:
    return max((samples / "casa").glob(f"{radar}*.gz"))


@pytest.fixture(scope="module")
def classes(samples, tmp_path_factory) -> dict[str, Path]:
    """The classes of the newest sweep of each radar."""
    folder = tmp_path_factory.mktemp("classes")
    made = {}
    for radar in ("addison", "cleburne", "denton"):
        made[radar] = folder / f"{radar}.nc"
        identify(newest(samples, radar), made[radar], **PLACE, **LEVELS)
    return made


@pytest.mark.parametrize("radar", ["addison", "cleburne", "denton"])
def test_each_radar_of_the_network_has_its_classes(classes, radar):
    """On the network's grid, around the radar and nowhere else, each cell one of the six."""
    grid = read_grid(classes[radar])
    assert (grid.quantity, grid.source) == ("hail_class", f"{radar}.tx")
    assert grid.geometry.shape == (350, 366)
    assert grid.geometry.extent == pytest.approx(AREA)
    known = grid.values[grid.known]
    assert set(np.unique(known)) <= {0, 1, 2, 3, 4, 5}
    assert np.count_nonzero(known >= 1) > 500
    assert np.count_nonzero(grid.status == Cell.OUT_OF_RANGE) > 0.4 * grid.status.size
    assert grid.attributes["freezing_level_m"] == 4100
    assert grid.attributes["environment"] == "given"


def test_no_cell_loses_hail_that_one_of_its_gates_has(samples, tmp_path):
    """27 gates of hail, each smaller than a cell and none in the middle of one: they are on the map and outlined."""
    (sweep,) = (samples / "casa").glob("addison*073436*")
    identify(sweep, tmp_path / "classes.nc", **PLACE, freezing_level=4811.0, minus20_level=7596.0)
    compose([tmp_path / "classes.nc"], tmp_path / "hail.nc", level=3.5)
    made = read_grid(tmp_path / "hail.nc")
    assert np.count_nonzero(made.values >= 4) == 5
    contour(
        tmp_path / "hail.nc", levels=[3.5], hazard="HAIL", min_points=4, polygons=tmp_path / "hail.geojson"
    )
    assert json.loads((tmp_path / "hail.geojson").read_text())["features"]


def test_a_composite_names_its_radars_with_the_times_of_their_sweeps(classes, tmp_path, capsys):
    """It is the worst of all; one that should be there and is not is told, also in the log."""
    compose(list(classes.values()), tmp_path / "hail.nc", expected=["addison.tx", "frisco.tx"])
    made = read_grid(tmp_path / "hail.nc")
    assert made.time == datetime(2017, 3, 29, 7, 40, 28, tzinfo=UTC)
    assert made.source == "addison.tx, cleburne.tx, denton.tx"
    assert made.attributes["radars"].startswith(
        "addison.tx 07:40:28, cleburne.tx 07:39:49, denton.tx 07:38:27"
    )
    assert made.attributes["absent_radars"] == "frisco.tx"
    assert capsys.readouterr().err == "absent radars: frisco.tx\n"
    single = [read_grid(path).values for path in classes.values()]
    np.testing.assert_array_equal(made.values, np.fmax.reduce(single))


def test_a_file_that_is_cut_off_stands_for_nothing(samples, classes, tmp_path, capsys):
    """The others make the composite, and it names the file; the log of the task has the reason."""
    cut = tmp_path / "addison.tx-cut.netcdf.gz"
    cut.write_bytes(newest(samples, "addison").read_bytes()[:30_000])
    identify(cut, tmp_path / "cut.nc", **PLACE, **LEVELS)
    said = capsys.readouterr().err
    assert said.startswith("left out: addison.tx-cut.netcdf.gz: is a truncated")
    assert str(tmp_path) not in said
    compose([tmp_path / "cut.nc", classes["denton"]], tmp_path / "hail.nc")
    made = read_grid(tmp_path / "hail.nc")
    assert made.attributes["damaged_files"] == "addison.tx-cut.netcdf.gz"
    np.testing.assert_array_equal(made.values, read_grid(classes["denton"]).values)


def test_where_nothing_is_left_the_composite_says_why(samples, tmp_path):
    """Not an empty map: nobody may take it for fine weather."""
    (tmp_path / "cut.gz").write_bytes(newest(samples, "denton").read_bytes()[:10_000])
    (tmp_path / "notes.txt").write_text("no radar file\n")
    for name in ("cut.gz", "notes.txt"):
        identify(tmp_path / name, tmp_path / f"{name}.nc", **PLACE, **LEVELS)
    with pytest.raises(
        DataError, match=r"damaged_files: cut.gz, notes.txt; cut.gz: is a truncated .*notes.txt: no"
    ):
        compose([tmp_path / "cut.gz.nc", tmp_path / "notes.txt.nc"], tmp_path / "hail.nc")
    assert not (tmp_path / "hail.nc").exists()


def test_one_file_alone_fails_where_it_cannot_be_read(samples, tmp_path):
    """Without an area there is nothing that it could stand for; with `skip_damaged` off it fails anyway."""
    cut = tmp_path / "cut.gz"
    cut.write_bytes(newest(samples, "denton").read_bytes()[:10_000])
    with pytest.raises(DataError, match="truncated"):
        identify(cut, tmp_path / "a.nc", **LEVELS)
    with pytest.raises(DataError, match="truncated"):
        identify(cut, tmp_path / "a.nc", **PLACE, **LEVELS, skip_damaged=False)


def test_what_the_machine_did_wrong_is_no_fault_of_the_file(tmp_path):
    """It may be read the next time, so nothing is kept without it."""
    locked = tmp_path / "a.nc"
    locked.mkdir()
    with pytest.raises(DataError, match="directory"):
        identify(locked / "..", tmp_path / "b.nc", **PLACE, **LEVELS, skip_damaged=False)


def test_a_radar_that_nobody_knows_is_taken_by_its_band_with_a_warning(samples, tmp_path):
    """A new radar shows what it can, and says that nothing is known of its calibration."""
    plain = gzip.decompress(newest(samples, "addison").read_bytes())
    assert plain.count(b"addison.tx") == 1
    (tmp_path / "new.nc").write_bytes(plain.replace(b"addison.tx", b"frisco2.tx"))
    identify(tmp_path / "new.nc", tmp_path / "out.nc", **PLACE, **LEVELS)
    grid = read_grid(tmp_path / "out.nc")
    assert grid.source == "frisco2.tx"
    assert grid.attributes["warning"].startswith("radar 'frisco2.tx' is in no registry: taken as of X band")


def test_a_radar_of_which_nobody_knows_the_band_is_left_out(samples, tmp_path, capsys):
    """It does not stop the network, and the log has the YAML to write."""
    (tmp_path / "new.nc").write_bytes(gzip.decompress(newest(samples, "addison").read_bytes()))
    with netCDF4.Dataset(tmp_path / "new.nc", "r+") as dataset:
        dataset.RadarName = "frisco2.tx"
        dataset.renameVariable("TxFrequency", "Other")
    identify(tmp_path / "new.nc", tmp_path / "out.nc", **PLACE, **LEVELS)
    said = capsys.readouterr().err
    assert said.startswith("left out: ")
    assert "band: S  # or C, or X" in said
    with pytest.raises(UserError, match=r"frisco2\.tx"):
        identify(tmp_path / "new.nc", tmp_path / "out.nc", **LEVELS)


def test_a_registry_of_ones_own_adds_a_radar(samples, tmp_path):
    """It is a file like any other input."""
    plain = gzip.decompress(newest(samples, "addison").read_bytes())
    (tmp_path / "new.nc").write_bytes(plain.replace(b"addison.tx", b"frisco2.tx"))
    (tmp_path / "radars.yaml").write_text("radars:\n  frisco2.tx: {band: X}\n")
    identify(tmp_path / "new.nc", tmp_path / "out.nc", radars=tmp_path / "radars.yaml", **PLACE, **LEVELS)
    identify(newest(samples, "addison"), tmp_path / "known.nc", **PLACE, **LEVELS)
    own, known = read_grid(tmp_path / "out.nc"), read_grid(tmp_path / "known.nc")
    assert own.source == "frisco2.tx"
    assert np.count_nonzero(own.values >= 1) > 500
    assert own.geometry == known.geometry


def test_a_registry_that_is_wrong_is_no_fault_of_a_file(samples, tmp_path):
    """It fails at once, with the place in it: left out file by file, nobody would look there."""
    (tmp_path / "radars.yaml").write_text("radars:\n  frisco2.tx: {band: Q}\n")
    with pytest.raises(UserError, match=r"radars\.yaml:2:\d+: .*band"):
        identify(newest(samples, "denton"), tmp_path / "a.nc", radars=tmp_path / "radars.yaml", **PLACE)


def test_a_beam_high_above_that_finds_nothing_is_no_all_clear(samples, tmp_path):
    """Above where it is -20 degrees C a beam may pass over a storm: out there nothing is known, as far as it sees."""
    volume = samples / "hail" / "40_20181220_060630.pvol.h5"
    known = {}
    for top in (2500.0, 20000.0):
        identify(volume, tmp_path / "a.nc", freezing_level=2000.0, minus20_level=top)
        grid = read_grid(tmp_path / "a.nc")
        known[top] = np.count_nonzero(grid.known)
        assert np.count_nonzero(grid.values >= 1) > 500
    assert known[2500.0] < 0.3 * known[20000.0]


def test_snow_aloft_is_no_all_clear(samples, tmp_path):
    """What a beam above -20 degrees C sees says nothing of the ground, unless it is hail or graupel itself."""
    storm = samples / "hail" / "KFWS20190609_222523_trim_V06"
    top = 5500.0
    identify(storm, tmp_path / "a.nc", freezing_level=3500.0, minus20_level=top)
    grid = read_grid(tmp_path / "a.nc")
    sweeps = read_sweeps(storm, moments=["reflectivity", "differential_reflectivity"])
    low = np.fmin.reduce(
        [cell_heights(s, grid.geometry) for s in sweeps if "differential_reflectivity" in s.moments]
    )
    shown = grid.values[grid.known & (low > top)]
    assert shown.size > 20
    assert shown.min() >= 3
    assert np.count_nonzero(grid.values[low <= top] == 1) > 10_000


def test_a_sweep_too_high_is_refused_with_those_there_are(samples, tmp_path):
    """What it sees is not at the ground."""
    with pytest.raises(DataError, match=r"no sweep up to 1 degrees \(`highest`\); there are: 2\.0"):
        identify(newest(samples, "addison"), tmp_path / "a.nc", highest=1.0, **LEVELS)


def test_a_sweep_too_high_is_no_damaged_file(samples, classes, tmp_path, capsys):
    """It is left out of the composite without a word: most files of a scan look too high, in each good run."""
    identify(newest(samples, "addison"), tmp_path / "high.nc", highest=1.0, **PLACE, **LEVELS)
    assert capsys.readouterr().err == ""
    compose([tmp_path / "high.nc", classes["denton"]], tmp_path / "hail.nc")
    assert "damaged_files" not in read_grid(tmp_path / "hail.nc").attributes
    with pytest.raises(DataError, match=r"no usable sweep.*no sweep up to 1 degrees"):
        compose([tmp_path / "high.nc"], tmp_path / "hail.nc")


@pytest.mark.parametrize("chain", ["classes", "sizes"])
def test_where_no_radar_reaches_the_area_the_composite_says_so(samples, tmp_path, chain):
    """Not that a radar is absent whose sweep is there: longitude and latitude are easily swapped."""
    files = sorted((samples / "hail").glob("MLL*.nc"))[:2]
    swapped = {"area": (45.8, 8.3, 46.3, 8.9), "cells": (64, 64)}
    made = [tmp_path / f"{quantity}.nc" for quantity in MEASURES]
    if chain == "sizes":
        measure(files, made, **swapped, **LEVELS)
    else:
        identify(files[0], made[0], **swapped, **LEVELS)
    with pytest.raises(DataError) as caught:
        compose(made[:1], tmp_path / "hail.nc")
    said = str(caught.value)
    assert "radar 'Monte Lema' (latitude 46.04, longitude 8.83) does not reach `area`, " in said
    assert said.endswith("km away: are longitude and latitude swapped?")
    assert "absent" not in said


def test_a_sounding_of_another_year_is_told_on_every_product(samples, tmp_path):
    """The climatology stands in, and polygons and image say so."""
    old = next((samples / "sounding").glob("OUN_1999*"), None) or next((samples / "sounding").glob("*.OAX"))
    identify(newest(samples, "denton"), tmp_path / "a.nc", soundings=[old], **PLACE)
    compose([tmp_path / "a.nc"], tmp_path / "hail.nc")
    made = read_grid(tmp_path / "hail.nc")
    assert made.attributes["environment"] == "climatology"
    assert "climatology" in made.attributes["warning"]
    assert str(tmp_path) not in made.attributes["warning"]


def test_a_current_sounding_without_a_time_serves_where_one_says_so(samples, tmp_path):
    """As the network keeps it: one file, overwritten by the newest. The products say that nobody knows its age."""
    current = next((samples / "sounding").glob("casa_current*"))
    identify(newest(samples, "denton"), tmp_path / "a.nc", soundings=[current], **PLACE)
    assert read_grid(tmp_path / "a.nc").attributes["environment"] == "climatology"
    identify(newest(samples, "denton"), tmp_path / "a.nc", soundings=[current], undated=True, **PLACE)
    about = read_grid(tmp_path / "a.nc").attributes
    assert about["environment"] == "sounding"
    assert (about["freezing_level_m"], about["minus20_level_m"]) == pytest.approx((4811, 7596), abs=1)
    assert "names no time: taken as of now (`undated`)" in about["warning"]


def test_one_height_without_the_other_is_refused(samples, tmp_path):
    """Both by the task and where the chain is described."""
    with pytest.raises(DataError, match="go together"):
        identify(newest(samples, "denton"), tmp_path / "a.nc", freezing_level=4000.0)
    with pytest.raises(WorkflowError, match="go together"):
        hail.graph(["a.nc"], freezing_level=4000.0)


@pytest.fixture(scope="module")
def sizes(samples, tmp_path_factory) -> dict[str, Path]:
    """What the volume of Monte Lema says."""
    folder = tmp_path_factory.mktemp("sizes")
    made = {quantity: folder / f"{quantity}.nc" for quantity in MEASURES}
    files = sorted((samples / "hail").glob("MLL*.nc"))
    measure(files, list(made.values()), freezing_level=4087.0, minus20_level=6803.0, **PLACE_OF_LEMA)
    return made


def test_twenty_sweeps_make_one_volume(sizes):
    """The size at its worst is that of radar.md's check in C band; place and registry name are right."""
    grids = {quantity: read_grid(path) for quantity, path in sizes.items()}
    assert {g.quantity for g in grids.values()} == set(MEASURES)
    mesh = grids["mesh"]
    assert np.nanmax(grids["shi"].values) == pytest.approx(356, rel=0.01)
    assert np.nanmax(mesh.values) == pytest.approx(47.9, rel=0.01)
    assert np.nanmax(grids["posh"].values) == 100
    row, column = np.unravel_index(np.nanargmax(mesh.values), mesh.values.shape)
    lon, lat = mesh.geometry.lonlat(column, row)
    # 18.8 km at azimuth 266 from 46.0408 N, 8.8332 E
    assert (lat, lon) == (pytest.approx(46.029, abs=0.01), pytest.approx(8.590, abs=0.01))
    assert mesh.attributes["tilts"] == 20


def test_a_lost_sweep_is_told(samples, tmp_path):
    """Without one of twenty the index may be two fifths off: the product must say so."""
    files = sorted((samples / "hail").glob("MLL*.nc"))
    outputs = [tmp_path / f"{quantity}.nc" for quantity in MEASURES]
    measure(files[:7] + files[8:], outputs, **LEVELS)
    about = read_grid(outputs[0]).attributes
    assert about["tilts"] == 19
    assert about["warning"] == (
        "1 of 20 tilts of radar 'Monte Lema' are missing (5.5 degrees): sizes may be too small"
    )


def test_a_tilt_of_the_scan_before_does_not_stand_for_a_lost_one(samples, tmp_path):
    """Whatever `span` is, where the registry knows how long a scan takes; and how old the oldest tilt is, is told."""
    files = sorted((samples / "hail").glob("MLL*.nc"))
    before = shutil.copy(files[7], tmp_path / "before.nc")
    with netCDF4.Dataset(before, "r+") as sweep:
        sweep["time"][:] -= 300
    outputs = [tmp_path / f"{quantity}.nc" for quantity in MEASURES]
    measure([*files[:7], before, *files[8:]], outputs, **LEVELS, span=10.0)
    about = read_grid(outputs[0]).attributes
    assert "1 of 20 tilts of radar 'Monte Lema' are missing (5.5 degrees)" in about["warning"]
    compose(outputs[:1], tmp_path / "mesh.nc")
    assert 120 < read_grid(tmp_path / "mesh.nc").attributes["oldest_sweep_s"] < 300


def test_one_sweep_alone_is_no_volume_and_says_so(samples, tmp_path):
    """Who forgets `volume` reads it in the product, and in the fault of the composite, which has nothing else."""
    outputs = [tmp_path / f"{quantity}.nc" for quantity in MEASURES]
    others = [tmp_path / f"{quantity}.4.nc" for quantity in MEASURES]
    measure([samples / "hail" / "MLL2217907250U.003.nc"], outputs, **PLACE_OF_LEMA, **LEVELS)
    measure([samples / "hail" / "MLL2217907250U.004.nc"], others, **PLACE_OF_LEMA, **LEVELS)
    grid = read_grid(outputs[0])
    assert not grid.known.any()
    said = (
        "radar 'Monte Lema': the layer from 0 to -20 C is not covered by files of one sweep each: set `volume`, "
        "which says which files make one volume"
    )
    assert grid.attributes["warning"].endswith(f"sizes may be too small; {said}")
    with pytest.raises(DataError) as caught:
        compose([outputs[0], others[0]], tmp_path / "mesh.nc")
    assert str(caught.value).count("covered") == 1


def test_what_is_no_fault_of_a_file_is_never_left_out(samples, tmp_path):
    """Parameters that are wrong stop the task, with an area as without: else a radar would be gone in silence."""
    files = sorted((samples / "hail").glob("MLL*.nc"))[5:7]
    outputs = [tmp_path / f"{quantity}.nc" for quantity in MEASURES]
    with pytest.raises(UserError, match="no fit 'witt'"):
        measure(files, outputs, fit="witt", **PLACE, **LEVELS)
    upside = {"freezing_level": 7000.0, "minus20_level": 4100.0}
    with pytest.raises(UserError, match="0 C at 7000 m and -20 C at 4100 m"):
        measure(files, outputs, **PLACE, **upside)
    with pytest.raises(UserError, match="0 C at 7000 m and -20 C at 4100 m"):
        identify(newest(samples, "denton"), tmp_path / "a.nc", **PLACE, **upside)


def without_zdr(sweep: netCDF4.Dataset) -> None:
    sweep.renameVariable("DifferentialReflectivity", "Other")


def empty_zdr(sweep: netCDF4.Dataset) -> None:
    sweep["DifferentialReflectivity"][:] = -99900.0


@pytest.mark.parametrize("change", [without_zdr, empty_zdr])
def test_without_differential_reflectivity_the_classes_say_that_they_tell_no_hail(samples, tmp_path, change):
    """A map without hail would be taken for one of no hail."""
    source = gzip.decompress(newest(samples, "addison").read_bytes())
    (tmp_path / "single.nc").write_bytes(source)
    with netCDF4.Dataset(tmp_path / "single.nc", "r+") as dataset:
        change(dataset)
    identify(tmp_path / "single.nc", tmp_path / "a.nc", **PLACE, **LEVELS)
    compose([tmp_path / "a.nc"], tmp_path / "hail.nc")
    assert read_grid(tmp_path / "hail.nc").attributes["warning"] == (
        "radar 'addison.tx': without differential reflectivity hail cannot be told"
    )


def test_a_sweep_that_is_cut_off_does_not_take_the_volume_with_it(samples, tmp_path, capsys):
    """The nineteen others tell the size; the product names the file and the tilt."""
    files = []
    for file in sorted((samples / "hail").glob("MLL*.nc")):
        files.append(tmp_path / file.name)
        files[-1].write_bytes(file.read_bytes()[: 9000 if file.name.endswith("007.nc") else None])
    outputs = [tmp_path / f"{quantity}.nc" for quantity in MEASURES]
    measure(files, outputs, **LEVELS)
    grid = read_grid(outputs[0])
    assert grid.attributes["tilts"] == 19
    assert grid.attributes["missing_tilts"] == "4.5"
    assert grid.attributes["warning"].startswith("not read: MLL2217907250U.007.nc: ")
    assert capsys.readouterr().err.startswith("left out: MLL2217907250U.007.nc: ")
    with pytest.raises(DataError, match="007"):
        measure([files[6]], outputs, **LEVELS)


def test_an_x_band_volume_has_no_size(samples, tmp_path):
    """The message says what to take instead."""
    with pytest.raises(UserError, match=r"X band.*dual polarisation"):
        measure([newest(samples, "addison")], [tmp_path / q for q in MEASURES], **LEVELS)


def test_files_of_two_radars_are_no_volume(samples, tmp_path):
    """Each radar has its own beams."""
    with pytest.raises(UserError, match="several radars"):
        measure(
            [newest(samples, "addison"), newest(samples, "denton")],
            [tmp_path / q for q in MEASURES],
            **PLACE,
            **LEVELS,
        )


def test_sweeps_of_one_name_at_two_places_are_no_volume(samples, tmp_path):
    """Nor those of two radars whose files name none: beams of both would make hail where there is none."""
    (tmp_path / "a.nc").write_bytes((samples / "hail" / "MLL2217907250U.003.nc").read_bytes())
    (tmp_path / "b.nc").write_bytes((samples / "hail" / "MLL2217907250U.008.nc").read_bytes())
    with netCDF4.Dataset(tmp_path / "b.nc", "a") as elsewhere:
        elsewhere["latitude"][...] = elsewhere["latitude"][...] - 0.3
        elsewhere["longitude"][...] = elsewhere["longitude"][...] + 0.4
    (tmp_path / "radars.yaml").write_text("radars: {L: {band: C}}\n")
    with pytest.raises(UserError, match="radars called 'L', at different places; say `volume`"):
        measure(
            [tmp_path / "a.nc", tmp_path / "b.nc"], [tmp_path / q for q in MEASURES], **PLACE, **LEVELS,
            radars=tmp_path / "radars.yaml",
        )  # fmt: skip


def test_the_graph_has_a_task_a_sweep_and_files_of_one_name_do_not_meet():
    """Two folders may hold files of one name."""
    graph = hail.graph(["a/x.nc", "b/x.nc", "c/y.nc"], **PLACE)
    made = [task.outputs["classes"] for task in graph.tasks.values() if task.step == "identify"]
    assert len(set(made)) == 3
    assert all(name.startswith("classes/") for name in made)
    assert {t.step for t in graph.tasks.values()} == {
        "identify",
        "compose",
        "plot",
        "contour",
        "legend",
        "draw",
    }


def test_volumes_are_told_apart_by_names():
    """By the group of the expression, or else what it matches; each file alone without it."""
    files = ["MLL001.nc", "MLL002.nc", "ALB001.nc"]
    graph = hail_size.graph(files, volume="^([A-Z]{3})", **PLACE)
    assert {len(t.inputs["volume"]) for t in graph.tasks.values() if t.step == "measure"} == {1, 2}
    alone = hail_size.graph(files, **PLACE)
    assert sum(t.step == "measure" for t in alone.tasks.values()) == 3
    for nothing in ("", "x*", "(x)?"):
        with pytest.raises(WorkflowError, match="matches nothing in the name 'MLL001"):
            hail_size.graph(files, volume=nothing, **PLACE)


@pytest.mark.parametrize(
    ("flow", "params", "says"),
    [
        (hail, {"levels": []}, "`levels` is empty"),
        (hail, {"levels": [0.0]}, "above 0, which"),
        (hail_size, {"levels": [-1.0]}, "above 0 mm, which"),
        (hail, {"highest": 0.0}, "`highest` is 0"),
        (hail, {"window": 0.0}, "`window` is 0"),
        (hail_size, {"span": -1.0}, "`span` is -1"),
        (hail_size, {"reach": 5.0}, "`reach` is 5"),
        (
            hail_size,
            {"fit": "witt"},
            "`fit` is witt; expected one of witt1998, mh2021_75, mh2021_95 (did you mean 'witt1",
        ),
        (
            hail,
            {"freezing_level": 7000.0, "minus20_level": 4000.0},
            "the second 100 m or more above the first",
        ),
        (
            hail_size,
            {"freezing_level": 4000.0, "minus20_level": 4000.0},
            "[4000.0, 4000.0]; expected two heights",
        ),
        (hail_size, {"volume": "("}, "no regular expression"),
        (hail_size, {"volume": "^Q"}, "matches nothing in the name 'a.nc'"),
        (hail, {"area": AREA}, "without `cells`"),
    ],
)
def test_parameters_of_which_nothing_could_be_made_are_refused(flow, params, says):
    """Before anything runs."""
    with pytest.raises(WorkflowError) as caught:
        flow.graph(["a.nc"], **params)
    assert says in str(caught.value)


def test_the_fits_that_are_let_through_are_those_there_are():
    """They are written down twice, for a graph is described without what reads radars."""
    assert tuple(FITS) == workflow.FITS
    assert workflow.BETWEEN == MIN_BETWEEN


@pytest.mark.parametrize("flow", [hail, hail_size])
def test_several_files_need_a_grid(flow):
    """Else each would lie on one of its own."""
    with pytest.raises(WorkflowError, match="give `area`"):
        flow.graph(["a.nc", "b.nc"])
    assert flow.graph(["a.nc"]).tasks


def test_a_nexrad_volume_gives_its_low_sweeps(samples, tmp_path):
    """S band, split cuts: sweeps with dual polarisation count, those for velocity add nothing."""
    shutil.copy(samples / "hail" / "KFWS20190609_222523_trim_V06", tmp_path / "volume")
    identify(tmp_path / "volume", tmp_path / "a.nc", **LEVELS, highest=1.0)
    grid = read_grid(tmp_path / "a.nc")
    assert grid.source == "KFWS"
    assert np.nanmax(grid.values) >= 2
