"""``dynamo alerts move``: a subscriber is somewhere else from the next cycle on."""

from __future__ import annotations

import time

import pytest

from dynamo.alerts.positions import Position, positions_since, record_positions
from dynamo.cli import main

RUNFILE = """
workflow: ./flow.py:flow
inputs: {frame: "in/*.txt"}
alerts:
  subscribers: people.csv
  rules: {hazard: STORM}
  positions: {keep: 2 h}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run file with its people; nothing was run yet."""
    monkeypatch.chdir(tmp_path)
    rows = "clinic,-97.1,32.7,\nschool,-97.2,32.8,desk\nbus,-200,1,\n"
    (tmp_path / "people.csv").write_text(f"id,lon,lat,channel\n{rows}")
    (tmp_path / "flow.yaml").write_text(RUNFILE)
    return tmp_path


def move(capsys, *arguments):
    """Call the command line; return its exit code and what it printed."""
    with pytest.raises(SystemExit) as end:
        main(["alerts", "move", *map(str, arguments)])
    said = capsys.readouterr()
    return end.value.code, said.out, said.err


def test_a_position_is_recorded_for_the_watch(folder, capsys):
    """Numbers may begin with a minus; what it says is how long it holds."""
    code, out, err = move(capsys, "flow.yaml", "clinic", -96.5, -1.25)
    assert (code, err) == (0, "")
    assert out.startswith("clinic is at -96.5, -1.25 until 20")
    journal = folder / ".dynamo" / "journal.db"
    assert positions_since(journal, "flow.yaml", 0.0) == {"clinic": (-96.5, -1.25)}


def test_numbers_the_wrong_way_round_are_refused(folder, capsys):
    """Where they are a place far from all, and among the subscribers if swapped."""
    (folder / "people.csv").write_text("id,lon,lat\nclinic,8.4,47.4\nschool,8.9,47.9\n")
    code, _, err = move(capsys, "flow.yaml", "clinic", 47.5, 8.5)
    assert code == 2
    assert "longitude 47.5, latitude 8.5 is more than 1000 km from all subscribers" in err
    assert "give the longitude first" in err
    assert move(capsys, "flow.yaml", "clinic", 8.5, 47.5)[0] == 0
    assert move(capsys, "flow.yaml", "clinic", 60, 20)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("clinc", 1, 2), "there is no subscriber 'clinc' (did you mean 'clinic'?)"),
        (("clinic", 181, 2), "longitude 181, latitude 2 is out of range"),
        (("clinic", 32.7, -97.1), "are they swapped?"),
        (("clinic", "east", 2), "'east' is not a valid float"),
        (("clinic", 1), "Missing argument 'LAT'"),
    ],
)
def test_what_is_wrong_is_told(folder, capsys, arguments, said):
    """And nothing is recorded."""
    code, out, err = move(capsys, "flow.yaml", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert not (folder / ".dynamo" / "journal.db").exists()


def test_a_run_file_that_tells_nobody_has_nobody_who_moves(folder, capsys):
    """It has no such section."""
    (folder / "flow.yaml").write_text(RUNFILE.partition("alerts:")[0])
    code, _, err = move(capsys, "flow.yaml", "clinic", 1, 2)
    assert code == 2
    assert "has no section 'alerts'" in err


def test_a_later_position_stays(folder, capsys):
    """Posted by a clock that is ahead, say."""
    move(capsys, "flow.yaml", "clinic", 1, 2)
    record_positions(
        folder / ".dynamo" / "journal.db", [Position("flow.yaml", "clinic", 3, 4, time.time() + 30)]
    )
    code, _, err = move(capsys, "flow.yaml", "clinic", 5, 6)
    assert code == 2
    assert "a later position of 'clinic' is known" in err
