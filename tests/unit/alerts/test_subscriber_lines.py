"""Lines of a CSV of subscribers, read many at a time."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.alerts import subscribers_file
from dynamo.alerts.subscriber import Rule
from dynamo.alerts.subscribers_file import read_subscribers

HEAD = "id,lon,lat,distance_km,hazard"
VALUES = st.sampled_from(["a", "b", "c ", "", "1", "-97.5", "32", "200", "x", "1e400", "STORM", "é"])
LINES = st.lists(
    st.one_of(
        st.lists(VALUES, min_size=5, max_size=5),
        st.lists(VALUES, max_size=7),
        st.tuples(st.integers(0, 99).map(str), st.just("-97"), st.just("32"), st.just("5"), st.just("HAIL")),
    ),
    max_size=30,
)


def _quoted(cells):
    """The same line for the reader of quoted values."""
    return ",".join([f'"{cells[0]}"', *cells[1:]]) if cells else ""


def _read(lines, rules=()):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.csv"
        path.write_text("\n".join([HEAD, *lines]), "utf-8")
        return read_subscribers(path, rules, strict=False)


def _told(found):
    subscribers, faults = found
    rules = zip(
        subscribers.ids[subscribers.owner],
        subscribers.within_km,
        np.array(subscribers.hazards, object)[subscribers.hazard],
        strict=True,
    )
    return list(subscribers.ids), list(subscribers.lon), list(rules), [str(fault) for fault in faults]


@settings(max_examples=80, deadline=None)
@given(LINES, st.sampled_from([1, 2, 7, 4096]), st.booleans())
def test_lines_read_together_say_what_each_says_alone(rows, chunk, ruled):
    """Whatever is wrong with some of them, with quotation marks or without, and wherever the file is cut."""
    rules = [Rule("STORM", 20, 10, 60, "phone")] if ruled else []
    plain = [",".join(cells) for cells in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subscribers_file, "_CHUNK", chunk)
        together = _told(_read(plain, rules))
        quoted = _told(_read(list(map(_quoted, rows)), rules))
        patch.setattr(subscribers_file, "_CHUNK", 1)
        assert together == _told(_read(plain, rules)) == quoted


def test_many_lines_are_numbered_through():
    """A fault beyond the lines that are read at a time has its own line, and so has a blank line before it."""
    good = [f"s{n},-97,32,5,HAIL" for n in range(5_000)]
    subscribers, faults = _read([*good, "", "s9,-97", "s4,-96,32,5,HAIL", "last,-97,32,5,HAIL"])
    assert len(subscribers.ids) == 5_001
    assert [fault.line for fault in faults] == [5_003, 5_004]
    assert "line 6" in faults[1].message
