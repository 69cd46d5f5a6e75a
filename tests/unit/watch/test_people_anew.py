"""Subscribers are read again when their file has changed; a faulty one changes nothing and is told."""

from __future__ import annotations

import logging

import pytest

from dynamo.errors import UserError
from dynamo.runfile.alerts import AlertsRule, MatchRule
from dynamo.watch.people import People

HEAD = "id,lon,lat\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(f"{HEAD}a,-97,32\n")
    return path


def people(file, **more):
    rule = AlertsRule("people.csv", [MatchRule("STORM", 45.0, 10.0)], **more)
    return People(rule, file.parent, ["desk"])


def replace(file, text):
    """Put another file in its place, as an editor or a program does."""
    other = file.with_suffix(".new")
    other.write_text(text)
    other.replace(file)


def settled(known):
    """Look twice, as a watch does in two seconds; return those who are told then."""
    known.look()
    known.look()
    return known.now()


def test_who_moves_comes_or_goes_is_minded(file, caplog):
    """The new file's people are known once it was looked at twice; without a change nothing is read."""
    caplog.set_level(logging.INFO)
    known = people(file)
    first = known.now()
    assert settled(known) is first
    replace(file, f"{HEAD}a,-98,33\nb,-97,32\n")
    assert list(settled(known).ids) == ["a", "b"]
    assert known.now().lon.tolist() == [-98, -97]
    assert "2 subscribers" in caplog.text


@pytest.mark.parametrize("text", ["", "no,head\n1,2\n", f"{HEAD}a,200,0\n"])
def test_a_faulty_file_leaves_all_as_it_was_and_is_told_once(file, caplog, text):
    """Nobody is forgotten because of somebody else's typing mistake."""
    known = people(file)
    replace(file, text)
    assert list(settled(known).ids) == ["a"]
    assert list(settled(known).ids) == ["a"]
    assert caplog.text.count("subscribers stay as they were") == 1


def test_a_file_that_is_gone_leaves_all_as_it_was(file, caplog):
    """And when it is there again it is read."""
    known = people(file)
    file.unlink()
    assert list(settled(known).ids) == ["a"]
    assert "cannot be read" in caplog.text
    file.write_text(f"{HEAD}b,-97,32\n")
    assert list(settled(known).ids) == ["b"]


def test_a_file_that_is_written_in_its_place_is_whole_before_a_cycle_goes_by_it(file):
    """However many cycles there are meanwhile: who stands in the half that is still to come is told as before."""
    replace(file, f"{HEAD}a,-97,32\nb,-97,32\n")
    known = people(file)
    both = known.now()
    with file.open("w") as half:
        half.write(f"{HEAD}a,-98,33\n")
        half.flush()
        assert known.now() is both
        known.look()
        assert known.now() is both
        half.write("b,-98,33\n")
    known.look()
    assert known.now() is both
    known.look()
    assert known.now().lon.tolist() == [-98, -98]


def test_a_file_that_changes_all_the_time_is_read_now_and_then(file):
    """At every tenth look, for else what it says would never hold."""
    known, seen = people(file), []
    for number in range(30):
        replace(file, f"{HEAD}a,{number}.{'0' * number},32\n")  # never as long as another
        known.look()
        seen.append(known.now().lon.tolist())
    assert seen == [[-97]] * 9 + [[9]] * 10 + [[19]] * 10 + [[29]]


def test_what_is_wrong_with_the_file_stands_there_until_it_is_mended(file, caplog):
    """Without a question; a file that still changes is looked at once more before it is read."""
    rule = AlertsRule("people.csv", [MatchRule("STORM", 45.0, 10.0)])
    known = People(rule, file.parent, ["desk"], label="hail.yaml: ")
    known.look()
    assert known.wrong == ""
    replace(file, f"{HEAD}a,200,0\n")
    known.look()
    assert known.wrong == ""
    known.look()
    assert "longitude 200" in known.wrong
    assert "hail.yaml: subscribers stay as they were" in caplog.text
    replace(file, f"{HEAD}a,-98,33\n")
    known.look()
    known.look()
    assert known.wrong == ""
    assert known.known.lon.tolist() == [-98]


def test_a_file_without_anybody_is_told(file, caplog):
    """At the start and later, for as long as it is so: it may be meant so, or what writes it failed."""
    replace(file, HEAD)
    known = people(file)
    assert not caplog.text  # whoever only looks at the file does not watch the log
    known.tell()
    assert caplog.text.count("nobody is told") == 1
    replace(file, f"{HEAD}a,-98,33\n")
    settled(known)
    replace(file, HEAD)
    settled(known)
    assert caplog.text.count("nobody is told") == 2
    assert "nobody is told" in known.wrong
    replace(file, f"{HEAD}a,-98,33\n")
    settled(known)
    assert known.wrong == ""


def test_at_the_start_a_faulty_file_is_an_error(file):
    """Before anything runs."""
    file.write_text("nothing")
    with pytest.raises(UserError):
        people(file)
