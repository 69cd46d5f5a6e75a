"""Soundings of every kind that is stored, and what is no sounding."""

from __future__ import annotations

import bz2
import gzip
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest

from dynamo.errors import DataError, UserError
from dynamo.radar.sounding import Sounding, read_all_soundings, read_soundings

CASA = "casa_current_sounding_20191111_commit.txt"
ESSEN = "radiosonde_10410_20140610_1200.h5"
MLL = "MLL_20220628_0725_COSMO_profile.txt"
IEM = "IEM_19990504_00Z_FWD_OUN.json"
WYOMING = "OUN_1999050400_uwyo.txt"
SPC = "14061619.OAX"
NIGHT = datetime(1999, 5, 4, tzinfo=UTC)
# file, which of its soundings: station, time, place, 0 C and -20 C in m, by the prototype that read them first
STORED = [
    (CASA, 0, "", None, None, 4811, 7596),
    (SPC, 0, "KOAX", datetime(2014, 6, 16, 19, tzinfo=UTC), (41.32, -96.37), 4606, 7253),
    (WYOMING, 0, "KOUN", datetime(1999, 5, 3, 23, 2, tzinfo=UTC), (35.18, -97.44), 3810, 6465),
    (
        "OUN_2023052212_uwyo.txt",
        0,
        "KOUN",
        datetime(2023, 5, 22, 11, 4, tzinfo=UTC),
        (35.18, -97.44),
        3891,
        6901,
    ),
    (ESSEN, 0, "EDZE", datetime(2014, 6, 10, 12, tzinfo=UTC), (51.4, 6.96), 3764, 6501),
    (IEM, 0, "KAMA", NIGHT, (35.23, -101.7), 3575, 6256),
    (IEM, 1, "KDRT", NIGHT, (29.38, -100.92), 4466, 6955),
    (IEM, 2, "KFWD", NIGHT, (32.82, -97.28), 4206, 6680),
    (IEM, 3, "KOUN", NIGHT, (35.18, -97.44), 3796, 6470),
    (MLL, 0, "", datetime(2022, 6, 28, 7, 25, tzinfo=UTC), None, 4144, 6837),
]


@pytest.mark.parametrize(("file", "which", "name", "time", "place", "zero", "twenty"), STORED)
def test_a_stored_sounding(samples: Path, file, which, name, time, place, zero, twenty):
    """Station, time, place and the two heights, to the metre; nothing to say of any."""
    sounding = read_soundings(samples / "sounding" / file)[which]
    assert (sounding.station, sounding.time) == (name, time)
    assert (sounding.latitude, sounding.longitude) == (place or (None, None))
    found = sounding.profile.levels()
    assert (round(found.freezing_level), round(found.minus20_level)) == (zero, twenty)
    assert found.marks == ()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
@pytest.mark.parametrize("file", [CASA, WYOMING, ESSEN])
def test_content_decides_and_archives_are_seen_through(samples: Path, tmp_path: Path, pack, file):
    """Under any name, compressed: the same levels."""
    plain = read_soundings(samples / "sounding" / file)[0]
    (tmp_path / "x.dat").write_bytes(pack((samples / "sounding" / file).read_bytes()))
    packed = read_soundings(tmp_path / "x.dat")[0]
    np.testing.assert_array_equal(packed.profile.heights, plain.profile.heights)
    np.testing.assert_array_equal(packed.profile.temperatures, plain.profile.temperatures)
    assert packed.time == (plain.time if file == WYOMING else None)


def test_the_caller_knows_better(samples: Path):
    """Name, time and place that are given win over file, name and table."""
    time = datetime(2019, 11, 11, 0, tzinfo=UTC)
    (sounding,) = read_soundings(samples / "sounding" / CASA, name="KFWD", time=time)
    assert (sounding.station, sounding.time, sounding.latitude, sounding.longitude) == (
        "KFWD",
        time,
        32.82,
        -97.28,
    )
    (sounding,) = read_soundings(samples / "sounding" / WYOMING, time=time, latitude=1, longitude=2)
    assert (sounding.station, sounding.time, sounding.latitude, sounding.longitude) == ("KOUN", time, 1, 2)
    (sounding,) = read_soundings(samples / "sounding" / WYOMING, name="truck")
    assert (sounding.station, sounding.latitude) == ("truck", 35.18)
    with pytest.raises(UserError, match="both latitude and longitude"):
        read_soundings(samples / "sounding" / CASA, latitude=1)
    with pytest.raises(DataError, match="must be aware"):
        read_soundings(samples / "sounding" / CASA, time=datetime(2019, 11, 11))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize(
    ("name", "station", "time"),
    [
        ("fwd/KFWD_2019111112.txt", "KFWD", datetime(2019, 11, 11, 12, tzinfo=UTC)),
        ("kfwd-2019-11-11T12:30Z.txt", "KFWD", datetime(2019, 11, 11, 12, 30, tzinfo=UTC)),
        ("20191111120000.72249.dat", "KFWD", datetime(2019, 11, 11, 12, tzinfo=UTC)),
        ("2019111112-OUN.csv", "KOUN", datetime(2019, 11, 11, 12, tzinfo=UTC)),
        ("20191111_FWD.txt", "KFWD", None),
        ("top_20191311_12.txt", "", None),
        ("KXYZ_201911111.txt", "", None),
        ("KFWD_201911111200009.txt", "KFWD", None),
    ],
)
def test_station_and_time_by_name(samples: Path, tmp_path: Path, name, station, time):
    """WMO number, ICAO name or three capitals; a day without an hour, or no day of a calendar, is no time."""
    to = tmp_path / Path(name).name
    shutil.copyfile(samples / "sounding" / CASA, to)
    (sounding,) = read_soundings(to)
    assert (sounding.station, sounding.time) == (station, time)
    assert (sounding.latitude is None) == (station == "")


