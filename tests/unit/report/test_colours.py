"""The colours of drawings and reports."""

from __future__ import annotations

import re

import pytest

from dynamo.report.colours import DARK, LIGHT, STATES, STEPS, style

TEXT = ("ink", "muted", "accent", "done", "reused", "failed", "blocked", "running")


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1, section 1.4.3)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("text", TEXT)
@pytest.mark.parametrize("ground", ["page", "card"])
def test_text_can_be_read_by_everybody(scheme, text, ground):
    """At least 4.5 to 1 on every ground (WCAG 2.1 AA)."""
    assert contrast(scheme[text], scheme[ground]) >= 4.5


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_bars_stand_out_from_the_card(scheme):
    """The colours of steps are seen on both grounds, though not as text."""
    assert all(contrast(colour, scheme["card"]) >= 2.2 for colour in STEPS)
    assert contrast(scheme["failed"], scheme["badcard"]) >= 4.5
    assert contrast(scheme["muted"], scheme["frame"]) >= 4.5


def test_both_schemes_name_the_same_colours():
    """None is missing in the dark, and every state has one."""
    assert list(LIGHT) == list(DARK)
    assert set(STATES) < set(LIGHT)


@pytest.mark.parametrize("name", ["page", "graph"])
def test_style_sheets_are_filled_in(name):
    """No name of a colour is left, braces match, and the dark ones stand in their own block."""
    text = style(name)
    assert "$" not in text
    assert text.count("{") == text.count("}")
    light, dark = text.split("@media (prefers-color-scheme: dark)")
    assert LIGHT["ink"] in light
    assert DARK["ink"] in dark
    assert not re.search(r"url\(|@import", text)
