"""A chart shows what was needed, what was there and what it cost, and says why where it cannot be drawn."""

from __future__ import annotations

import re

import pytest

from dynamo.errors import UserError
from dynamo.fleet.chart import draw

KEYS = ("cores", "ready", "busy", "demand", "waiting", "running", "usd_per_hour", "usd_today")


def rows(*times: float) -> list[dict[str, float]]:
    """Return how a fleet stood at some times."""
    return [{"at": 1.7e9 + at, **dict.fromkeys(KEYS, at / 10)} for at in times]


def test_a_chart_is_the_same_each_time_and_names_what_it_shows(tmp_path):
    """As SVG, byte for byte."""
    for name in ("one.svg", "two.svg"):
        draw("dfw", rows(0, 10, 20, 30), tmp_path / name)
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    for said in ("dfw: what was needed", "needed by the queue", "in the pool", "dollars an hour", "waiting"):
        assert f"<!-- {said}" in text


def test_a_line_is_broken_where_nobody_looked(tmp_path):
    """An hour without a controller is not drawn as if it were known: the paths have one more beginning each."""
    draw("dfw", rows(0, 10, 20, 30), tmp_path / "whole.svg")
    draw("dfw", rows(0, 10, 3610, 3620), tmp_path / "broken.svg")

    def begins(name: str) -> int:
        return sum(
            len(re.findall(r"M ", path))
            for path in re.findall(r' d="([^"]*)"', (tmp_path / name).read_text())
        )

    assert begins("broken.svg") > begins("whole.svg")


def test_a_picture(tmp_path):
    """As PNG."""
    draw("dfw", rows(0, 10), tmp_path / "fleet.png")
    assert (tmp_path / "fleet.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("some", "name", "said"),
    [
        (rows(0), "fleet.svg", "of the slice 'dfw' nothing is known over time yet"),
        (rows(0, 10), "fleet.doc", r"fleet.doc should end in \.svg, \.png, \.pdf"),
        (rows(0, 10), "nowhere/fleet.svg", "cannot write .*fleet.svg: No such file or directory"),
    ],
)
def test_what_cannot_be_drawn_is_said(tmp_path, some, name, said):
    """Nothing to draw, a name that says no form, a folder that is not there."""
    with pytest.raises(UserError, match=said):
        draw("dfw", some, tmp_path / name)
