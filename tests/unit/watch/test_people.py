"""The people of a run file, and what becomes of them while it is watched."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from dynamo.alerts.subscriber import Subscribers
from dynamo.errors import UserError
from dynamo.runfile.alerts import AlertsRule, MatchRule
from dynamo.watch.people import FaultyPeopleError, People, read_people

HEAD = "id,lon,lat,channel\n"


def alerts(folder: Path, rows: str, **more) -> AlertsRule:
    """An alerts section with these subscribers."""
    (folder / "people.csv").write_text(HEAD + rows)
    return AlertsRule("people.csv", [MatchRule("STORM", 45.0, 5.0, 1800.0)], **more)


def settled(people: People) -> Subscribers:
    """Those who are told once a changed file was looked at twice, as a watch does each second."""
    people.look()
    people.look()
    return people.now()


def test_who_asks_for_nothing_gets_the_rules_of_the_run_file(tmp_path):
    """Leads are minutes there, seconds in the run file."""
    people, faults = read_people(alerts(tmp_path, "clinic,-97,32,\n"), tmp_path, ["desk"])
    assert len(people) == 1
    assert (people.min_level.tolist(), people.within_km.tolist()) == ([45], [5])
    assert people.max_lead_minutes.tolist() == [30]
    assert faults == ()


def test_a_channel_that_is_not_there_is_a_fault_of_its_line(tmp_path):
    """With the nearest name; where no channels are known every name passes."""
    rule = alerts(tmp_path, "clinic,-97,32,desk\nschool,-97,32,dsk\n")
    with pytest.raises(FaultyPeopleError, match=r"people\.csv:3: 'school': .*\(did you mean 'desk'\?\)"):
        read_people(rule, tmp_path, ["desk"])
    assert len(read_people(replace(rule, faults="skip"), tmp_path, ["desk"])[0]) == 1
    assert len(read_people(rule, tmp_path, None)[0]) == 2


def test_faulty_lines_are_refused_or_left_out_and_told(tmp_path):
    """With file and line; of very many the first."""
    rows = "clinic,-97,32,\nfar,-97,132,\n"
    with pytest.raises(UserError, match=r"people\.csv: 1 fault in its rows:\n.*people\.csv:3"):
        read_people(alerts(tmp_path, rows), tmp_path, [])
    people, faults = read_people(alerts(tmp_path, rows, faults="skip"), tmp_path, [])
    assert len(people) == 1
    assert len(faults) == 1
    assert faults[0].line == 3


def test_a_file_that_changes_is_read_again_and_one_that_is_wrong_changes_nothing(tmp_path, caplog):
    """What is wrong is told once, not in each cycle."""
    caplog.set_level(logging.INFO, "dynamo")
    rule = alerts(tmp_path, "clinic,-97,32,\n")
    people = People(rule, tmp_path, [])
    first = people.now()
    assert people.now() is first
    alerts(tmp_path, "clinic,-97,32,\nschool,-98,32,\n")
    both = settled(people)
    assert len(both) == 2
    alerts(tmp_path, "clinic,-97,132,\n")
    assert settled(people) is both
    assert settled(people) is both
    assert caplog.text.count("subscribers stay as they were") == 1
    (tmp_path / "people.csv").unlink()
    assert settled(people) is both
    alerts(tmp_path, "clinic,-97,32.5,\n")
    assert len(settled(people)) == 1


def test_more_faults_than_anybody_reads_are_counted(tmp_path):
    """The first twenty are told."""
    rows = "".join(f"far{n},-97,132,\n" for n in range(1030))
    with pytest.raises(
        FaultyPeopleError, match=r"1,030 faults in its rows:(\n  .*){20}\n  and 1,010 more$"
    ) as error:
        read_people(alerts(tmp_path, rows), tmp_path, [])
    assert len(error.value.faults) == 1030
