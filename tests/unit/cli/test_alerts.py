"""``dynamo alerts``: what was told is listed, shown, audited, tried again, and tested with an exercise."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from dynamo.alerts.asked import Asked
from dynamo.alerts.lifecycle import Cycle
from dynamo.alerts.match import Match
from dynamo.alerts.policy import Policy
from dynamo.alerts.store import AlertStore
from dynamo.cli import main
from dynamo.journal import Workspace
from dynamo.watch.alone import alone

#: When these tests were collected; others may have taken hours since.
NOW = datetime.now(UTC).replace(microsecond=0)
FLOW = """
from pathlib import Path
from dynamo import Input, Output, task, workflow

@task
def copy(frame: Input, out: Output):
    Path(out).write_text(Path(frame).read_text())

@workflow
def flow(frame: Input):
    copy(frame, out='out.txt')
"""
RUNFILE = """
workflow: ./flow.py:flow
inputs: {{frame: "in/*.txt"}}
alerts:
  subscribers: people.csv
  rules: [{{hazard: STORM, level: ">= 45", within: 10 km}}]
  folders: [{{name: drop, folder: dropped}}]
  {more}
"""
PEOPLE = "id,lon,lat\nclinic,-97.1,32.7\nschool,-97.2,32.8\n"


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A workspace in which the clinic was told of a storm and the school was not reached."""
    monkeypatch.chdir(tmp_path)
    store = AlertStore(Workspace.open(tmp_path / ".dynamo").journal)
    found = [match("clinic", "flow.yaml/drop"), match("school", "flow.yaml/gone")]
    store.judge(Cycle("flow.yaml", "flow-1", "STORM", NOW, NOW), found, Policy())
    store.close()
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "flow.yaml").write_text(RUNFILE.format(more=""))
    return tmp_path


def match(subscriber, channel):
    return Match(
        subscriber, -97.1, 32.7, "STORM", 50.0, "dBZ", NOW + timedelta(minutes=10), NOW + timedelta(days=1),
        inside=False, distance_km=4.0, bearing_deg=270.0, within_km=10.0, narrowest_km=10.0, way=channel, source="abc",
    )  # fmt: skip


def bury(desk):
    """Give up what waits for the channel that is gone, as a sender does."""
    with closing(sqlite3.connect(desk / ".dynamo" / "journal.db")) as db, db:
        db.execute(
            "UPDATE deliveries SET state = 'dead', reason = 'no answer' WHERE channel = 'flow.yaml/gone'"
        )
        db.execute("DELETE FROM queues WHERE channel = 'flow.yaml/gone'")


def dynamo(capsys, *arguments):
    """Call the command line; return its exit code and what it printed."""
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    said = capsys.readouterr()
    return end.value.code, said.out, said.err


def test_alerts_are_listed_the_latest_first(desk, capsys):
    """A line for each, with id, time, kind and words; filters leave the others out."""
    code, out, _ = dynamo(capsys, "alerts", "list")
    assert code == 0
    assert len(out.splitlines()) == 2
    assert "new        STORM 50 dBZ comes within 10 km of clinic" in out
    _, out, _ = dynamo(
        capsys, "alerts", "list", "--subscriber", "school", "--active", "--since", "1 day", "--json"
    )
    assert [one["subscriber"] for one in json.loads(out)] == ["school"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "--hazard", "STROM"], "nobody was ever told of 'STROM' (did you mean 'STORM'?)"),
        (["list", "--hazard", "storm"], "nobody was ever told of 'storm' (did you mean 'STORM'?)"),
        (["list", "--hazard", "wind"], "nobody was ever told of 'wind'; there are STORM"),
        (["list", "--subscriber", "clinc"], "no subscriber 'clinc' was ever told of anything (did you mean 'clinic'?)"),
        (["list", "--subscriber", "clinic", "--since", "0 s"], "no alert to clinic since 2"),
        (["deadletter", "--channel", "drop"],
         "nothing was ever to be sent to a channel 'drop' (did you mean 'flow.yaml/drop'?)"),
        (["deadletter", "--channel", "flow.yaml/drop"], "nothing for flow.yaml/drop was given up"),
    ],
)  # fmt: skip
def test_an_empty_list_says_why(desk, capsys, arguments, said):
    """On standard error, for it is no fault; what a program reads stays JSON."""
    code, out, err = dynamo(capsys, "alerts", *arguments)
    assert (code, out) == (0, "")
    assert err.startswith(said)
    code, out, err = dynamo(capsys, "alerts", *arguments, "--json")
    assert (code, json.loads(out), err.startswith(said)) == (0, [], True)


