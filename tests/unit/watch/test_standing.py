"""How kinds of hazard stand, and where it is told."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from dynamo.alerts.judged import Judged
from dynamo.alerts.lifecycle import Cycle
from dynamo.watch.counts import Counts
from dynamo.watch.health import _Numbers as Numbers
from dynamo.watch.health import health
from dynamo.watch.judge import Verdict
from dynamo.watch.standing import Standing, news, standings

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def judged(outcome, known: float = 1.0, usual: float = 0.0, hazard: str = "STORM") -> Judged:
    """Return what came of a cycle."""
    return Judged(Cycle("a.yaml", "r", hazard, NOON, NOON, known, usual), outcome, [])


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (judged("judged", 0.934), "STORM, data of 2026-06-01 12:00:00Z: 93% of the field is known"),
        (judged("late"), "not newer than what was judged before, so nobody is told"),
        (judged("unknown", 0.3, 0.9), "30% of the field is known, lately 90% was: nothing counts as clear"),
        (
            judged("unknown", 0.0, 0.9),
            "nothing for certain is known, lately 90% was: nothing counts as clear",
        ),
        (judged("unknown", 0.0), "12:00:00Z: nothing for certain is known: nothing counts as clear"),
    ],
)
def test_a_cycle_is_told_in_words(one, words):
    """With the time of its data and the share that is known."""
    standing = standings({}, [one], {}, [])["STORM"]
    assert (standing.state, standing.known) == (one.outcome, one.cycle.known_share)
    assert words in standing.words


def test_that_some_cannot_be_told_that_it_is_over_is_told():
    """And that less is known than lately, though who is where something is known hears it."""
    cycle = judged("judged", 0.55, 0.9).cycle
    for unseen, less, words in (
        (
            2,
            False,
            "55% of the field is known: 2 subscribers cannot be told that it is over, for too little is known near",
        ),
        (0, True, "55% of the field is known, lately 90% was"),
    ):
        standing = standings({}, [Judged(cycle, "judged", [], unseen, less)], {}, [])["STORM"]
        assert standing.state == "part"
        assert words in standing.words


def test_what_is_missing_or_was_never_there_stands_as_long_as_that_is_so():
    """A run that was judged before says nothing new."""
    first = standings({}, [judged("judged")], {"HAIL": 2}, ["STROM"])
    assert {kind: one.state for kind, one in first.items()} == {
        "STORM": "judged", "HAIL": "missing", "STROM": "never",
    }  # fmt: skip
    assert "did you mean 'STORM'?" in first["STROM"].words
    assert standings(first, [judged(None)], {}, []) == {"STORM": first["STORM"]}


def test_only_changes_are_news():
    """What begins as it should is none, nor what goes on, nor that newer data follow late ones."""
    good, bad, late = (Standing(state, state) for state in ("judged", "unknown", "late"))
    assert list(news({}, {"STORM": good})) == []
    assert list(news({}, {"STORM": bad})) == [bad]
    assert list(news({"STORM": bad}, {"STORM": bad})) == []
    assert list(news({"STORM": bad}, {"STORM": good})) == [good]
    assert list(news({"STORM": late}, {"STORM": good})) == []


def test_health_and_metrics_show_it():
    """In words for people, as numbers for Prometheus; it does not make a watch unwell."""
    counts = Counts()
    cycles = (judged("unknown", 0.25), judged(None), judged("judged", hazard="HAIL"))
    counts.judged(Verdict(cycles, (), standings({}, cycles[:1], {}, ["STROM"])))
    said = health(counts, 0.0, 60.0)
    assert said["ok"]
    assert said["cycles"] == {"unknown": 1, "judged": 1}
    assert "no product ever spoke" in said["hazards"]["STROM"]
    registry = CollectorRegistry()
    registry.register(Numbers([SimpleNamespace(feed=SimpleNamespace(name="a.yaml"), counts=counts)], {}, {}))
    assert counts.data_age(NOON.timestamp() + 30) == 30  # that of what was judged
    text = generate_latest(registry).decode()
    assert 'dynamo_cycles_total{feed="a.yaml",outcome="unknown"} 1.0' in text
    assert 'dynamo_known_share{feed="a.yaml",hazard="STORM"} 0.25' in text
