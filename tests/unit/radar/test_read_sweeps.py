"""Every sweep of real files with all moments, against what h5py, netCDF4 and the bytes themselves say."""

from __future__ import annotations

import bz2
import gzip
import struct
from datetime import UTC, datetime
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest

from dynamo.errors import DataError, UserError
from dynamo.radar.grid import Cell
from dynamo.radar.moments import MOMENTS
from dynamo.radar.polar import Sweep, to_grid
from dynamo.radar.readers import nexrad, odimpolar, read, read_all, read_sweeps
from dynamo.radar.readers.packed import unpack

COMMON = {
    "Reflectivity": "reflectivity",
    "Velocity": "velocity",
    "SpectralWidth": "spectral_width",
    "CrossPolCorrelation": "cross_correlation",
    "DifferentialReflectivity": "differential_reflectivity",
    "DifferentialPhase": "differential_phase",
}
CASA = {
    "addison.tx-20170329-073040": {
        "nyquist": 47.3356, "frequency": 9.5e9, "velocities": 74_641,
        "moments": {"NormalizedCoherentPower": "signal_quality", "SignalToNoiseRatio": "signal_to_noise"},
    },
    "cleburne.tx-20170329-073002": {
        "nyquist": 19.2, "frequency": 9.3685e9, "velocities": 131_225,
        "moments": {"Sqi": "signal_quality"},
    },
    "denton.tx-20170329-073801": {
        "nyquist": None, "frequency": 9.47e9, "velocities": 94_607,
        "moments": {"SpecificPhase": "specific_differential_phase"},
    },
}  # fmt: skip
CAPTAINS_FLAT = "hail/40_20181220_060630.pvol.h5"
KLBB = "hail/KLBB20160601_150025_V06"
KFWS = "hail/KFWS20190609_222523_trim_V06"


@pytest.mark.parametrize("name", CASA)
def test_a_casa_sweep_has_all_that_was_measured(samples: Path, name: str):
    """A moment at every gate with a signal, as stored; no fill, no constant, no byte of a display among them."""
    path, want = samples / "casa" / f"{name}.netcdf.gz", CASA[name]
    moments = COMMON | want["moments"]
    (sweep,) = read_sweeps(path)
    assert set(sweep.moments) == set(moments.values())
    assert sweep.nyquist == (want["nyquist"] and pytest.approx(want["nyquist"], abs=1e-3))
    assert sweep.wavelength == pytest.approx(299_792_458 / want["frequency"], rel=1e-4)
    with netCDF4.Dataset("raw", memory=gzip.decompress(path.read_bytes())) as raw:
        raw.set_auto_maskandscale(False)
        dbz = raw["Reflectivity"][:]
        signal = dbz >= -30
        np.testing.assert_array_equal(sweep.undetect, ~signal)
        for variable, moment in moments.items():
            stored, values = raw[variable][:], sweep.moments[moment]
            known = np.isfinite(values)
            assert values.dtype == np.float32
            np.testing.assert_array_equal(known, signal & (stored > -900))
            np.testing.assert_array_equal(values[known], stored[known])
    assert np.isfinite(sweep.moments["velocity"]).sum() == want["velocities"]
    assert np.nanmin(sweep.moments["cross_correlation"]) > 0.003
    assert np.nanmin(sweep.moments.get("signal_quality", np.zeros(1))) >= 0


def test_a_moment_that_is_a_display_is_known_by_its_numbers(samples: Path, tmp_path: Path):
    """Cleburne's bytes divided by ten, and a signal-to-noise ratio that differs, are measurements."""
    path = tmp_path / "sweep.nc"
    packed = samples / "casa" / "cleburne.tx-20170329-073002.netcdf.gz"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    with netCDF4.Dataset(path, "a") as raw:
        raw["SpecificPhase"][:] = raw["SpecificPhase"][:] / 10
        raw["SignalToNoiseRatio"][3] = 7.5
    (sweep,) = read_sweeps(path)
    assert {"specific_differential_phase", "signal_to_noise"} <= set(sweep.moments)


