"""Schemes: memberships and thresholds of a band, as data."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from dynamo.errors import DataError
from dynamo.radar.scheme import AXES, read_scheme, scheme, schemes

TEN = (
    "drizzle", "rain", "ice crystals", "aggregates", "wet snow", "vertical ice", "low-density graupel",
    "high-density graupel", "hail", "big drops",
)  # fmt: skip


def said(name: str) -> dict:
    return json.loads((resources.files("dynamo.radar") / "schemes" / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("band", ["S", "C", "X"])
def test_each_band_has_a_scheme_that_says_where_it_comes_from(band: str):
    """The same ten classes have the same numbers, and only hail of some kind is of the severity of hail."""
    one = scheme(f"{band.lower()}-band")
    assert one.band == band
    assert "NPOL" in one.source
    assert tuple(each.name for each in one.classes[:10]) == TEN
    assert {each.name for each in one.classes if each.severity >= 4} <= {"hail", "melting hail"}
    assert one.classes[8].severity == 4
    assert {each.name for each in one.classes if each.liquid} == {"drizzle", "rain", "big drops"}


def test_those_that_come_along_are_listed():
    """By their names, in order."""
    assert schemes() == ("c-band", "s-band", "x-band")


@pytest.mark.parametrize("name", ["c-band", "s-band", "x-band"])
def test_tables_hold_the_functions_of_the_file(name: str):
    """Each value of each class, worked out anew from the file."""
    one, file = scheme(name), said(name)
    for v, (variable, (start, step, size)) in enumerate(AXES.items()):
        x = start + step * np.arange(size)
        for c, about in enumerate(file["classes"].values()):
            m, a, b = about[variable]["beta"]
            expected = 1 / (1 + (((x - m) / a) ** 2) ** b)
            if about[variable].get("open") == "above":
                expected[x > m] = 1
            if about[variable].get("open") == "below":
                expected[x < m] = 1
            low, high = about.get("limits", {}).get(variable, (None, None))
            expected[(x < (low if low is not None else -999)) | (x > (high if high is not None else 999))] = 0
            np.testing.assert_allclose(one.tables[v, :size, c], expected, atol=1e-6)


def test_severity_of_shorter_waves_is_no_higher_without_reason():
    """Only C band calls big drops doubtful, only C and X know melting hail, X tells no large hail."""
    drops = {name: said(name)["classes"]["big drops"]["severity"] for name in schemes()}
    assert drops == {"c-band": 3, "s-band": 2, "x-band": 2}
    assert [("melting hail" in said(name)["classes"]) for name in schemes()] == [True, False, True]
    assert scheme("x-band").large == np.inf


def test_an_unknown_name_shows_the_nearest():
    """And all that there are."""
    with pytest.raises(DataError, match=r"no scheme 'x-bend'.*'x-band'.*c-band, s-band, x-band"):
        scheme("x-bend")


def test_a_file_of_ones_own(tmp_path: Path):
    """It is read like one that comes along, and named by its file."""
    file = tmp_path / "ours.json"
    changed = said("s-band")
    changed["classes"]["hail"]["limits"] = {"reflectivity": [50, None]}
    file.write_text(json.dumps(changed))
    one = read_scheme(file)
    assert one.name == "ours"
    reflectivity = -20 + 0.25 * np.arange(401)
    assert not one.tables[0, :401, 8][reflectivity < 50].any()
    np.testing.assert_array_equal(one.tables[0, :, 7], scheme("s-band").tables[0, :, 7])


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"band": "S", "classes": {"rain": {}}}'])
def test_what_is_no_scheme_is_refused(tmp_path: Path, text: str):
    """With the name of the file."""
    file = tmp_path / "broken.json"
    file.write_text(text)
    with pytest.raises(DataError, match=r"broken.json: this is no scheme"):
        read_scheme(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    """With its name too."""
    with pytest.raises(DataError, match=r"none.json: the scheme cannot be read"):
        read_scheme(tmp_path / "none.json")
