"""Ways to a subscriber: rules of one channel decide what that channel is told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.alerts.adopted import apart, dealt, inherited
from dynamo.alerts.asked import Asked, asked
from dynamo.alerts.state import State
from dynamo.alerts.subscriber import Rule, Subscribers

STATE = State("e", [0.0], 0, ["desk", "phone"], 45, 0, 0, False, 0, "s", 0, 0, 45, "dBZ", 0, 0, 10, 10)
CHANNELS = ("desk", "phone", "mail")


def table(rules: list[tuple[int, str, str, float]]) -> Subscribers:
    """Return three places with rules: whose, hazard, channel, distance; from level 10 on per kilometre."""
    names = tuple(dict.fromkeys(("", *(rule[2] for rule in rules))))
    hazards = tuple(dict.fromkeys(rule[1] for rule in rules))
    ids = np.empty(3, object)
    ids[:] = ["a", "b", "c"]
    within = np.array([rule[3] for rule in rules], "f8")
    return Subscribers(
        ids=ids,
        lon=np.array([1.0, 2.0, 3.0]),
        lat=np.array([4.0, 5.0, 6.0]),
        owner=np.array([rule[0] for rule in rules], "i8"),
        hazard=np.array([hazards.index(rule[1]) for rule in rules], "i4"),
        within_km=within,
        min_level=within * 10,
        max_lead_minutes=within * 0 + 60,
        channel=np.array([names.index(rule[2]) for rule in rules], "i4"),
        hazards=hazards,
        channels=names,
    )


def listed(people: Subscribers) -> list[tuple[int, str, float]]:
    """Return the rules of a table: whose, channel, distance."""
    names = [people.channels[code] for code in people.channel]
    return list(zip(people.owner.tolist(), names, people.within_km.tolist(), strict=True))


def test_a_rule_without_a_channel_beside_one_with_is_a_rule_for_each_channel():
    """Of the same subscriber only; who names none at all keeps one rule for all."""
    people = table(
        [(0, "STORM", "", 10), (0, "STORM", "phone", 5), (1, "STORM", "", 20), (2, "STORM", "desk", 7)]
    )
    apart = people.apart(CHANNELS)
    assert listed(apart) == [
        (0, "desk", 10), (0, "phone", 10), (0, "mail", 10), (0, "phone", 5), (1, "", 20), (2, "desk", 7),
    ]  # fmt: skip
    assert apart.apart(CHANNELS) is apart


def test_a_rule_of_another_hazard_takes_nothing_apart():
    """Nor does an episode of the storm change when the phone is to hear of hail."""
    people = table([(0, "STORM", "", 10), (0, "HAIL", "phone", 5)])
    assert people.apart(CHANNELS) is people


@pytest.mark.parametrize(
    "rules",
    [
        [(0, "STORM", "", 10), (0, "", "phone", 5)],
        [(0, "", "", 10), (0, "HAIL", "phone", 5)],
        [(0, "", "", 10), (0, "HAIL", "phone", 5), (0, "STORM", "", 10)],
    ],
)
def test_a_rule_of_any_hazard_is_beside_each(rules):
    """So it takes apart, and is taken apart, whatever the other one is of; and all the rest with it."""
    assert {name for _, name, _ in listed(table(rules).apart(CHANNELS))} >= set(CHANNELS)
    assert "" not in {name for _, name, _ in listed(table(rules).apart(CHANNELS))}


@pytest.mark.parametrize("rules", [[], [(0, "STORM", "", 1), (1, "HAIL", "", 2)], [(0, "STORM", "desk", 1)]])
def test_rules_of_one_kind_stay_as_they_are(rules):
    """Also where there are none."""
    people = table(rules)
    assert people.apart(CHANNELS) is people


RULES = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(("STORM", "HAIL", "")),
        st.sampled_from(("", "desk", "phone")),
        st.integers(1, 9),
    ),
    min_size=1,
    max_size=12,
)


@given(RULES)
def test_apart_each_channel_has_the_rules_that_it_had(rules):
    """As if every rule without a channel had been written once for each."""
    people = table(rules)
    apart = people.apart(CHANNELS)

    def spelt(people: Subscribers) -> list[tuple[int, str, float, int]]:
        rows = zip(listed(people), people.hazard.tolist(), strict=True)
        return sorted(
            (owner, name, km, hazard)
            for (owner, channel, km), hazard in rows
            for name in ([channel] if channel else CHANNELS)
        )

    assert spelt(apart) == spelt(people)
    for kind in ("STORM", "HAIL"):
        asks = [
            (owner, name)
            for (owner, name, _), code in zip(listed(apart), apart.hazard.tolist(), strict=True)
            if apart.hazards[code] in (kind, "")
        ]
        mixed = {owner for owner, name in asks if name}
        assert not any(owner in mixed and not name for owner, name in asks)


@given(RULES, st.sets(st.sampled_from(("a", "b", "c", "gone"))))
def test_what_is_asked_is_the_widest_and_lowest_of_all_rules_of_a_way(rules, names):
    """Of the hazard or of any; who is not there, or asks for none of it, is left out."""
    people = table(rules)
    found: dict[tuple[str, str], list[float]] = {}
    for owner, hazard, channel, km in rules:
        if hazard in ("STORM", "") and "abc"[owner] in names:
            found.setdefault(("abc"[owner], channel), []).append(km)
    assert asked(people, "STORM", names) == {
        (name, way): Asked(" abc".index(name), " abc".index(name) + 3, min(km) * 10, max(km), lead_minutes=60)
        for (name, way), km in found.items()
    }


def test_who_asks_for_any_level_asks_from_minus_infinity():
    """As `Rule` has it."""
    people = Subscribers.of([("a", 1, 2)], [Rule("STORM", within_km=3)])
    assert asked(people, "STORM", ["a"]) == {("a", ""): Asked(1, 2, -math.inf, 3)}


@pytest.mark.parametrize(
    ("under_way", "now", "said"),
    [
        ({"": "dp"}, ["desk"], {"": ("p", ""), "desk": ("d", "desk")}),
        ({"": "d"}, ["desk"], {"desk": ("d", "")}),
        ({"": "dp"}, ["desk", "phone"], {"desk": ("d", ""), "phone": ("p", "phone")}),
        ({"": "dp"}, ["mail"], {"": ("dp", "")}),
        ({"": "dp"}, [], {"": ("dp", "")}),
        ({"": "dp"}, [""], {"": ("dp", "")}),
        ({"": "dp", "desk": "d"}, ["desk", "phone"], {"desk": ("d", ""), "phone": ("p", "")}),
        ({"desk": "dp"}, ["desk", "phone"], {"desk": ("d", ""), "phone": ("p", "phone")}),
        ({"desk": "d"}, ["phone"], {"desk": ("d", "")}),
    ],
)
def test_each_channel_goes_on_by_its_own_rules(under_way, now, said):
    """The last one with the episode as it is, others as a branch of it; who is not asked for stays what he was."""
    names = {"d": "desk", "p": "phone"}
    states = {("s", way): STATE._replace(channels=[names[c] for c in of]) for way, of in under_way.items()}
    found = inherited(states, {("s", way) for way in now} | {("t", "desk")}, lambda way: way[1])
    assert {way: (state.channels, state.branch) for (_, way), state in found.items()} == {
        way: ([names[c] for c in of], branch) for way, (of, branch) in said.items()
    }
    assert {state.alert_id(0) for state in found.values()} == {"e-0"}
    assert {state.alert_id(1) for state in found.values()} == {f"{s.branch or 'e'}-1" for s in found.values()}


def test_a_rule_for_all_is_one_for_each_while_channels_stand_otherwise():
    """One has an episode of its own, or was not told yet, or is in the run file no more."""
    every = STATE._replace(channels=["desk", "phone"])
    states = {("a", ""): every, ("b", "desk"): STATE, ("c", ""): every._replace(channels=["desk"])}
    names = apart(states, ["desk", "phone"])
    assert names == {"b", "c"}
    assert apart(states, ["desk"]) == {"a", "b"}
    found = {("a", ""): 1, ("b", ""): 2, ("c", "desk"): 3}
    assert dealt(found, names, ["desk", "phone"], lambda one, way: one * way) == {
        ("a", ""): 1, ("b", "desk"): "desk" * 2, ("b", "phone"): "phone" * 2, ("c", "desk"): 3,
    }  # fmt: skip
