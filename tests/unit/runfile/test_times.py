"""Times in file names, and times that people write."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.runfile.times import find_time, parse_time, reader_of


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("addison.tx-20170329-073040.netcdf.gz", (2017, 3, 29, 7, 30, 40)),
        ("PrecipRate_00.00_20190610-000200.grib2", (2019, 6, 10, 0, 2)),
        ("RAD_NL25_RAP_5min_201008260135.h5", (2010, 8, 26, 1, 35)),
        ("T_PABV21_C_EUOC_20241126013000.hdf", (2024, 11, 26, 1, 30)),
        ("KFWS20190609_222523_trim_V06", (2019, 6, 9, 22, 25, 23)),
        ("storm_20240601T120800Z.nc", (2024, 6, 1, 12, 8)),
        ("x_2017-03-29T07:30:40Z.nc", (2017, 3, 29, 7, 30, 40)),
        ("id20179999_20170329_0730.nc", (2017, 3, 29, 7, 30)),
        ("x-20161231-235960.txt", (2016, 12, 31, 23, 59, 59)),
        ("OUN_2023052212_uwyo.txt", (2023, 5, 22, 12)),
        ("2024010100-of-201912312359.txt", (2019, 12, 31, 23, 59)),
    ],
)
def test_common_stamps_are_found(name, time):
    """The first run of digits that is a time is the time, in UTC."""
    assert find_time(name) == datetime(*time, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [
        "frame_01.nc", "20170329.nc", "2017032907304012345.nc", "a_20171399-073040.nc", "20170329_07.nc",
        "2017032924.nc", "2017133107.nc", "72357_1234567890.txt", "20170329071.nc",
    ],
)  # fmt: skip
def test_names_without_a_time_have_none(name):
    """A day alone or with a number, too many digits, or an impossible date or hour is no time."""
    assert find_time(name) is None


@settings(deadline=None)
@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2099, 12, 31)))  # noqa: DTZ001
def test_any_second_is_read_back(moment):
    """A stamp that `strftime` writes is read as the same second, whichever the layout."""
    second = moment.replace(microsecond=0, tzinfo=UTC)
    for layout in ("%Y%m%d-%H%M%S", "%Y%m%d_%H%M%S", "%Y%m%d%H%M%S", "%Y-%m-%dT%H:%M:%SZ"):
        assert find_time(f"radar_{second.strftime(layout)}.nc") == second


@pytest.mark.parametrize(
    ("pattern", "name", "time"),
    [
        ("MLL%y%j%H%M*", "MLL2217907250U.001.nc", (2022, 6, 28, 7, 25)),
        ("%d-%m-%Y*%H%M", "a_29-03-2017_x0730.nc", (2017, 3, 29, 7, 30)),
        ("_*_%Y%m%d-%H%M%S", "a_20170329-070000_20170329-073000.nc", (2017, 3, 29, 7, 30)),
        ("%Y%m%d", "day_20170329.nc", (2017, 3, 29)),
        ("%d%b%Y", "29Mar2017.nc", (2017, 3, 29)),
    ],
)
def test_a_pattern_says_where_the_time_stands(pattern, name, time):
    """Directives of strptime, with * for any characters."""
    assert reader_of(pattern)(name) == datetime(*time, tzinfo=UTC)


def test_a_pattern_that_does_not_fit_finds_nothing():
    """None, also where the digits fit but are no date."""
    assert reader_of("%Y%m%d")("day_2017.nc") is None
    assert reader_of("x%Y%m%d")("x20171399") is None


def test_many_stars_are_one():
    """A pattern of any length is held against a name at once."""
    assert reader_of("*" * 200 + "%Y%m%dQ")("f-20170329-073000-20170329-073000.nc") is None
    assert reader_of("**_%Y%m%d***")("a_20170329_b") == datetime(2017, 3, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("%Q", "unknown directive '%Q'"),
        ("%", "unknown directive"),
        ("%H%M", "gives no day"),
        ("%Y%Y%m%d", "twice"),
    ],
)
def test_a_pattern_that_gives_no_time_is_refused(pattern, words):
    """Before any file is looked at."""
    with pytest.raises(ValueError, match=words):
        reader_of(pattern)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2017-03-29T07:30Z", (2017, 3, 29, 7, 30)),
        ("2017-03-29 07:30", (2017, 3, 29, 7, 30)),
        ("2017-03-29T09:30:00+02:00", (2017, 3, 29, 7, 30)),
        ("20170329T0730", (2017, 3, 29, 7, 30)),
    ],
)
def test_iso_times_are_utc(text, time):
    """Without an offset a time is UTC; with one it is converted."""
    assert parse_time(text) == datetime(*time, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("soon", "not a time"),
        (2017, "not a time"),
        ("2017-03-29", "a day"),
        ("9999-12-31T23:59-05:00", "not of the years 1 to 9999"),
        ("0001-01-01T00:00+05:00", "not of the years 1 to 9999"),
    ],
)
def test_other_words_are_no_time(text, words):
    """A day alone is refused: which end of it is meant is not clear."""
    with pytest.raises(ValueError, match=words):
        parse_time(text)