def test_a_cfradial_volume_is_what_netcdf4_reads(samples: Path):
    """Twenty files of a sweep each: places, angles, ranges, Nyquist velocities, and every moment."""
    names = {
        "reflectivity": "reflectivity", "velocity": "velocity", "spectrum_width": "spectral_width",
        "differential_reflectivity": "differential_reflectivity", "signal_to_noise_ratio": "signal_to_noise",
        "uncorrected_cross_correlation_ratio": "cross_correlation",
        "uncorrected_differential_phase": "differential_phase",
    }  # fmt: skip
    seen = []
    for path in sorted((samples / "hail").glob("MLL*.nc")):
        (sweep,) = read_sweeps(path)
        with netCDF4.Dataset(path) as raw:
            assert set(sweep.moments) == set(names.values())
            for variable, moment in names.items():
                stored = raw[variable][:]
                np.testing.assert_array_equal(sweep.moments[moment], stored.filled(np.nan))
            np.testing.assert_array_equal(sweep.undetect, raw["reflectivity"][:].mask)
            np.testing.assert_array_equal(sweep.azimuths, raw["azimuth"][:])
            np.testing.assert_allclose(sweep.ranges, raw["range"][:])
            assert sweep.elevation == pytest.approx(float(raw["fixed_angle"][0]))
            assert sweep.nyquist == raw["nyquist_velocity"][0]
        assert (sweep.latitude, sweep.longitude, sweep.altitude) == pytest.approx(
            (46.04076, 8.833217, 1626.0)
        )
        assert sweep.wavelength == pytest.approx(0.055, abs=1e-4)
        seen.append((round(sweep.elevation, 1), sweep.nyquist, sweep.ranges.size))
    assert (seen[0], seen[19]) == ((-0.2, 8.25, 492), (40.0, 20.625, 54))


def test_an_odim_volume_is_what_h5py_reads(samples: Path):
    """Fourteen sweeps: gain and offset, azimuths from astart, ranges from rstart in km, Nyquist, wavelength, times."""
    path = samples / CAPTAINS_FLAT
    sweeps = read_sweeps(path)
    assert len(sweeps) == 14
    with h5py.File(path) as file:
        for number, sweep in enumerate(sweeps, start=1):
            group = file[f"dataset{number}"]
            for data, moment in ((1, "reflectivity"), (2, "velocity"), (3, "spectral_width")):
                what, stored = group[f"data{data}/what"].attrs, group[f"data{data}/data"][...]
                values = np.where(stored == what["nodata"], np.nan, stored * what["gain"] + what["offset"])
                np.testing.assert_allclose(sweep.moments[moment], values, atol=1e-4)
            np.testing.assert_array_equal(sweep.undetect, group["data1/data"][...] == 0)
            assert sweep.elevation == group["where"].attrs["elangle"]
            assert sweep.time.strftime("%H%M%S") == group["what"].attrs["endtime"].decode()
            assert sweep.nyquist == group["how"].attrs["NI"] == 39.0
    np.testing.assert_array_equal(sweeps[0].azimuths, np.arange(360))
    assert (sweeps[0].ranges[0], sweeps[0].ranges[-1]) == (1250.0, 299_750.0)
    assert sweeps[0].attributes["rstart"] == "1 km, as ODIM 2.2 has it"
    assert sweeps[0].radar == "CapFlat"
    assert sweeps[0].wavelength == pytest.approx(299_792_458 / 2.88e9)
    assert (sweeps[0].latitude, sweeps[0].longitude, sweeps[0].altitude) == (-35.661, 149.512, 1383.0)


def radials(volume: bytes) -> list[tuple[int, float, dict[bytes, bytes]]]:
    """Return the radials of a volume: number of the elevation, azimuth, blocks (ICD 2620002, tables III and XVII)."""
    found, at, packed = [], 24, b""
    while at < len(volume):
        size = abs(struct.unpack_from(">i", volume, at)[0])
        packed += bz2.decompress(volume[at + 4 : at + 4 + size])
        at += 4 + size
    at = 0
    while at < len(packed):
        halfwords, kind = struct.unpack_from(">HxB", packed, at + 12)
        if kind == 31:
            body = at + 28
            azimuth, elevation_number = struct.unpack_from(">f6xB", packed, body + 12)
            (count,) = struct.unpack_from(">H", packed, body + 30)
            pointers = [p for p in struct.unpack_from(f">{count}I", packed, body + 32) if p]
            blocks = {packed[body + p : body + p + 4]: packed[body + p : body + p + 5000] for p in pointers}
            found.append((elevation_number, azimuth, blocks))
            at += 12 + 2 * halfwords
        else:
            at += 2432
    return found