def test_before_the_first_alert_the_list_is_empty(tmp_path, capsys):
    """Whoever is asked for."""
    workspace = Workspace.open(tmp_path / "new")
    AlertStore(workspace.journal).close()
    for arguments in ([], ["--subscriber", "school"]):
        code, _, err = dynamo(capsys, "alerts", "list", "--workspace", workspace.root, *arguments)
        assert (code, err) == (0, "nobody was told of anything yet\n")


def test_an_alert_is_shown_in_each_form(desk, capsys):
    """The beginning of its id is enough."""
    name = json.loads(dynamo(capsys, "alerts", "list", "--subscriber", "clinic", "--json")[1])[0]["id"]
    assert "4.0 km" in dynamo(capsys, "alerts", "show", name[:10])[1]
    assert json.loads(dynamo(capsys, "alerts", "show", name, "--form", "cloudevents")[1])["id"] == name
    assert json.loads(dynamo(capsys, "alerts", "show", name, "--form", "geojson")[1])["type"] == "Feature"
    assert "<identifier>" in dynamo(capsys, "alerts", "show", name, "--form", "cap")[1]
    code, _, err = dynamo(capsys, "alerts", "show", "nothing")
    assert (code, "no alert 'nothing'" in err) == (2, True)


def test_an_audit_tells_the_chain(desk, capsys):
    """Run, cycle, rule, match, episode, message and delivery, in words and as JSON."""
    name = json.loads(dynamo(capsys, "alerts", "list", "--subscriber", "clinic", "--json")[1])[0]["id"]
    _, out, _ = dynamo(capsys, "alerts", "audit", name)
    told = [line.split()[0] for line in out.splitlines()]
    assert told == ["run", "judged", "rule", "match", "episode", "message", "delivery"]
    assert "flow.yaml/drop: waiting" in out.replace(f"{name}@", "")
    chain = json.loads(dynamo(capsys, "alerts", "audit", name, "--json")[1])
    assert (chain["run"], chain["alert"]["id"], chain["deliveries"][0]["state"]) == (
        "flow-1",
        name,
        "waiting",
    )


def test_the_audit_of_an_update_tells_why(desk, capsys):
    """By what it says that the alert before did not; a new one has no such line."""
    (new,) = json.loads(dynamo(capsys, "alerts", "list", "--subscriber", "clinic", "--json")[1])
    later = NOW + timedelta(minutes=1)
    with AlertStore(Workspace.find(desk / ".dynamo").journal) as store:
        worse = match("clinic", "flow.yaml/drop")._replace(level=60.0)
        (told,) = store.judge(Cycle("flow.yaml", "flow-2", "STORM", later, later), [worse]).alerts
    assert "update     worse: 60 dBZ, not 50\n" in dynamo(capsys, "alerts", "audit", told.id)[1]
    said = [
        json.loads(dynamo(capsys, "alerts", "audit", one, "--json")[1])["changes"]
        for one in (told.id, new["id"])
    ]
    assert said == [["worse: 60 dBZ, not 50"], []]


def test_the_audit_of_an_all_clear_tells_why_it_is_over(desk, capsys):
    """What was told last, what the rules ask for, and each cycle that held nothing of it; not the old match."""
    ask = {("clinic", "flow.yaml/drop"): Asked(-97.1, 32.7, 45.0, 10.0, lead_minutes=30.0)}
    with AlertStore(Workspace.find(desk / ".dynamo").journal) as store:
        for n, known in enumerate((1.0, 0.0, 1.0, 1.0), 2):  # of one cycle hardly anything was seen
            later = NOW + timedelta(minutes=n)
            cycle = Cycle("flow.yaml", f"flow-{n}", "STORM", later, later, known)
            told = store.judge(cycle, [], asking=lambda _: ask).alerts
    (over,) = told
    _, out, _ = dynamo(capsys, "alerts", "audit", over.id)
    lines = dict(
        line.split(maxsplit=1) for line in out.splitlines() if not line.startswith(("clear", "last told"))
    )
    assert lines["rule"] == "STORM from 45 dBZ on within 10 km of -97.10000, 32.70000, up to 30 min ahead"
    assert "match" not in lines
    (last,) = [line for line in out.splitlines() if line.startswith("last told ")]
    assert last.startswith("last told  50 dBZ, 4.0 km away, data of ")
    assert last.endswith(f", by {over.references[-1].id}")
    clear = [line for line in out.splitlines() if line.startswith("clear ")]
    assert [(line[:9], line.rpartition(" ")[2]) for line in clear] == [
        ("clear 1/3", "flow-2"), ("clear 2/3", "flow-4"), ("clear 3/3", "flow-5"),
    ]  # fmt: skip
    why = json.loads(dynamo(capsys, "alerts", "audit", over.id, "--json")[1])["cleared"]
    assert (why["count"], why["level"], why["lead_minutes"], len(why["cycles"])) == (3, 45, 30, 3)