def test_a_station_that_the_file_names_is_not_another_by_the_files_name(samples: Path, tmp_path: Path):
    """The content wins, also where the table does not know it."""
    text = (samples / "sounding" / SPC).read_text().replace(" OAX ", " XYZ ")
    (tmp_path / "KFWD.txt").write_text(text)
    (sounding,) = read_soundings(tmp_path / "KFWD.txt")
    assert (sounding.station, sounding.latitude) == ("XYZ", None)


def test_a_sounding_names_itself(samples: Path):
    """Station and time, or the file, on one line."""
    assert str(read_soundings(samples / "sounding" / WYOMING)[0]) == "KOUN 1999-05-03 23:02 UTC"
    assert str(read_soundings(samples / "sounding" / CASA)[0]) == f"{CASA}, of unknown time"
    assert isinstance(read_soundings(str(samples / "sounding" / CASA))[0], Sounding)


BROKEN = {
    "empty": (b"", "is empty"),
    "no_data": (b"Unable to retrieve the data for BOI at 2010-12-09 01:00:00.\n", "holds no levels; it begins with"),
    "page": (b"<html><body>Can't get 72364 Observations at 12Z 21 Jun 2025.</body></html>", "holds no levels"),
    "binary": (b"CDF\x01\0\0\0\0", "is no text: expected a sounding of"),
    "archive": (gzip.compress(b"1 2 3\n" * 99999)[:-40], "truncated"),
    "numbers": (b"1 2 3 4\n4 5 6 7\n-8 9 10 11\n", "line 3: begins with -8, which is no pressure"),
    "pressure": (b"900 2 3 4\n1200 5 6 7\n", "line 2: begins with 1200, which is no pressure in hPa"),
    "spc": (b"%TITLE%\n%RAW%\n1000, 2, 3\n%END%\n", "line 3: 3 columns, expected 6: LEVEL, HGHT"),
    "radar_json": (b'{"type": "FeatureCollection"}', "a station has no levels under 'profile'; there is: type"),
    "not_json": (b'[{"station": "KAMA", "profile": [{"hght"', "line 1: no JSON, or it breaks off"),
    "deep": (b"[" * 100000, "line 1: no JSON, or it breaks off"),
    "list": (b"[1, 2]", "no levels under 'profile'; there is: int"),
    "no_stations": (b"[]", "holds no levels"),
    "no_temperature": (b"pressure_hPa,height_m,dewpoint_C\n1000,100,3\n", "line 1: no temperature.*there is: pressure"),
    "cell": (b"height_m,temperature_C\n100,20\n200,warm\n", "line 3: the temperature is 'warm', expected a number"),
    "row": (b"height_m,temperature_C\n100,20\n200,19,4\n300,18\n", "line 3: has 3 columns, expected the 2 of line 1"),
    "cut": (b"pressure_hPa,height_m,temperature_C\n1000,100,20\n900,1000", "line 3: is cut off after '900 1000'"),
    "two": (b"station,height_m,temperature_C\nA,100,20\nB,100,19\n", "line 3: levels of a second station, B"),
    "place": (b"height_m,temperature_C,lat,lon\n100,20,x,3\n", "line 2: the latitude is 'x'"),
    "more": (b"p z t\n1000 100 20\n900 1000 15 3\n", "line 3: 4 columns, expected the 3 that the header names"),
    "unit": (b"height_m,temperature_R\n100,520\n", "temperature is in 'r', expected one of c, degc"),
    "ground": (b"height_agl,temperature_C\n100,20\n", "height is in 'agl', expected .* above sea level"),
    "missing": (b"height_m,temperature_C\n100,-9999\n200,\n300,///\n", "from line 2 on: no level has a temperature"),
    "few": (b"height_m,temperature_C\n100,20\n200,19\n3000,2\n", "from line 2 on: levels .*: 3 .* expected at least 5"),
    "quotes": (b'height_m,temperature_C\n100,"20\n' + b"x" * 200000 + b'"\n', "line 3: field larger than field limit"),
    "header": (b"height_m,temperature_C\n", "no level has a temperature"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_sounding_is_refused_with_its_name(tmp_path: Path, name):
    """The message begins with the file, and says where the fault is and what was expected."""
    data, message = BROKEN[name]
    path = tmp_path / f"{name}.txt"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message) as caught:
        read_soundings(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).count(str(path)) == 1


def test_files_that_are_cut_off(samples: Path, tmp_path: Path):
    """Each stored file with its end missing, within a row or a mark: refused, and the message says so."""
    for file, keep, message in [
        (CASA, -30, "line 124: is cut off after"),
        (SPC, -8, "ends without %END%, is it complete?"),
        (IEM, -200, "no JSON, or it breaks off"),
        (ESSEN, -2000, "HDF5"),
        (WYOMING, -40, "line 32: is cut off after"),
        (MLL, -1, r"line 50: is cut off after '14000 -54.3', is it complete\?"),
    ]:
        (tmp_path / file).write_bytes((samples / "sounding" / file).read_bytes().rstrip()[:keep])
        with pytest.raises(DataError, match=message):
            read_soundings(tmp_path / file)


@pytest.mark.parametrize("file", [CASA, SPC, WYOMING, MLL, IEM])
def test_wherever_a_file_is_cut_off_its_heights_are_right_or_it_is_refused(
    samples: Path, tmp_path: Path, file
):
    """At 150 places: refused, or the heights of the whole file, or extended and marked, within 260 m."""
    whole = (samples / "sounding" / file).read_bytes()
    expected = read_soundings(samples / "sounding" / file)[0].profile.levels()
    kept = 0
    for length in range(1, len(whole), len(whole) // 150):
        (tmp_path / file).write_bytes(whole[:length])
        try:
            found = read_soundings(tmp_path / file)[0].profile.levels()
        except DataError:
            continue
        kept += 1
        assert found.freezing_level == pytest.approx(expected.freezing_level)
        assert found.minus20_level == pytest.approx(expected.minus20_level, abs=260 if found.marks else 1e-6)
    assert (kept > 0) == (file in (CASA, WYOMING, MLL))


def test_the_notes_of_a_station_are_no_sounding(samples: Path):
    """The JSON beside the sounding of Essen has indices and no levels."""
    with pytest.raises(DataError, match="no levels under 'profile'; there is: Station identifier"):
        read_soundings(samples / "sounding" / "radiosonde_10410_20140610_1200.json")


def test_hdf5_without_levels(tmp_path: Path):
    """A file of a radar, and a table of texts."""
    with h5py.File(tmp_path / "radar.h5", "w") as file:
        file["dbz"] = np.zeros((4, 4))
    with pytest.raises(
        DataError, match=r"radar\.h5: HDF5 without a table that has HGHT and TEMP; there is: dbz"
    ):
        read_soundings(tmp_path / "radar.h5")
    with h5py.File(tmp_path / "texts.h5", "w") as file:
        file["data"] = np.array([(b"a", 1.0)], dtype=[("HGHT", "S1"), ("TEMP", "f8")])
    with pytest.raises(DataError, match="HGHT or TEMP is not a column of numbers"):
        read_soundings(tmp_path / "texts.h5")


def test_of_many_files_the_good_ones_are_read_and_the_others_named(samples: Path, tmp_path: Path):
    """One damaged file among others costs nothing but itself, and is told of."""
    (tmp_path / "bad.txt").write_text("nothing\n")
    soundings, left_out = read_all_soundings(
        [samples / "sounding" / CASA, tmp_path / "bad.txt", tmp_path / "none"]
    )
    assert len(soundings) == 1
    assert [what.startswith(str(tmp_path)) for what in left_out] == [True, True]
    assert "cannot be read: No such file" in left_out[1]


def test_one_station_of_several_with_too_few_levels(tmp_path: Path):
    """The message names the station."""
    levels = [{"hght": 100, "tmpc": 20}, {"hght": 200, "tmpc": None}]
    (tmp_path / "a.json").write_text(json.dumps({"profiles": [{"station": "KAMA", "profile": levels}]}))
    with pytest.raises(DataError, match="KAMA: levels with height and temperature: 1 from 100 to 100 m"):
        read_soundings(tmp_path / "a.json")
