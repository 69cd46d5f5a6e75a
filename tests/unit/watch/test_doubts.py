"""Rules that can never match, by what is known of the products."""

from __future__ import annotations

import math

import pytest

from dynamo.alerts.subscriber import Rule, Subscribers
from dynamo.runfile.alerts import AlertsRule, MatchRule
from dynamo.watch.doubts import Known, doubts, known_of, understood


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (MatchRule("STORM", 35, 5, 1800, ["desk", "siren"]),
         "STORM >= 35 within 5 km, up to 30 min ahead -> desk, siren"),
        (MatchRule("HAIL"), "HAIL of any level at the place itself, at any lead time -> all channels"),
        (MatchRule("HAIL", 1.5, 0.5, 0), "HAIL >= 1.5 within 0.5 km, up to 0 min ahead -> all channels"),
    ],
)  # fmt: skip
def test_a_rule_is_told_as_it_is_understood(rule, words):
    """With what holds where nothing is said."""
    assert understood(rule) == words


@pytest.mark.parametrize(
    ("params", "known"),
    [
        ({"levels": [20, 35.0], "horizon": 30}, Known(35, 30)),
        ({"levels": [], "horizon": "soon"}, Known()),
        ({"levels": "high", "horizon": True}, Known()),
        ({"levels": [20, "x"], "horizon": math.nan}, Known()),
        ({}, Known()),
    ],
)
def test_only_numbers_tell_something(params, known):
    """A parameter of that name may be anything."""
    assert known_of(params) == known


def test_what_can_match_is_not_told():
    """Nor anything where nothing is known."""
    alerts = AlertsRule("p.csv", [MatchRule("STORM", 35, 5, 1800), MatchRule("STORM")])
    assert list(doubts(alerts, None, Known(35, 30, ["STORM"]))) == []
    assert list(doubts(alerts, None, Known())) == []


def test_rules_of_subscribers_are_told_once_for_all():
    """How many have them; not those that are of the run file, which are told at their place."""
    alerts = AlertsRule("p.csv", [MatchRule("STORM", 45, 5, 7200)])
    own = [
        Rule("HAIL", 55, 1, 600),
        Rule("STORM", 45, 5, 120),
        Rule("storm", 20, 1, 90),
        Rule("STORM", 20, 1),
    ]
    people = Subscribers.of([("a", 0, 0), ("b", 1, 1)], own)
    told = list(doubts(alerts, people, Known(35, 30, ["STORM"])))
    assert told == [
        (
            ("alerts", "rules", 0, "level"),
            "level: no polygon reaches 45: `levels` of the workflow ends at 35",
        ),
        (("alerts", "rules", 0, "lead"), "lead: 120 min, but `horizon` of the workflow is 30 min"),
        *(
            (("alerts", "subscribers"), f"subscribers: {said}")
            for said in (
                "2 subscribers ask for 'HAIL', of which no product ever spoke; they speak of STORM",
                "2 subscribers ask for 'storm', of which no product ever spoke (did you mean 'STORM'?)",
                "2 subscribers ask for a level that no polygon reaches: `levels` of the workflow ends at 35",
                "2 subscribers ask for a longer lead time than `horizon` of the workflow, 30 min",
            )
        ),
    ]
