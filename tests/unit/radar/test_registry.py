"""The registry of radars: whose sweep it is, what is added to it, and what is said where the YAML does not fit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import yaml

from dynamo.errors import UserError
from dynamo.radar.polar import Sweep
from dynamo.radar.readers import read_sweeps
from dynamo.radar.registry import Radar, UnknownRadarError, band_of, read_registry

FILES = {
    "casa/addison.tx-20170329-073040.netcdf.gz": ("addison.tx", "X", 47.34),
    "casa/cleburne.tx-20170329-073002.netcdf.gz": ("cleburne.tx", "X", 19.2),
    "casa/denton.tx-20170329-073801.netcdf.gz": ("denton.tx", "X", 65.0),
    "hail/KFWS20190609_222523_trim_V06": ("KFWS", "S", 8.51),
    "hail/MLL2217907250U.003.nc": ("Monte Lema", "C", 8.25),
    "hail/40_20181220_060630.pvol.h5": ("Captains Flat", "S", 39.0),
}


def a_sweep(radar: str = "KXYZ", **change) -> Sweep:
    """Make a sweep of 4 rays and 3 gates."""
    values = np.arange(12, dtype="f4").reshape(4, 3)
    values[0, 0] = np.nan
    sweep = Sweep(
        azimuths=np.arange(4) * 90.0,
        ranges=np.arange(3) * 100.0 + 50,
        elevation=1.0,
        moments={"reflectivity": values, "differential_reflectivity": values / 4, "velocity": values},
        undetect=np.isnan(values),
        latitude=32.0,
        longitude=-97.0,
        altitude=0.0,
        time=datetime(2024, 1, 1, tzinfo=UTC),
        radar=radar,
    )
    return replace(sweep, **change)


@pytest.mark.parametrize("name", FILES)
def test_the_radar_of_every_sample_is_known(samples: Path, name: str):
    """By the name in its file; its band is that of the file's wavelength, its Nyquist velocity the file's if any."""
    radar, band, nyquist = FILES[name]
    sweep = read_sweeps(samples / name)[0]
    found = read_registry().of(sweep)
    assert (found.name, found.band, found.scheme) == (radar, band, f"{band.lower()}-band")
    assert band_of(sweep) == band
    assert found.calibrated(sweep).nyquist == pytest.approx(nyquist, abs=0.01)
    measured = sorted({round(s.elevation, 1) for s in read_sweeps(samples / name)})
    if found.elevations:
        assert set(measured) <= set(found.elevations)


def test_a_file_of_one_s_own_adds_and_replaces(tmp_path: Path):
    """Offsets are added where there is a value, only to their moments; entries of one's own go before ours."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "radars:\n"
        "  denton.tx:\n    band: X\n    nyquist: 14\n    system_phase: -190.5\n"
        "    calibration:\n      reflectivity: 1.5\n      differential_reflectivity: -0.25\n"
        "  Ours:\n    names: [KX*]\n    band: S\n    elevations: [0.5, 1.5]\n    every: 300\n"
        "    scheme: c-band\n"
    )
    registry = read_registry(path)
    denton = registry.of(a_sweep("denton.tx"))
    assert denton == Radar(
        "denton.tx", "X", nyquist=14.0, system_phase=-190.5, reflectivity_offset=1.5,
        differential_reflectivity_offset=-0.25,
    )  # fmt: skip
    before = a_sweep("denton.tx")
    after = denton.calibrated(before)
    for moment, offset in (("reflectivity", 1.5), ("differential_reflectivity", -0.25), ("velocity", 0.0)):
        assert after.moments[moment].dtype == np.float32
        np.testing.assert_array_equal(after.moments[moment], before.moments[moment] + np.float32(offset))
    assert after.nyquist == 14
    assert denton.calibrated(replace(before, nyquist=30.0)).nyquist == 30.0
    ours = registry.of(a_sweep("KXYZ"))
    assert (ours.name, ours.every, ours.elevations, ours.scheme) == ("KXYZ", 300, (0.5, 1.5), "c-band")
    assert registry.of(a_sweep("KABC", wavelength=0.105)).wavelength_needed
    assert read_registry().of(a_sweep("KXYZ", wavelength=0.105)).wavelength_needed


