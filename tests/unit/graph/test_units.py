"""Amounts as people write them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.graph.units import format_bytes, format_seconds, parse_bytes, parse_duration, parse_seconds


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("512 MiB", 512 << 20),
        ("2GB", 2 * 10**9),
        (" 1.5 kib ", 1536),
        (7, 7),
        (".5 kB", 500),
        ("3", 3),
        (1e16, 10**16),
    ],
)
def test_bytes(text, amount):
    """Binary and decimal units, any case, with or without a space."""
    assert parse_bytes(text) == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("60 s", 60),
        ("5 min", 300),
        ("1.5h", 5400),
        ("20 ms", 0.02),
        (0.25, 0.25),
        (1e-5, 1e-5),
        ("2 d", 172800),
        ("1 day", 86400),
        ("2 Hours", 7200),
        ("0", 0),
        (0, 0),
    ],
)
def test_seconds(text, amount):
    """Milliseconds to days."""
    assert parse_seconds(text) == pytest.approx(amount)


@pytest.mark.parametrize(
    ("parse", "value"), [(parse_duration, 30), (parse_duration, "30"), (parse_seconds, " 30 ")]
)
def test_a_time_without_a_unit_is_refused(parse, value):
    """Nobody can tell whether 30 are seconds or minutes; a number of Python is of seconds."""
    with pytest.raises(ValueError, match=r"^30 has no unit; write '30 min' or '30 s'$"):
        parse(value)
    assert parse_seconds(30) == 30


def test_an_unknown_unit_is_told_with_those_there_are():
    """Not with the nearest: of `m` that would be `ms`."""
    with pytest.raises(ValueError, match="unknown unit 'm'; known are ms, s, min, h, d"):
        parse_duration("5 m")


@pytest.mark.parametrize("text", ["", "x", "-1", "1 parsec", "1 2", None, True, float("nan")])
def test_what_is_no_amount_is_refused(text):
    """The message says what was given and what was expected."""
    for parse in (parse_bytes, parse_seconds):
        with pytest.raises(ValueError, match=r"is not an? "):
            parse(text)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *itertools.product((parse_bytes, parse_seconds), ("9" * 400, 2**62, 10**400, 1e300, float("inf"))),
        (parse_bytes, "99999999999 TiB"),
        (parse_seconds, "99999999999999999999 d"),
    ],
)
def test_what_is_too_large_is_refused(parse, text):
    """Amounts fit 64 bits, also added; the message is short."""
    with pytest.raises(ValueError, match="is too large for") as told:
        parse(text)
    assert len(str(told.value)) < 130


@settings(deadline=None)
@given(st.floats(1, 1e8))
def test_amounts_are_short(n):
    """Any amount is told in at most fourteen characters."""
    assert len(format_bytes(n)) <= 9
    assert len(format_seconds(n)) <= 14
