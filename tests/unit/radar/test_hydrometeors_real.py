"""Hydrometeors of real storms: against a stored classification, hail that was seen, and plain sense.

Bounds lie just below (or above) what is reached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dynamo.radar.hydrometeors import classes, classified
from dynamo.radar.polar import Sweep, beam_height, default_geometry, to_grid
from dynamo.radar.readers import read_sweeps
from dynamo.radar.scheme import scheme
from tests.unit.radar import uf

S, C, X = (scheme(f"{band}-band") for band in "scx")


def profile(freezing: float, minus20: float) -> Callable[[np.ndarray], np.ndarray]:
    """Temperature in C at heights in m, from those of 0 and -20 C."""
    return lambda heights: -20 * (heights - freezing) / (minus20 - freezing)


DALLAS, MONTE_LEMA = profile(4811, 7596), profile(4144, 6837)


@pytest.fixture(scope="module")
def npol(samples: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The three RHIs of NPOL: the file, and its variables with 6.5 K/km from 3.6 km."""
    file = uf.read(samples / "hail" / "MC3E_NPOL_2011_0524_2356_hid.uf.gz")
    heights = np.stack([beam_height(file["range"], e) for e in file["elevation"]])
    return file, {
        "reflectivity": file["CZ"],
        "differential_reflectivity": file["DR"],
        "specific_differential_phase": file["KD"],
        "cross_correlation": file["RH"],
        "temperature": (-0.0065 * (heights - 3600)).astype("f4"),
    }


def test_the_file_holds_what_it_is_known_to_hold(npol):
    """Three RHIs, 114,852 gates with a class, 5,506 of hail."""
    file, _ = npol
    assert np.unique(file["sweep"]).tolist() == [1, 2, 3]
    assert (file["FH"] >= 1).sum() == 114_852
    assert (file["FH"] == 9).sum() == 5_506


@pytest.mark.parametrize(
    ("rhi", "agree", "recall", "precision"),
    [(1, 0.948, 0.969, 0.959), (2, 0.948, 0.98, 0.968), (3, 0.946, 0.983, 0.919)],
)
def test_the_ten_classes_of_npol(npol, rhi: int, agree: float, recall: float, precision: float):
    """The functions were fitted to the first RHI; the second and third are of the same storm."""
    file, variables = npol
    number = classes(variables, S)
    here = (file["sweep"] == rhi)[:, None] & (file["FH"] >= 1)
    stored, ours = file["FH"][here], number[here]
    assert (stored == ours).mean() > agree
    assert (ours[stored == 9] == 9).mean() > recall
    assert (stored[ours == 9] == 9).mean() > precision


def test_each_class_of_npol_is_found(npol):
    """None is sacrificed for the others: of each at least 80 of 100 gates are told."""
    file, variables = npol
    number = classes(variables, S)
    for n in range(1, 11):
        assert (number[file["FH"] == n] == n).mean() > 0.8, S.classes[n - 1].name


@pytest.mark.parametrize(
    ("without", "recall"),
    [("specific_differential_phase", 0.85), ("cross_correlation", 0.96), ("differential_reflectivity", 0.94)],
)
def test_hail_is_found_without_one_of_the_moments(npol, without: str, recall: float):
    """A radar that lacks a moment finds less, but not much."""
    file, variables = npol
    number = classes({name: v for name, v in variables.items() if name != without}, S)
    assert (number[file["FH"] == 9] == 9).mean() > recall


def near(sweep: Sweep, azimuth: float, ground: float, metres: float) -> np.ndarray:
    """Which gates lie within some metres of a place, along the ground."""
    place = ground * np.exp(1j * np.radians(azimuth))
    along = sweep.ranges * np.cos(np.radians(sweep.elevation))
    return np.abs(along * np.exp(1j * np.radians(sweep.azimuths))[:, None] - place) < metres


@pytest.mark.parametrize(
    ("number", "share"), [(1, 0.1), (2, 0.3), (4, 0.3), (6, 0.3), (10, 0.4), (12, 0.7), (14, 0.9)]
)
def test_hail_of_monte_lema_is_there_from_the_ground_to_the_top(samples: Path, number: int, share: float):
    """Hail was seen at the ground, and is told at all heights within 3 km of the maximum of MESH (266.5 deg, 18.75 km).

    In part of the gates below the melting level, to 2.5 km below it, and in most above. Under 40 dBZ it is not told.
    """
    (sweep,) = read_sweeps(samples / "hail" / f"MLL2217907250U.{number:03d}.nc")
    made = classified(sweep, C, MONTE_LEMA)
    hail = made.moments["hail_class"]
    core = near(made, 266.5, 18750, 3000) & np.isfinite(hail)
    assert (hail[core] >= 4).mean() > share
    assert (hail[made.moments["reflectivity"] < 40] < 4).all()