def test_an_unknown_radar_says_what_to_write(tmp_path: Path):
    """The nearest name, and YAML that is right as soon as it is in a file."""
    sweep = a_sweep("adison.tx", wavelength=0.032)
    with pytest.raises(UserError, match=r"'adison\.tx' is not in the registry.*mean 'addison\.tx'") as caught:
        read_registry().of(sweep)
    path = tmp_path / "mine.yaml"
    path.write_text("radars:" + str(caught.value).split("radars:")[1])
    found = read_registry(path).of(sweep)
    assert (found.name, found.band, found.site) == ("adison.tx", "X", (32.0, -97.0))
    for odd in ("", "12", "a: b", "no", 'x"y'):
        with pytest.raises(UserError) as caught:
            read_registry().of(a_sweep(odd))
        text = "radars:" + str(caught.value).split("radars:")[1]
        if odd:
            assert list(yaml.safe_load(text)["radars"]) == [odd]
            path.write_text(text)
            assert read_registry(path).of(a_sweep(odd)).name == odd


def test_an_unknown_radar_of_a_known_band_serves_with_a_warning():
    """Its wavelength says what it is; without one, and where the entry is of another place, nothing does."""
    registry = read_registry()
    radar, warning = registry.find(a_sweep("Zeeburg", wavelength=0.053))
    assert (radar.name, radar.band, radar.scheme) == ("Zeeburg", "C", "c-band")
    assert warning == "radar 'Zeeburg' is in no registry: taken as of C band, as its files say, uncalibrated"
    with pytest.raises(UserError, match="write it into a YAML file"):
        registry.find(a_sweep("Zeeburg"))
    known, nothing = registry.find(a_sweep("KFWS", wavelength=0.107))
    assert (known, nothing) == (registry.of(a_sweep("KFWS", wavelength=0.107)), "")


def test_an_entry_that_does_not_fit_is_not_denied(tmp_path: Path):
    """Who wrote it, with the longitude first, reads in the warning of each product what is wrong."""
    path = tmp_path / "mine.yaml"
    path.write_text("radars:\n  Zeeburg: {band: C, site: [4.98, 52.37]}\n")
    there = a_sweep("Zeeburg", latitude=52.37, longitude=4.98)
    radar, warning = read_registry(path).find(replace(there, wavelength=0.053))
    assert (radar.name, radar.band, radar.site) == ("Zeeburg", "C", None)
    assert warning == (
        "radar 'Zeeburg' fits no entry of the registry: 'Zeeburg' is 6174 km away (are latitude and longitude "
        "swapped?); taken as of C band, as its files say, uncalibrated"
    )
    with pytest.raises(UnknownRadarError, match=r"km away \(are latitude and longitude swapped\?\)"):
        read_registry(path).find(there)


@pytest.mark.parametrize("name", ["CPOL", "NOXP", "XPOL"])
def test_four_capitals_alone_are_no_nexrad(name: str):
    """Research radars of C and X band are called so, and their files often tell no frequency."""
    with pytest.raises(UnknownRadarError, match="only of files that tell a wavelength of S band"):
        read_registry().find(a_sweep(name))
    assert read_registry().find(a_sweep(name, wavelength=0.032))[0].band == "X"
    assert read_registry().find(a_sweep("KFWS", wavelength=0.105))[1] == ""


def test_the_entry_of_the_tutorial_is_right(tmp_path: Path):
    """The YAML on the page of radars can be read."""
    page = (Path(__file__).parents[3] / "docs" / "reference" / "radars.md").read_text()
    path = tmp_path / "radars.yaml"
    path.write_text(page.split('```yml title="radars.yaml"\n')[1].split("```")[0])
    radar = read_registry(path).of(a_sweep("ZBG-3", latitude=52.37, longitude=4.98))
    assert (radar.name, radar.reflectivity_offset, radar.elevations[-1]) == ("ZBG-3", 1.5, 10.0)