@pytest.mark.parametrize(("name", "cuts"), [(KLBB, 11), (KFWS, 3)])
def test_a_nexrad_volume_is_what_its_messages_say(samples: Path, name: str, cuts: int):
    """Each cut as it was made: which moments, Nyquist velocity, azimuths, number of gates and of values."""
    codes = {b"DREF": "reflectivity", b"DVEL": "velocity", b"DSW ": "spectral_width", b"DRHO": "cross_correlation",
             b"DZDR": "differential_reflectivity", b"DPHI": "differential_phase"}  # fmt: skip
    sweeps = read_sweeps(samples / name)
    messages = radials((samples / name).read_bytes())
    assert len(sweeps) == cuts
    for number, sweep in enumerate(sweeps, start=1):
        rays = [(azimuth, blocks) for cut, azimuth, blocks in messages if cut == number]
        np.testing.assert_allclose(sweep.azimuths, [azimuth for azimuth, _ in rays], atol=1e-3)
        assert set(sweep.moments) == {codes[code] for code in rays[0][1] if code in codes}
        (nyquist,) = struct.unpack_from(">H", rays[0][1][b"RRAD"], 16)
        assert sweep.nyquist == pytest.approx(nyquist / 100)
        for code, moment in codes.items():
            if moment in sweep.moments:
                values = nothing = 0
                for _, blocks in rays:
                    gates, first, step, size = struct.unpack_from(">HHH5xB", blocks[code], 8)
                    raw = np.frombuffer(blocks[code], f">u{size // 8}", gates, 28)
                    values += int((raw > 1).sum())
                    nothing += int((raw == 0).sum())  # 1: range-folded, nobody knows
                assert np.isfinite(sweep.moments[moment]).sum() == values
                assert moment != "reflectivity" or sweep.undetect.sum() == nothing
                assert (sweep.ranges[0], sweep.ranges[1]) == (first, first + step)
    assert sweeps[0].nyquist < 10 < sweeps[1].nyquist
    assert "velocity" not in sweeps[0].moments
    assert "cross_correlation" not in sweeps[1].moments
    assert sweeps[0].wavelength == pytest.approx(0.105, abs=0.002)


@pytest.mark.parametrize(
    "name", [KFWS, CAPTAINS_FLAT, "hail/MLL2217907250U.003.nc", *(f"casa/{n}.netcdf.gz" for n in CASA)]
)
def test_only_what_is_asked_for_is_read(samples: Path, name: str):
    """The named moments are those of the whole; other sweeps are left out; what nobody has is an error."""
    whole = read_sweeps(samples / name)
    some = read_sweeps(samples / name, moments=["velocity"])
    with_velocity = [s for s in whole if "velocity" in s.moments]
    assert [s.time for s in some] == [s.time for s in with_velocity]
    for one, other in zip(some, with_velocity, strict=True):
        assert list(one.moments) == ["velocity"]
        np.testing.assert_array_equal(one.moments["velocity"], other.moments["velocity"])
        assert not one.undetect.any()
        assert one.nyquist == other.nyquist
    assert [(s.time, s.elevation) for s in whole] == sorted((s.time, s.elevation) for s in whole)
    assert all(set(s.moments) <= set(MOMENTS) for s in whole)
    if "denton" not in name:
        with pytest.raises(DataError, match=r"holds no sweep with specific_differential_phase") as caught:
            read_sweeps(samples / name, moments=["specific_differential_phase"])
        assert str(samples / name) in str(caught.value)


def test_moments_that_do_not_exist_and_files_without_sweeps(samples: Path):
    """A name with its nearest; a composite and a grid are no sweeps."""
    with pytest.raises(UserError, match=r"no moment 'velocty' \(did you mean 'velocity'\?\)"):
        read_sweeps(samples / KFWS, moments=["velocty"])
    for name in ("frames/T_PABV21_C_EUOC_20241126013000.hdf", "grids/casa_dfw_merged_1min_40x400x400.nc"):
        with pytest.raises(DataError, match="holds no sweeps of a radar"):
            read_sweeps(samples / name)


