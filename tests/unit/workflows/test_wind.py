"""Whole runs of the wind on the CASA network's own sweeps: what is published, what it is made of, what stops it."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import orjson
import pytest
from dynamo.workflows.wind import wind
from dynamo.workflows.wind.tasks import compose, unfold
from PIL import Image

import dynamo
from dynamo.errors import DataError, UserError, WorkflowError
from dynamo.radar.grid import Cell
from dynamo.radar.netcdf import read_grid

AREA = {"area": [-98.4963, 31.39205, -95.49738, 33.9098], "cells": [373, 373]}
SWEEPS = ("addison.tx-20170329-073831", "cleburne.tx-20170329-073802", "denton.tx-20170329-073801")


@pytest.fixture
def incoming(samples, tmp_path) -> Path:
    """A folder with one sweep of each of the three radars."""
    folder = tmp_path / "incoming"
    folder.mkdir()
    for name in SWEEPS:
        shutil.copy(samples / "casa" / f"{name}.netcdf.gz", folder)
    return folder


def run(folder: Path, incoming: Path, **params):
    """Run the wind of a folder's sweeps as a run file would; return the summary and the products' folder."""
    sweeps = sorted(map(str, incoming.iterdir()))
    made = dynamo.run(
        wind(sweeps, **{**AREA, "window": 10.0, **params}), products=folder / "products",
        workspace=folder / "space", inline=True,
    )  # fmt: skip
    return made, folder / "products"


def edited(source: Path, target: Path, edit: Callable[[netCDF4.Dataset], None]) -> None:
    """Write a sweep that was changed."""
    target.write_bytes(gzip.decompress(source.read_bytes()))
    with netCDF4.Dataset(target, "r+") as sweep:
        edit(sweep)


def test_three_radars_make_one_map_with_image_polygons_and_legend(tmp_path, incoming):
    """Each is folded otherwise, the polygons are of kind WIND, and the map says what it is made of."""
    made, products = run(tmp_path, incoming, expected=["denton.tx", "midlothian.tx"])
    assert not made.failures
    assert {p.name for p in products.iterdir()} == {
        "wind.nc", "wind.png", "wind.json", "wind.geojson", "wind_map.png", "legend.png", "speeds",
    }  # fmt: skip
    grid = read_grid(products / "wind.nc")
    assert grid.quantity == "wind_speed"
    assert grid.attributes == {
        "radars": "addison.tx 07:39:29, cleburne.tx 07:38:25, denton.tx 07:38:01", "sweeps": 3.0,
        "oldest_sweep_s": 88.0, "absent_radars": "midlothian.tx",
    }  # fmt: skip
    assert 900 < (grid.status == Cell.ECHO).sum() < 2000
    assert 30 < np.nanmax(grid.values) <= 38
    polygons = orjson.loads((products / "wind.geojson").read_bytes())
    assert (polygons["hazard"], polygons["units"], polygons["about"]["absent_radars"]) == (
        "WIND", "m s-1", "midlothian.tx",
    )  # fmt: skip
    assert {f["properties"]["level"] for f in polygons["features"]} == {20.0}
    area = sum(f["properties"]["area_km2"] for f in polygons["features"])
    width, height = grid.geometry.cell_size_km()
    assert area == pytest.approx((grid.values >= 20).sum() * width * height, rel=0.15)
    for name in ("wind.png", "wind_map.png", "legend.png"):
        with Image.open(products / name) as picture:
            picture.verify()


def test_the_next_window_unfolds_only_what_is_new(tmp_path, incoming, samples):
    """The result of a sweep serves every window that it is in."""
    first, _ = run(tmp_path, incoming)
    (incoming / f"{SWEEPS[2]}.netcdf.gz").unlink()
    shutil.copy(samples / "casa" / "denton.tx-20170329-073827.netcdf.gz", incoming)
    second, _ = run(tmp_path, incoming)
    assert (first.ran, first.reused) == (3 + 5, 0)
    assert (second.ran, second.reused) == (1 + 5, 2)


def test_what_cannot_be_used_is_left_out_and_told(tmp_path, incoming, capfd):
    """Cut off, foreign, of a radar whose Nyquist velocity nobody knows, sent twice: the map comes without them."""
    denton = incoming / f"{SWEEPS[2]}.netcdf.gz"
    edited(denton, incoming / "unknown.nc", lambda sweep: sweep.setncattr("RadarName", "nowhere.x"))
    whole = denton.read_bytes()
    denton.write_bytes(whole[: len(whole) // 2])
    (incoming / "note.txt").write_text("no radar")
    shutil.copy(incoming / f"{SWEEPS[0]}.netcdf.gz", incoming / "again.netcdf.gz")
    made, products = run(tmp_path, incoming)
    assert not made.failures
    about = read_grid(products / "wind.nc").attributes
    assert about["radars"] == "addison.tx 07:39:29, cleburne.tx 07:38:25"
    assert about["sweeps"] == 2
    assert about["damaged_files"] == f"{denton.name}, note.txt, unknown.nc"
    said = capfd.readouterr().err
    for words in (
        f"left out: {denton.name}: is a truncated",
        "left out: note.txt: no reader knows this file",
        "the radar 'nowhere.x' is not in the registry of radars",
    ):
        assert words in said


def test_a_radar_that_saw_nothing_and_one_that_is_late(tmp_path, incoming):
    """An empty sweep counts as reported; a sweep older than the window does not, and its radar is told."""
    addison, cleburne = (incoming / f"{name}.netcdf.gz" for name in SWEEPS[:2])

    def empty(sweep):
        sweep["Velocity"][:] = -99900.0

    def late(sweep):
        sweep["Time"][:] -= 1200

    edited(addison, incoming / "empty.nc", empty)
    edited(cleburne, incoming / "late.nc", late)
    addison.unlink()
    cleburne.unlink()
    made, products = run(tmp_path, incoming)
    assert not made.failures
    about = read_grid(products / "wind.nc").attributes
    assert about["radars"] == "addison.tx 07:39:29, denton.tx 07:38:01"
    assert about["empty_sweeps"] == "addison.tx 07:39:29"
    assert about["absent_radars"] == "cleburne.tx 07:18:25"


def test_in_clear_air_there_is_a_map_of_which_nothing_is_known(tmp_path, incoming):
    """That no wind is seen is no failure; and no polygon, of a known share of 0."""
    for file in list(incoming.iterdir()):
        if "denton" in file.name:
            edited(
                file,
                incoming / "empty.nc",
                lambda sweep: sweep["Velocity"].__setitem__(slice(None), -99900.0),
            )
        file.unlink()
    made, products = run(tmp_path, incoming)
    assert not made.failures
    polygons = orjson.loads((products / "wind.geojson").read_bytes())
    assert (polygons["features"], polygons["known_share"]) == ([], 0.0)


def test_without_one_usable_sweep_the_run_fails_and_says_why(tmp_path, incoming):
    """No map may pass for a look where nobody looked."""
    for file in incoming.iterdir():
        file.write_bytes(b"nothing of a radar")
    made, _ = run(tmp_path, incoming)
    assert [f.step for f in made.failures] == ["compose"]
    assert "no sweep to take the wind of; damaged_files: " in made.failures[0].error


def test_a_volume_is_one_input(samples, tmp_path):
    """Tilts of Captains Flat up to 5 degrees; its antenna is on a mountain, so heights are above the radar."""
    volume = samples / "hail" / "40_20181220_060630.pvol.h5"
    unfold(volume, tmp_path / "sea.nc")
    unfold(volume, tmp_path / "radar.nc", above="radar", min_reflectivity=0.0)
    sea, radar = (read_grid(tmp_path / f"{name}.nc") for name in ("sea", "radar"))
    assert (sea.status == Cell.OUT_OF_RANGE).all()
    assert (radar.status == Cell.ECHO).sum() > 500
    assert np.nanmax(radar.values) <= 38


def test_a_band_that_no_beam_is_in_is_told(samples, tmp_path, capsys):
    """The antenna stands on a mountain, higher than the band above the sea: an empty map must say why."""
    volume = samples / "hail" / "KLBB20160601_150025_V06"
    unfold(volume, tmp_path / "sea.nc", area=[-102.5, 33.0, -101.0, 34.5], cells=[100, 100])
    unfold(volume, tmp_path / "radar.nc", above="radar", area=[-102.5, 33.0, -101.0, 34.5], cells=[100, 100])
    sea, radar = (read_grid(tmp_path / f"{name}.nc") for name in ("sea", "radar"))
    assert not sea.known.any()
    assert sea.attributes["warning"] == (
        "radar 'KLBB': the beam is nowhere between 200 and 600 m above the sea; the antenna stands at 1029 m: "
        "see `above`"
    )
    assert radar.known.any()
    assert "warning" not in radar.attributes
    compose([tmp_path / "sea.nc"], tmp_path / "wind.nc")
    assert "see `above`" in read_grid(tmp_path / "wind.nc").attributes["warning"]
    assert capsys.readouterr().err == f"warning: {sea.attributes['warning']}\n"


def test_a_radar_that_does_not_reach_the_grid_is_told(samples, tmp_path, capsys):
    """The map of an area elsewhere comes, as in clear air; who reads the log knows why it is empty."""
    unfold(
        samples / "casa" / f"{SWEEPS[0]}.netcdf.gz", tmp_path / "a.nc", area=[8, 45, 10, 47], cells=[64, 64]
    )
    compose([tmp_path / "a.nc"], tmp_path / "wind.nc")
    assert capsys.readouterr().err == (
        "warning: radar 'addison.tx' (latitude 32.98, longitude -96.84) does not reach `area`, 8,529 km away\n"
    )


def test_an_entry_that_does_not_fit_is_told_on_the_wind_too(samples, tmp_path):
    """The sweep counts, for its file says its Nyquist velocity; that the entry was not taken stands in the product."""
    radars = tmp_path / "radars.yaml"
    radars.write_text("radars:\n  addison.tx: {band: X, site: [30.0, -96.8391]}\n")
    unfold(samples / "casa" / f"{SWEEPS[0]}.netcdf.gz", tmp_path / "out.nc", **AREA, radars=radars)
    assert read_grid(tmp_path / "out.nc").attributes["warning"] == (
        "radar 'addison.tx' fits no entry of the registry: 'addison.tx' is 332 km away; taken as its files say, "
        "uncalibrated"
    )


def test_a_registry_of_ones_own_says_what_the_file_does_not(incoming, tmp_path):
    """With a Nyquist velocity from it the sweep of an unknown radar counts."""
    edited(
        incoming / f"{SWEEPS[2]}.netcdf.gz",
        tmp_path / "x.nc",
        lambda s: s.setncattr("RadarName", "nowhere.x"),
    )
    radars = tmp_path / "radars.yaml"
    radars.write_text("radars:\n  nowhere.x: {band: X, nyquist: 65.0}\n")
    with pytest.raises(UserError, match=r"nowhere.x' is not in the registry"):
        unfold(tmp_path / "x.nc", tmp_path / "out.nc", **AREA, skip_damaged=False)
    unfold(tmp_path / "x.nc", tmp_path / "out.nc", **AREA, radars=radars)
    assert (read_grid(tmp_path / "out.nc").status == Cell.ECHO).sum() > 400


def test_a_file_without_low_sweeps_or_velocities_is_told(incoming, tmp_path, samples):
    """The message says what there is."""
    with pytest.raises(DataError, match=r"no sweep up to 1 degrees \(`highest`\); there are: 2.0"):
        unfold(incoming / f"{SWEEPS[0]}.netcdf.gz", tmp_path / "x.nc", highest=1.0)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"levels": []}, "`levels` is empty; expected one level or more, in m s-1"),
        ({"levels": [0.0]}, "above 0 m s-1"),
        ({"band": [600, 200]}, r"`band` is \[600, 200\]; expected lowest, highest: two numbers of m"),
        ({"bounds": [0, 20, 38]}, r"`bounds` is \[0, 20, 38\]; expected lowest, highest: two numbers of m/s"),
        (
            {"smooth": [2, 400]},
            r"`smooth` is \[2, 400\]; expected rays, metres: an odd number, and one from 0",
        ),
        ({"apart": 0}, "`apart` is 0; expected more than 0 m/s"),
        ({"window": 0}, "`window` is 0; expected more than 0 minutes"),
        ({"area": None, "cells": None}, "several files are joined on one grid: give `area`"),
    ],
)
def test_parameters_of_which_nothing_could_be_made_are_refused(wrong, says):
    """Before anything runs."""
    with pytest.raises(WorkflowError, match=says):
        wind(["a.nc", "b.nc"], **{**AREA, **wrong})