def test_rain_of_monte_lema_is_rain(samples: Path):
    """At the lowest elevation, where all is warm within 40 km: no ice, and of gates of 20 to 40 dBZ most are rain."""
    (sweep,) = read_sweeps(samples / "hail" / "MLL2217907250U.002.nc")
    made = classified(sweep, C, MONTE_LEMA)
    close = made.ranges < 40000
    names = np.array(["", *(each.name for each in C.classes)])
    told = made.moments["hydrometeor"][:, close]
    strength = made.moments["reflectivity"][:, close]
    assert not {"ice crystals", "aggregates", "vertical ice"} & set(
        names[told[np.isfinite(told)].astype(int)]
    )
    rain = names[told[(strength > 20) & (strength < 40)].astype(int)]
    assert np.isin(rain, ["rain", "drizzle"]).mean() > 0.8


@pytest.mark.parametrize(
    ("file", "freezing", "hail"),
    [
        ("KLBB20160601_150025_V06", 4300, (0.0, 0.0001)),
        ("KFWS20190609_222523_trim_V06", 4500, (0.002, 0.015)),
    ],
)
def test_rain_of_klbb_is_not_hail_and_the_severe_storm_of_kfws_is(
    samples: Path, file: str, freezing: float, hail: tuple[float, float]
):
    """Both of S band, and to neither was anything fitted: next to no hail in the one, some in the other."""
    shares = []
    for sweep in read_sweeps(samples / "hail" / file):
        if "differential_reflectivity" in sweep.moments and sweep.elevation < 2:
            told = classified(sweep, S, profile(freezing, freezing + 2900)).moments["hail_class"]
            shares.append((told >= 4).sum() / np.isfinite(told).sum())
    assert shares
    assert hail[0] <= min(shares)
    assert max(shares) <= hail[1]


def casa(samples: Path, name: str) -> Sweep:
    (sweep,) = read_sweeps(samples / "casa" / f"{name}.netcdf.gz")
    return classified(sweep, X, DALLAS)


def test_a_squall_line_at_x_band_is_rain(samples: Path):
    """Below the melting level all is water.

    Hail is told of less than one gate in 1,000, and of none in the stratiform part, where cleburne is.
    """
    for name in ("addison.tx-20170329-073139", "denton.tx-20170329-073801", "cleburne.tx-20170329-073002"):
        made = casa(samples, name)
        told = made.moments["hydrometeor"]
        number = told[np.isfinite(told)].astype(int)
        warm = np.isin(number, [1, 2, 10, 11, 12]).mean()
        hail = (made.moments["hail_class"] >= 4).sum() / number.size
        assert warm > 0.98, name
        assert hail <= (0 if name.startswith("cleburne") else 0.001), name


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("cleburne.tx-20170329-073002", "cleburne.tx-20170329-073102", 0.89),
        ("addison.tx-20170329-073040", "addison.tx-20170329-073139", 0.75),
    ],
)
def test_classes_last_from_sweep_to_sweep(samples: Path, first: str, second: str, same: float):
    """A minute later most cells of half a kilometre have the same class."""
    one, other = (casa(samples, name) for name in (first, second))
    geometry = default_geometry([one], step_km=0.5)
    grids = [
        to_grid(replace(made, moments={"reflectivity": made.moments["hydrometeor"]}), geometry).values
        for made in (one, other)
    ]
    both = (grids[0] > 0) & (grids[1] > 0)
    assert both.sum() > 1500
    assert (grids[0] == grids[1])[both].mean() > same


def test_attenuation_at_x_band_is_put_back(samples: Path):
    """Behind the line seen by cleburne up to 25 dB are; nothing where its beam met next to no rain."""
    (sweep,) = read_sweeps(samples / "casa" / "cleburne.tx-20170329-073002.netcdf.gz")
    made = classified(sweep, X, DALLAS)
    back = made.moments["reflectivity"] - sweep.moments["reflectivity"]
    assert 20 < np.nanmax(back) <= 25
    assert np.nanmedian(back[:, made.ranges < 8000]) < 2.5
    assert (sweep.undetect & ~made.undetect).sum() > 1000


def test_a_real_sweep_without_most_of_its_moments_passes(samples: Path):
    """Reflectivity alone gives classes, none of hail."""
    (sweep,) = read_sweeps(samples / "hail" / "MLL2217907250U.010.nc")
    bare = replace(sweep, moments={"reflectivity": sweep.moments["reflectivity"]})
    made = classified(bare, C, MONTE_LEMA)
    assert np.nanmax(made.moments["hail_class"]) == 3
