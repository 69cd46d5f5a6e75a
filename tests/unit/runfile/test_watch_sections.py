"""The sections `trigger` and `alerts`: read as they are written, and every fault told at its place."""

from __future__ import annotations

import jsonschema
import pytest
import yaml

from dynamo.runfile import FaultyRunFileError, load
from dynamo.runfile.alerts import MatchRule, PositionsRule, parse_km, parse_level
from dynamo.runfile.json_schema import schema
from dynamo.runfile.trigger import NeedRule, TriggerRule
from dynamo.runfile.when import Least, parse_least

GOOD = """\
workflow: ./chain.py:chain
trigger:
  join: 45 s
  wait: 20 s
  late: 2 min
  needs:
    sweeps: {files: 2, source: "^([a-z]+)", sources: 8, quorum: 5}
  every: 1 min
  zone: Europe/Paris
  same: last
  backlog: all
  at_once: 4
  priority: -2
  stale: 5 min
alerts:
  subscribers: a.geojson
  faults: skip
  clear_after: 2
  products: "polygons_*.geojson"
  rules:
    - {hazard: STORM, level: ">= 45", within: 10 km, lead: 30 min, to: [ops]}
    - {hazard: HAIL}
  webhooks:
    - name: ops
      url: "https://alerts.example.org/in"
      secret: [env:NEW, file:old]
      form: cap
      allow: [127.0.0.1]
      ca: ca.pem
  folders: {name: drop, folder: out}
  programs: [{name: siren, run: [./siren, --loud], timeout: 5 s}]
  mails:
    - {name: desk, host: mail.example.org, from: a@example.org, to: b@example.org, port: 2525,
       user: a, password: env:P, tls: none}
  positions: {token: env:TOKEN, keep: 90 min}
"""
FAULTS = [
    ("every: 1 min", "every: 0", "every: 0 is no time at all"),
    ("every: 1 min", "evry: 1", "unknown key 'evry' (did you mean 'every'?)"),
    ("every: 1 min", "cron: '* * *'", "'* * *' is no cron line"),
    (
        "every: 1 min",
        "zone: Europe/Berln",
        "unknown time zone 'Europe/Berln' (did you mean 'Europe/Berlin'?)",
    ),
    ("files: 2", "files: 0", "files: should be at least 1, not 0"),
    ("^([a-z]+)", "^([a-z]+", "is no regular expression"),
    ("quorum: 5", "quorum: 9", "a quorum of 9 of 8 sources cannot be met"),
    ("{files: 2, ", "{fils: 2, ", "unknown key 'fils' (did you mean 'files'?)"),
    ("join: 45 s", "join: soon", "join: 'soon' is not a time like"),
    ("late: 2 min", "late: [1]", "late: [1] is not a time like"),
    ("same: last", "same: lst", "expected 'first', 'last', 'all', not 'lst' (did you mean 'last'?)"),
    ("backlog: all", "backlog: every", "expected 'all', 'latest', 'none'"),
    ("at_once: 4", "at_once: many", "at_once: expected a whole number"),
    ("priority: -2", "priority: high", "priority: expected a whole number, not 'high'"),
    ("stale: 5 min", "stale: soon", "stale: 'soon' is not a time like"),
    ("wait: 20 s", "wait: -1", "wait: -1 is not a time like"),
    ("subscribers: a.geojson", "subscribers: 5", "subscribers: expected text"),
    ("  subscribers: a.geojson\n", "", "the key 'subscribers' is missing"),
    ("faults: skip", "faults: skp", "not 'skp' (did you mean 'skip'?)"),
    ("clear_after: 2", "clear_after: 0", "should be at least 1"),
    ('">= 45"', '"<= 45"', "'<= 45' is no lowest level like '>= 45'"),
    ("10 km", "10 furlongs", "'10 furlongs' is no distance like '10 km' or '6 mi'"),
    ("10 km", "-1", "-1 is no distance"),
    ("30 min", "soon", "lead: 'soon' is not a time like"),
    ("{hazard: HAIL}", "{hazrd: HAIL}", "unknown key 'hazrd' (did you mean 'hazard'?)"),
    ("{hazard: HAIL}", "HAIL", "expected a mapping, not 'HAIL'"),
    ("https://alerts", "ftp://alerts", "is no address like https://alerts.example.org/in"),
    ("https://alerts.example.org/in", "https://", "'https://' is no address"),
    (
        "[env:NEW, file:old]",
        "whsec_AAAA",
        "a secret does not stand in a run file; write env:NAME or file:PATH",
    ),
    ("form: cap", "form: cp", "not 'cp' (did you mean 'cap'?)"),
    ("{name: drop, folder: out}", "{name: drop}", "the key 'folder' is missing"),
    ("password: env:P", "password: hunter2", "a secret does not stand in a run file"),
    ("tls: none", "tls: plain", "expected 'starttls', 'tls', 'none'"),
    ("timeout: 5 s", "timeout: 0", "timeout: 0 is no time at all"),
    ("timeout: 5 s", "timeout: never", "timeout: 'never' is not a time like"),
    ("to: [ops]", "to: [ops, dsk]", "to: there is no channel 'dsk' (did you mean 'desk'?)"),
    ("name: drop", "name: ops", "name: 'ops' is the name of a channel above"),
    ("token: env:TOKEN", "token: hunter2", "a secret does not stand in a run file"),
    ("keep: 90 min", "keep: 0", "keep: 0 is no time at all"),
    ("keep: 90 min", "keep: 90", "keep: 90 has no unit; write '90 min' or '90 s'"),
    ("{token: env:TOKEN", "{tokn: env:TOKEN", "unknown key 'tokn' (did you mean 'token'?)"),
]


