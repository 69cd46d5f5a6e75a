"""Formats of soundings, on files made here: names, units, missing values, listings as a page or as text."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.errors import DataError
from dynamo.radar.sounding import read_soundings
from dynamo.radar.sounding_formats import listings
from dynamo.radar.sounding_listing import column_of

RULE = "-" * 77
HEAD = f"""{RULE}
   PRES   HGHT   TEMP   DWPT   RELH   MIXR   DRCT   SKNT   THTA   THTE   THTV
    hPa     m      C      C      %    g/kg    deg   knot     K      K      K
{RULE}
"""
# One full row, one without temperature, one without dew point, one without wind, and the first two columns alone.
ROWS = """ 1000.0     56
  986.0    178   25.6   22.1     81  17.31    180      6  300.0  350.9  303.1
  979.0    241                               150     16
  972.0    305   26.0                        175     17  301.6         304.3
  850.0   1550   15.0   12.0     82  10.42                302.0  334.0  303.9
  700.0   3170    4.2   -3.8     56   4.24    255     25  307.1  321.1  307.9
  500.0   5860  -10.5  -22.5     37   1.25    260     40  319.7  324.3  320.0
"""
NOTES = """                         Station identifier: ILX
                             Station number: 74560
                           Observation time: 260611/1200
                           Station latitude: 40.15
                          Station longitude: -89.33
                          Station elevation: 178.0
                            Showalter index: 1.65