def test_the_audit_of_an_all_clear_is_of_its_own_channel(desk, capsys):
    """Of one episode each channel may have been told other things, or have heard nothing more."""
    bell, desk_, drop = ways = [f"flow.yaml/{name}" for name in ("bell", "desk", "drop")]
    old = NOW - timedelta(hours=3)
    met = {"hazard": "HAIL", "onset": old, "ends": old}
    steps = [  # minute, which levels by way, which rules
        (0, {"": 50}, [""]),
        (1, {bell: 60, drop: 90}, ways),
        *((n, {bell: 60, drop: 90}, [bell, drop]) for n in (40, 80)),
        *((n, {drop: 90}, [bell, drop]) for n in (81, 82, 83)),
    ]
    with AlertStore(Workspace.find(desk / ".dynamo").journal) as store:
        for minute, levels, asked in steps:
            at = old + timedelta(minutes=minute)
            asks = {("depot", way): Asked(-97.1, 32.7, 45.0, 10.0) for way in asked}
            told = store.judge(
                Cycle("flow.yaml", f"hail-{minute}", "HAIL", at, at, channels=tuple(ways)),
                [match("depot", way)._replace(level=level, **met) for way, level in levels.items()],
                asking=lambda _, asks=asks: asks,
            ).alerts
        (first,) = [one for one in store.alerts(subscriber="depot") if one.kind == "new"]
    (over,) = told
    said = dynamo(capsys, "alerts", "audit", over.id)[1]
    assert "\nlast told  60 dBZ" in said
    assert f", by {over.references[-1].id}\n" in said
    assert "\nlapsed " not in said
    said = dynamo(capsys, "alerts", "audit", first.id)[1]
    assert f": without an all clear to {desk_}: nobody asks for it any more\n" in said


def test_the_audit_of_an_all_clear_of_an_older_version_tells_what_it_can(desk, capsys):
    """Its journal did not keep what the rules asked for."""
    ask = {("clinic", "flow.yaml/drop"): Asked(-97.1, 32.7, -math.inf, 0.0)}
    with AlertStore(Workspace.find(desk / ".dynamo").journal) as store:
        for n in (2, 3, 4):
            later = NOW + timedelta(minutes=n)
            told = store.judge(
                Cycle("flow.yaml", f"flow-{n}", "STORM", later, later), [], asking=lambda _: ask
            ).alerts
    assert "rule       STORM at -97.10000, 32.70000\n" in dynamo(capsys, "alerts", "audit", told[0].id)[1]
    with closing(sqlite3.connect(desk / ".dynamo" / "journal.db")) as db, db:
        db.execute("DELETE FROM cleared")
    _, out, _ = dynamo(capsys, "alerts", "audit", told[0].id)
    assert "\nlast told " in out
    assert "\nclear " not in out
    assert json.loads(dynamo(capsys, "alerts", "audit", told[0].id, "--json")[1])["cleared"] is None


def test_the_audit_tells_when_what_failed_may_be_tried_again(desk, capsys):
    """And what was answered, with the status of HTTP."""
    with closing(sqlite3.connect(desk / ".dynamo" / "journal.db")) as db, db:
        db.execute(
            "INSERT INTO tries (delivery, n, at, seconds, outcome, status, response)"
            " SELECT id, 1, 0, 0.25, 'again', 500, 'boom' FROM deliveries"
        )
        db.execute("UPDATE deliveries SET due = 60")
    name = json.loads(dynamo(capsys, "alerts", "list", "--subscriber", "clinic", "--json")[1])[0]["id"]
    *_, delivery, tried = dynamo(capsys, "alerts", "audit", name)[1].splitlines()
    assert delivery.endswith(": waiting, not tried again before 1970-01-01T00:01:00.000Z")
    assert tried == "  try 1    1970-01-01T00:00:00.000Z, 0.250 s: failed 500 boom"