def written(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    return path


def test_all_is_read(tmp_path):
    """Every key of both sections arrives, and one mapping alone is a list of it."""
    run = load(written(tmp_path, GOOD))
    assert run.trigger == TriggerRule(
        join=45.0, wait=20.0, late=120.0, needs={"sweeps": NeedRule(2, "^([a-z]+)", 8, 5)}, every=60.0,
        zone="Europe/Paris", same="last", backlog="all", at_once=4, priority=-2, stale=300.0,
    )  # fmt: skip
    alerts = run.alerts
    assert alerts is not None
    assert alerts.rules == [MatchRule("STORM", 45.0, 10.0, 1800.0, ["ops"]), MatchRule("HAIL")]
    assert (alerts.subscribers, alerts.faults, alerts.clear_after) == ("a.geojson", "skip", 2)
    assert alerts.products == ["polygons_*.geojson"]
    assert (alerts.webhooks[0].secret, alerts.webhooks[0].form) == (["env:NEW", "file:old"], "cap")
    assert [c.name for c in (*alerts.folders, *alerts.programs, *alerts.mails)] == ["drop", "siren", "desk"]
    assert (alerts.mails[0].sender, alerts.mails[0].port) == ("a@example.org", 2525)
    assert alerts.positions == PositionsRule("env:TOKEN", 5400.0)


@pytest.mark.parametrize(("old", "new", "said"), FAULTS)
def test_a_fault_is_told_in_its_line(tmp_path, old, new, said):
    """Whatever is wrong is told once, with the line in which it stands, and no secret is repeated."""
    assert GOOD.count(old) == 1
    with pytest.raises(FaultyRunFileError) as caught:
        load(written(tmp_path, GOOD.replace(old, new)))
    told = [str(fault) for fault in caught.value.faults]
    assert len([t for t in told if said in t]) == 1
    assert "hunter2" not in "".join(told)
    assert "whsec" not in "".join(told)


def test_an_editor_takes_what_is_read():
    """The published schema takes the full file, and refuses an unknown key of each section."""
    jsonschema.validate(yaml.safe_load(GOOD), schema())
    for old, new in (
        ("every:", "evry:"),
        ("quorum:", "qourum:"),
        ("faults:", "falts:"),
        ("hazard: HAIL", "hazrd: HAIL"),
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(yaml.safe_load(GOOD.replace(old, new)), schema())


@pytest.mark.parametrize(
    ("text", "km"), [("10 km", 10), (3, 3), ("500 m", 0.5), ("1 mi", 1.609344), ("1nmi", 1.852)]
)
def test_distances(text, km):
    """Kilometres, metres, miles and nautical miles; a plain number is kilometres."""
    assert parse_km(text) == pytest.approx(km)


@pytest.mark.parametrize(("text", "level"), [(">= 45", 45), (">=45.5", 45.5), (20, 20), ("-5", -5)])
def test_levels(text, level):
    """A level is the lowest that counts."""
    assert parse_level(text) == level


@pytest.mark.parametrize(
    ("said", "least"),
    [
        (1e-05, Least(1e-05)),
        (">= 1.5E+3 Pa", Least(1500.0, "Pa")),
        ("45dBZ ", Least(45.0, "dBZ")),
        (">= 17 m s-1", Least(17.0, "m s-1")),
        ("50 %", Least(50.0, "%")),
    ],
)
def test_the_level_that_is_waited_for_is_read_with_its_units(said, least):
    """As YAML has numbers, and as units are written."""
    assert parse_least(said) == least


@pytest.mark.parametrize("said", ["4.5.6", "45 dBZ or more", "45 - 50", "45,5", True, float("inf"), "1e999"])
def test_what_is_no_level_is_none(said):
    """No part of it is taken for units: it would wait for units that no product has."""
    with pytest.raises(ValueError, match="is no lowest level like"):
        parse_least(said)