"""
TITLE = "74560 ILX Lincoln Observations at 12Z 11 Jun 2026"
PAGE = (
    f"<HTML>\n<TITLE>University of Wyoming - Radiosonde Data</TITLE>\n<H2>{TITLE}</H2>\n<PRE>\n{HEAD}{ROWS}"
    f"</PRE><H3>Station information and sounding indices</H3><PRE>\n{NOTES}</PRE>\n</BODY></HTML>\n"
)
TEXT = f"{TITLE}\n\n{HEAD}{ROWS}\nStation information and sounding indices\n\n{NOTES}"
NOON = datetime(2026, 6, 11, 12, tzinfo=UTC)
NAN = np.nan
HEIGHTS = [56, 178, 241, 305, 1550, 3170, 5860]
TEMPERATURES = [NAN, 25.6, NAN, 26.0, 15.0, 4.2, -10.5]


def only(text: str):
    (found,) = listings(text.encode())
    return found


@pytest.mark.parametrize("text", [PAGE, TEXT, PAGE.replace("\n", "\r\n"), TEXT.replace("\n", "\r\n")])
def test_the_listing_of_wyoming(text):
    """As a page and as text: blanks are missing values, and the notes give station, time and place."""
    found = only(text)
    np.testing.assert_array_equal(found.heights, HEIGHTS)
    np.testing.assert_array_equal(found.temperatures, TEMPERATURES)
    assert (found.station, found.time, found.latitude) == ("74560", NOON, 40.15)
    assert found.longitude == pytest.approx(-89.33)


TODAY = "Observations for Station 74560 at 12 UTC 11 Jun 2026<BR>LINCOLN, IL"


@pytest.mark.parametrize("title", [TITLE, TODAY])
def test_the_title_alone_gives_station_and_time(title):
    """Without the notes below; the page of today has the place in its head."""
    found = only(f"<H3>{title}</H3>\n<PRE>{HEAD}{ROWS}</PRE>\n")
    assert (found.station, found.time) == ("74560", NOON)
    assert len(found.heights) == 7


def test_the_page_of_today_has_the_place_in_a_line_of_its_own():
    """Latitude and longitude in one line below the title."""
    found = only(
        "<H3>Observations for Station 74560 at 12 UTC 11 Jun 2026</H3>\n<I>Latitude: 40.15 Longitude: -89.33</I>\n"
        f"<PRE>{HEAD}{ROWS}</PRE>\n"
    )
    assert (found.station, found.time, found.latitude) == ("74560", NOON, 40.15)


def test_several_soundings_on_one_page():
    """Each with its own title and notes, whether or not it has any."""
    again = (
        PAGE.replace("12Z 11 Jun", "00Z 12 Jun").replace("260611/1200", "260612/0000").replace("25.6", "21.0")
    )
    bare = f"<H2>10410 EDZE Essen Observations at 06Z 12 Jun 2026</H2>\n<PRE>\n{HEAD}{ROWS}</PRE>\n"
    first, second, third = listings((PAGE + again + bare).encode())
    assert [s.station for s in (first, second, third)] == ["74560", "74560", "10410"]
    assert [s.time.hour for s in (first, second, third)] == [12, 0, 6]
    assert [s.temperatures[1] for s in (first, second, third)] == [25.6, 21.0, 25.6]
    assert third.latitude is None


def test_a_page_that_ends_within_its_table():
    """Cut off between rows: the open <PRE> tells."""
    with pytest.raises(DataError, match=r"line 12: ends within <PRE>, is it complete\?"):
        listings(PAGE[: PAGE.index("  972.0")].encode())


def test_eleven_columns_without_a_header():
    """As CASA stores it: blanks are found by the width of the columns."""
    found = only(ROWS)
    np.testing.assert_array_equal(found.heights, HEIGHTS)
    np.testing.assert_array_equal(found.temperatures, TEMPERATURES)
    assert (found.station, found.time) == ("", None)


def test_a_row_that_does_not_stand_below_the_header():
    """Fewer cells than names, and not aligned: no guess is made."""
    text = "p z t\n1000 120 25.0\n900 1000 18.0\n850 15.0\n"
    with pytest.raises(DataError, match=r"line 4: 2 columns, expected 3, or each below its name"):
        listings(text.encode())


LEVELS = {
    1000: (110, 25.0), 925: (790, 20.0), 850: (1530, 16.0), 700: (3170, 6.0), 500: (5860, -8.0), 400: (7560, -20.0),
}  # fmt: skip


def standard(height: str, temperature: str, h=lambda x: x, t=lambda x: x, sep: str = ",") -> str:
    rows = [f"{p}{sep}{h(z):.6f}{sep}{t(c):.6f}" for p, (z, c) in LEVELS.items()]
    return "\n".join([f"pressure_hPa{sep}{height}{sep}{temperature}", *rows, ""])


def kelvin(c):
    return c + 273.15


@pytest.mark.parametrize(
    "text",
    [
        standard("height_m", "temperature_C"),
        standard("geopotential height_gpm", "temperature_K", t=kelvin),
        standard("HGHT [ft]", "TEMP [F]", h=lambda z: z / 0.3048, t=lambda c: c * 9 / 5 + 32),
        standard("alt (km)", "air_temperature_K", h=lambda z: z / 1000, t=kelvin, sep=";"),
        standard("geopotential", "t", h=lambda z: z * 9.80665, t=kelvin, sep="\t"),
        standard("gph (dam)", "tmpc", h=lambda z: z / 10),
        standard("z", "tmpk", t=kelvin),
        standard("HGHT", "TEMP", t=kelvin).replace("TEMP\n", "TEMP\nhPa,gpm,K\n", 1),
        standard("HGHT", "TEMP", sep=" "),
        standard("HGHT", "TEMP", t=kelvin, sep=" ").replace("TEMP\n", "TEMP\nhPa gpm K\n", 1),
        "# decoded TTAA\n\n" + standard("height_m", "temperature_C"),
        json.dumps(
            [{"station": "", "profile": [{"pres": p, "hght": z, "tmpc": c} for p, (z, c) in LEVELS.items()]}]
        ),
        "%TITLE%\n XXX   140616/1900 \n\n%RAW%\n"
        + "".join(f" {p}.00,  {z}.00, {c}, -9999.00,-9999.00, -9999.00\n" for p, (z, c) in LEVELS.items())
        + "%END%\n",
    ],
    ids=range(13),
)
def test_standard_levels_in_any_unit(text):
    """Mandatory levels, with the units that their header names or their numbers show."""
    found = only(text)
    np.testing.assert_allclose(found.heights, [z for z, _ in LEVELS.values()], atol=1e-3)
    np.testing.assert_allclose(found.temperatures, [c for _, c in LEVELS.values()], atol=1e-3)


GAPS = ["-9999", "9999", "9999.00", "99999", "", "///", "//", "-", "NaN", "null", "-999.0", "M"]


@pytest.mark.parametrize("gap", GAPS)
def test_what_stands_for_nothing(gap):
    """Each way to say that a level has no temperature leaves that level out, and the unit stays what it is."""
    found = only(f"height,temperature\n100,293.15\n200,{gap}\n{gap},290.15\n300,289.15\n")
    np.testing.assert_allclose(found.temperatures[:2] + found.temperatures[3:], [20, NAN, 16])
    assert np.isnan(found.heights[2])


@pytest.mark.parametrize("gap", ["-99", "-99.9", "-99.99"])
@pytest.mark.parametrize("kelvin", [0.0, 273.15])
def test_colder_than_any_air_is_nothing(gap, kelvin):
    """Nor is it a temperature by which the unit is told; -90 C is one, of the tropopause over the tropics."""
    found = only(
        f"height,temperature\n100,{20 + kelvin}\n200,{gap}\n300,{16 + kelvin}\n17000,{kelvin - 90}\n"
    )
    np.testing.assert_allclose(found.temperatures, [20, NAN, 16, -90])


def test_a_mark_of_the_byte_order_is_no_part_of_the_first_name():
    """As spreadsheets write it before the header."""
    found = only("\ufeffheight_m,temperature_C\n100,20\n")
    assert found.heights == [100]


def test_time_place_and_station_of_a_table():
    """Of the first level: a balloon drifts, and each of its levels may have its own."""
    found = only(
        "time,longitude,latitude,station,height_m,temperature_C\n"
        '2023-05-22T11:04:00+02:00,262.56,35.18,"72357",345,12.8\n2023-05-22 11:09,262.70,35.2,72357,900,9.0\n'
    )
    assert found.time == datetime(2023, 5, 22, 9, 4, tzinfo=UTC)
    assert found.time.tzinfo is UTC
    assert (found.latitude, found.longitude) == (35.18, pytest.approx(-97.44))
    assert found.station == "72357"
    lost = only("time,longitude,latitude,height_m,temperature_C\nsome day,-99.99,-99.99,345,12.8\n")
    assert (lost.time, lost.latitude, lost.longitude) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("dew point temperature_C", None), ("ice point temperature_C", None), ("wind speed_m/s", None), ("DWPT", None),
        ("potential temperature", None), ("THTA", None), ("relative humidity_%", None), ("temperature", "temperature"),
        ("Pressure (hPa)", "pressure"), ("hght", "height"), ("altitude_m_asl", "height"),
        ("air temperature [K]", "temperature"),
    ],
)  # fmt: skip
def test_names_of_columns(name, what):
    """Temperatures of other things are none."""
    column = column_of(name)
    assert (column.what if column else None) == what


WORDS = st.text(st.characters(codec="utf-8", categories=["L", "P", "Zs"]), max_size=30)


def harmless(line: str) -> bool:
    """A line that is neither a row, a comment with the names of columns, nor a mark of a format."""
    return not any(mark in line.lower() for mark in ("<pre", "</pre", "%")) and "\\" not in line


@given(
    st.lists(st.tuples(st.integers(0, 6), WORDS.filter(harmless)), max_size=8),
    st.permutations(ROWS.splitlines()),
)
def test_unknown_lines_and_the_order_of_rows_do_not_matter(unknown, rows):
    """Text between the rows of a listing, in whatever order these are: the same levels."""
    expected = sorted(zip(HEIGHTS, map(str, TEMPERATURES), strict=True))
    for at, line in unknown:
        rows.insert(at, f"note: {line}")
    found = only(TITLE + "\n" + HEAD + "\n".join(rows) + "\n")
    assert sorted(zip(found.heights, map(str, found.temperatures), strict=True)) == expected


@given(st.binary(max_size=300))
def test_any_bytes_are_a_sounding_or_refused(data):
    """Nothing but a `DataError` comes of what is no sounding."""
    with suppress(DataError):
        assert all(len(one.heights) == len(one.temperatures) > 0 for one in listings(data))


PARTS = [PAGE, TEXT, standard("height_m", "TEMP")]


@given(st.integers(0, len(PAGE)), st.integers(0, len(PAGE)), st.sampled_from(PARTS))
def test_any_part_of_a_sounding_is_read_or_refused(start, length, text):
    """However it is cut: levels or a `DataError`; of a beginning no height is made up, and no temperature."""
    with suppress(DataError):
        listings(text[start : start + length].encode())
    levels = [*zip(HEIGHTS, TEMPERATURES, strict=True), *LEVELS.values()]
    with suppress(DataError):
        for one in listings(text[:length].encode()):
            pairs = [
                pair for pair in zip(one.heights, one.temperatures, strict=True) if np.isfinite(pair).all()
            ]
            assert all(pair in levels for pair in pairs)


def test_fahrenheit_that_nothing_names_is_refused(samples: Path, tmp_path: Path):
    """The network's own file in F: 94 at the ground is no C; the same number again and again is a missing one."""
    rows = [
        line.split() for line in next((samples / "sounding").glob("casa_current*")).read_text().splitlines()
    ]
    rows = [row for row in rows if len(row) == 11]

    def stored(name: str, temperatures: list[str]) -> Path:
        lines = [" ".join([*row[:2], t, *row[3:]]) for row, t in zip(rows, temperatures, strict=True)]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        return tmp_path / name

    with pytest.raises(
        DataError, match=r"a\.txt: temperatures up to 93\.9 C: are they in F\? Say so in a header"
    ):
        read_soundings(stored("a.txt", [f"{float(row[2]) * 1.8 + 32:.1f}" for row in rows]))
    (found,) = read_soundings(stored("b.txt", [row[2] if n % 3 else "99.9" for n, row in enumerate(rows)]))
    assert found.profile.levels().freezing_level == pytest.approx(4811, abs=30)