def test_a_list_says_what_was_not_sent(desk, capsys):
    """Else it reads as if somebody had been told; nothing is added where it was."""
    states = {}
    for state in ("sent", "dropped", "dead"):
        with closing(sqlite3.connect(desk / ".dynamo" / "journal.db")) as db, db:
            db.execute("UPDATE deliveries SET state = ? WHERE channel = 'flow.yaml/drop'", (state,))
        (line,) = dynamo(capsys, "alerts", "list", "--subscriber", "clinic")[1].splitlines()
        (one,) = json.loads(dynamo(capsys, "alerts", "list", "--subscriber", "clinic", "--json")[1])
        states[one["deliveries"]["flow.yaml/drop"]] = line.rpartition("  ")[2]
    assert states == {"sent": "to drop", "dropped": "to drop (dropped)", "dead": "to drop (dead)"}


def test_a_list_says_on_which_channels_and_may_be_of_one(desk, capsys):
    """Else two alerts of one subscriber, each on its own channel, look alike."""
    first, second = dynamo(capsys, "alerts", "list")[1].splitlines()
    assert {line.rpartition("  ")[2] for line in (first, second)} == {
        "to drop (waiting)",
        "to gone (waiting)",
    }
    (one,) = json.loads(dynamo(capsys, "alerts", "list", "--channel", "flow.yaml/gone", "--json")[1])
    assert (one["subscriber"], one["channels"]) == ("school", ["flow.yaml/gone"])
    assert "did you mean 'flow.yaml/gone'?" in dynamo(capsys, "alerts", "list", "--channel", "gone")[2]


def test_what_expired_in_waiting_is_counted_beside_the_dead_letters(desk, capsys):
    """It was lost as well, and nobody can have it sent any more."""
    with closing(sqlite3.connect(desk / ".dynamo" / "journal.db")) as db, db:
        db.execute(
            "UPDATE deliveries SET state = 'dropped', reason = 'expired' WHERE channel = 'flow.yaml/gone'"
        )
    said = dynamo(capsys, "alerts", "deadletter")[2]
    assert said == "nothing was given up\n1 delivery expired in waiting, and cannot be replayed\n"
    assert "expired" not in dynamo(capsys, "alerts", "deadletter", "--channel", "flow.yaml/drop")[2]


def test_who_replays_while_a_watch_is_at_work_need_not_start_one(desk, capsys):
    """It sends what is replayed."""
    bury(desk)
    with alone(desk / ".dynamo", "flow.yaml"):
        assert dynamo(capsys, "alerts", "replay", "--all")[1] == "1 to be delivered\n"


def test_dead_letters_are_listed_and_tried_again(desk, capsys):
    """With the reason; replayed by name or all at once; what is none is told."""
    bury(desk)
    _, out, _ = dynamo(capsys, "alerts", "deadletter")
    assert out.rstrip().endswith("after 0 tries: no answer")
    name = out.split()[0]
    idle = "; nobody does that until `dynamo watch flow.yaml` runs"
    assert dynamo(capsys, "alerts", "replay", name)[1] == f"1 to be delivered{idle}\n"
    assert dynamo(capsys, "alerts", "deadletter", "--json")[1] == "[]\n"
    assert dynamo(capsys, "alerts", "replay", "--all")[1] == "nothing to replay\n"
    channel = ["--channel", "flow.yaml/drop"]
    for wrong in ([], [name, "--all"], ["nothing"], [name, *channel], ["--all", *channel]):
        assert dynamo(capsys, "alerts", "replay", *wrong)[0] == 2


def test_a_channel_that_was_closed_is_opened_by_its_name(desk, capsys):
    """Also where none of its deliveries is left; of a name that there is not, the one that is meant is told."""
    bury(desk)
    with closing(sqlite3.connect(desk / ".dynamo" / "journal.db")) as db, db:
        (dead,) = db.execute("SELECT count(*) FROM deliveries WHERE state = 'dead'").fetchone()
        db.execute(
            "INSERT INTO closed_channels VALUES ('flow.yaml/gone', 0, '410'), ('flow.yaml/old', 0, '410')"
        )

    def opened(name):
        return dynamo(capsys, "alerts", "replay", "--channel", name)

    assert opened("flow.yaml/gone")[:2] == (
        0, f"flow.yaml/gone is open, {dead} to be delivered; nobody does that until `dynamo watch flow.yaml` runs\n"
    )  # fmt: skip
    assert opened("flow.yaml/old")[:2] == (0, "flow.yaml/old is open, nothing to replay\n")
    with closing(sqlite3.connect(desk / ".dynamo" / "journal.db")) as db:
        assert db.execute("SELECT * FROM closed_channels").fetchall() == []
    for wrong in ("GONE", "flow.yaml/gnoe"):
        code, _, said = opened(wrong)
        assert code == 2
        assert "did you mean 'flow.yaml/gone'?" in said