@pytest.mark.parametrize(
    ("name", "radar", "elevation"),
    [("hail/MLL2217907250U.003.nc", "L", 1.0), (CAPTAINS_FLAT, "CapFlat", 0.5)],
)
def test_a_polar_file_becomes_a_grid_of_its_lowest_sweep(
    samples: Path, name: str, radar: str, elevation: float
):
    """By `read` and by `read_all`; the cells are those of the sweep."""
    (grid,) = read(samples / name)
    sweep = min(read_sweeps(samples / name), key=lambda s: s.elevation)
    assert (grid.quantity, grid.attributes["radar"], grid.attributes["elevation"]) == (
        "reflectivity",
        radar,
        elevation,
    )
    np.testing.assert_array_equal(grid.values, to_grid(sweep, grid.geometry).values)
    strongest = np.nanmax(sweep.moments["reflectivity"])
    assert strongest - 2 <= np.nanmax(grid.values) <= strongest
    assert set(np.unique(grid.status)) == {Cell.ECHO, Cell.UNDETECT, Cell.OUT_OF_RANGE}
    (again,) = read_all([samples / name])
    np.testing.assert_array_equal(again.status, grid.status)


@pytest.mark.parametrize("module", [gzip, bz2])
@pytest.mark.parametrize(
    "name", [KFWS, CAPTAINS_FLAT, "hail/MLL2217907250U.003.nc", "casa/cleburne.tx-20170329-073002.netcdf.gz"]
)
def test_archives_are_seen_through(samples: Path, tmp_path: Path, name: str, module):
    """Compressed or not, the sweeps are the same."""
    data = (samples / name).read_bytes()
    plain = gzip.decompress(data) if name.endswith("gz") else data
    path = tmp_path / "file"
    path.write_bytes(module.compress(plain, 1))
    for one, other in zip(read_sweeps(path), read_sweeps(samples / name), strict=True):
        same(one, other)


def same(one: Sweep, other: Sweep) -> None:
    """Fail where two sweeps differ."""
    assert (one.time, one.elevation, one.nyquist, one.radar) == (
        other.time,
        other.elevation,
        other.nyquist,
        other.radar,
    )
    assert list(one.moments) == list(other.moments)
    for moment, values in one.moments.items():
        np.testing.assert_array_equal(values, other.moments[moment])
    np.testing.assert_array_equal(one.azimuths, other.azimuths)
    np.testing.assert_array_equal(one.undetect, other.undetect)


def test_times_of_a_volume_are_those_of_its_sweeps(samples: Path):
    """Each cut of NEXRAD ends later than the one before; the volume begins when its header says."""
    times = [s.time for s in read_sweeps(samples / KLBB)]
    assert times == sorted(set(times))
    assert (
        datetime(2016, 6, 1, 15, 0, 25, tzinfo=UTC)
        < times[0]
        < times[-1]
        < datetime(2016, 6, 1, 15, 7, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    ("name", "count"),
    [("KLBB20160601_150025_V06", 7), ("40_20181220_060630.pvol.h5", 7), ("MLL2217907250U.003.nc", 1)],
)
def test_the_low_sweeps_alone_are_the_same(samples: Path, name: str, count: int):
    """What is above is left out, of whatever format, and the others are as they were."""
    path = samples / "hail" / name
    low = read_sweeps(path, moments=["reflectivity"], highest=5.0)
    every = [s for s in read_sweeps(path, moments=["reflectivity"]) if s.elevation <= 5.0]
    assert len(low) == len(every) == count
    for one, other in zip(low, every, strict=True):
        assert (one.time, one.elevation) == (other.time, other.elevation)
        np.testing.assert_array_equal(one.moments["reflectivity"], other.moments["reflectivity"])
    assert read_sweeps(path, highest=-5.0) == []


@pytest.mark.parametrize(
    ("name", "reader"), [("KLBB20160601_150025_V06", nexrad), ("40_20181220_060630.pvol.h5", odimpolar)]
)
def test_what_looks_too_high_is_not_decoded(samples: Path, monkeypatch, name: str, reader):
    """A volume has twice as many tilts as look near the ground: they would only fill memory."""
    gates = []

    def counting(raw, *how):
        gates.append(raw.size)
        return unpack(raw, *how)

    monkeypatch.setattr(reader, "unpack", counting)
    low = read_sweeps(samples / "hail" / name, moments=["reflectivity"], highest=5.0)
    assert len(gates) == len(low) == 7