def test_a_name_alone_is_not_enough():
    """Another radar far away, or of another band, is not taken for the one of that name."""
    with pytest.raises(
        UserError, match=r"'L' is not in the registry of radars \('Monte Lema' is \d+ km away\)"
    ):
        read_registry().of(a_sweep("L"))
    with pytest.raises(UserError, match=r"'NEXRAD' is of S band, its files say C band"):
        read_registry().of(a_sweep("ABCD", wavelength=0.055))
    with pytest.raises(UserError, match=r"'Monte Lema' is 6 km away"):
        read_registry().of(a_sweep("L", latitude=46.0948, longitude=8.8332))
    assert read_registry().of(a_sweep("L", latitude=46.0768, longitude=8.8332)).name == "Monte Lema"  # 4 km
    there = a_sweep("L", latitude=46.04, longitude=8.83)
    assert read_registry().of(there).name == "Monte Lema"
    assert read_registry().of(replace(there, wavelength=0.055)).name == "Monte Lema"


TOP = "radars:\n  A:\n    band: S\n"
BAD = {
    TOP + "    nyquits: 3\n": (4, 5, "did you mean 'nyquist'?"),
    "radars:\n  A:\n    band: K\n": (3, 11, "band of radar 'A' is 'K', must be S, C, X"),
    "radars:\n  A:\n    nyquist: 9\n": (3, 5, "radar 'A' has no 'band'"),
    TOP + "    nyquist: fast\n": (4, 14, "must be a number of m/s from 1 to 200"),
    TOP + "    nyquist: nan\n": (4, 14, "must be a number"),
    TOP + "    beam_width: 1\n": (4, 5, "no key 'beam_width'"),
    TOP + "    site: [1]\n": (4, 11, "a list of two"),
    TOP + "    site: [99, 0]\n": (4, 12, "from -90 to 90"),
    TOP + "    scheme: xband\n": (4, 13, "is 'xband' (did you mean 'x-band'?); there are: c-band, s-band, x-band"),
    TOP + "    wavelength_needed: 1\n": (4, 24, "must be true or false"),
    TOP + "    elevations: [2, 1]\n": (4, 17, "must rise"),
    TOP + "    elevations: 2\n": (4, 17, "must be a list"),
    "radars:\n  A:\n    band: S\n    band: C\n": (4, 5, "'band' is there twice"),
    TOP + "    calibration:\n      reflectivty: 1\n": (5, 7, "mean 'reflectivity'"),
    TOP + "    calibration:\n      reflectivity: 99\n": (5, 21, "from -30 to 30"),
    "radars: [A]\n": (1, 9, "'radars' must be a mapping"),
    "radar: {}\n": (1, 1, "no key 'radar' (did you mean 'radars'?)"),
    "{}\n": (1, 1, "has no 'radars:'"),
    "radars:\n  A: {band: S\n": (3, 1, "is not YAML"),
}  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_every_fault_has_its_place(tmp_path: Path, text: str):
    """File, line, column, and what was expected."""
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    line, column, said = BAD[text]
    with pytest.raises(UserError) as caught:
        read_registry(path)
    assert str(caught.value).startswith(f"{path}:{line}:{column}: ")
    assert said in str(caught.value)


def test_a_file_that_is_none(tmp_path: Path):
    """Absent, empty, binary: named."""
    for name, content, said in (
        ("absent", None, "cannot be read: No such file"),
        ("empty", b"", "holds nothing"),
        ("binary", b"\xff\xfe\x00", "not text in UTF-8"),
    ):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UserError, match=said) as caught:
            read_registry(path)
        assert str(path) in str(caught.value)


def test_a_site_across_the_date_line_is_near():
    """180.01 degrees east and 179.99 west are one place."""
    radar = Radar("fiji", "C", site=(-17.5, 179.99))
    assert radar.misfit(a_sweep("fiji", latitude=-17.5, longitude=-179.99)) == ""
    assert "10 km away" in radar.misfit(a_sweep("fiji", latitude=-17.5, longitude=-179.92))