def test_an_exercise_reaches_a_subscriber_and_is_marked(desk, capsys):
    """It goes through the real channel, and changes no episode."""
    code, out, _ = dynamo(capsys, "alerts", "test", "flow.yaml", "--subscriber", "school")
    assert (code, out.startswith("flow.yaml/drop: sent")) == (0, True)
    told = [json.loads(path.read_text())["properties"] for path in (desk / "dropped").iterdir()]
    assert [one["subscriber"] for one in told if one["exercise"]] == ["school"]
    active = json.loads(dynamo(capsys, "alerts", "list", "--active", "--json")[1])
    assert [one["exercise"] for one in active] == [False, False]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["test", "flow.yaml", "--subscriber", "scool"], "did you mean 'school'?"),
        (["test", "none.yaml", "--subscriber", "school"], "no such run file"),
        (["list", "--since", "soon"], "--since: 'soon' is not a time"),
        (["list", "--workspace", "elsewhere"], "there is no workspace"),
    ],
)
def test_what_is_wrong_is_told(desk, capsys, arguments, said):
    """Exit code 2, in one line."""
    code, _, err = dynamo(capsys, "alerts", *arguments)
    assert code == 2
    assert said in err
    assert len(err.splitlines()) == 1


def test_what_ended_without_an_all_clear_is_listed_and_audited_so(desk, capsys):
    """An alert that nobody judged since is marked as expired; why one ended is in its audit."""
    old, now = NOW - timedelta(hours=9), NOW
    with AlertStore(Workspace.find(desk / ".dynamo").journal) as store:
        gone = match("depot", "")._replace(hazard="HAIL", onset=old, ends=old)
        store.judge(Cycle("flow.yaml", "flow-0", "HAIL", old, old, channels=("flow.yaml/drop",)), [gone])
        listed = [
            line for line in dynamo(capsys, "alerts", "list", "--active")[1].splitlines() if "depot" in line
        ]
        assert listed[0].endswith("(expired)")
        assert "(expired)" not in dynamo(capsys, "alerts", "list")[1]
        store.lapse("flow.yaml", {"STORM"}, now, now)
    assert "depot" not in dynamo(capsys, "alerts", "list", "--active")[1]
    name = listed[0].split()[0]
    said = dynamo(capsys, "alerts", "audit", name)[1]
    assert ": without an all clear to flow.yaml/drop: no product speaks of it any more" in said
    (end,) = json.loads(dynamo(capsys, "alerts", "audit", name, "--json")[1])["lapsed"]
    assert (end["reason"], end["channels"]) == ("no product speaks of it any more", ["flow.yaml/drop"])


def test_an_exercise_goes_to_all_channels_of_who_names_some_in_some_rules_only(desk, capsys):
    """A rule without a channel means all of them."""
    more = "programs: [{name: bell, run: [/bin/true]}]"
    rule = "rules: [{hazard: STORM, level: '>= 45', within: 10 km}, {hazard: STORM, to: bell}]"
    text = RUNFILE.format(more=more).replace('rules: [{hazard: STORM, level: ">= 45", within: 10 km}]', rule)
    (desk / "flow.yaml").write_text(text)
    code, out, err = dynamo(capsys, "alerts", "test", desk / "flow.yaml", "--subscriber", "school")
    assert code == 0, err
    assert [line.split(": ")[0] for line in out.splitlines()] == ["flow.yaml/bell", "flow.yaml/drop"]


def test_an_exercise_waits_for_itself_only_and_gives_up_nothing_else(desk, capsys, monkeypatch):
    """What waits of real alerts, before it and on other channels, is tried as ever and stays for the watch."""
    more = "programs: [{name: bell, run: [/bin/sh, -c, exit 75]}]"
    text = RUNFILE.format(more=more).replace("within: 10 km}", "within: 10 km, to: [drop, bell]}")
    (desk / "flow.yaml").write_text(text)
    monkeypatch.setattr("dynamo.cli.exercise._PATIENCE", 2.0)
    code, out, _ = dynamo(capsys, "alerts", "test", desk / "flow.yaml", "--subscriber", "school")
    failed, bell, drop = sorted(out.splitlines())
    assert (code, drop.split(": ")[:2]) == (2, ["flow.yaml/drop", "sent"])
    assert failed == "flow.yaml/bell: failed: exit code 75; it is tried again"
    assert bell == "flow.yaml/bell: waiting: exit code 75; a watch goes on trying"
    assert bell.endswith("; a watch goes on trying")
