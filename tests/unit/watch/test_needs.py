"""What is needed of an input and can never be there is told; all else passes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.runfile.model import InputRule
from dynamo.runfile.trigger import NeedRule, TriggerRule
from dynamo.triggers.arrival import Arrival
from dynamo.triggers.rules import InputRules, Rules
from dynamo.triggers.window import Windows
from dynamo.watch.needs import contradictions, vain

GLOB = ["in/*.nc"]


@pytest.mark.parametrize(
    ("trigger", "rule", "need", "key"),
    [
        (TriggerRule(), InputRule(GLOB, last=2), NeedRule(files=3), "files"),
        (TriggerRule(), InputRule(GLOB), NeedRule(files=2), "files"),
        (TriggerRule(join=30.0), InputRule(GLOB, within=0.0), NeedRule(files=2), "files"),
        (TriggerRule(every=60.0, join=30.0), InputRule(GLOB), NeedRule(files=2), "files"),
        (TriggerRule(), InputRule(GLOB), NeedRule(sources=2), "sources"),
        (TriggerRule(), InputRule(GLOB), NeedRule(sources=3, quorum=2), "sources"),
    ],
)
def test_what_can_never_be_there_is_told_at_its_key(trigger, rule, need, key):
    """With what to write instead."""
    ((found, said),) = contradictions(trigger, rule, need)
    assert found == key
    assert said.startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("trigger", "rule", "need"),
    [
        (TriggerRule(), InputRule(GLOB, last=2), NeedRule(files=2)),
        (TriggerRule(), InputRule(GLOB, within=600.0), NeedRule(files=99)),
        (TriggerRule(join=30.0), InputRule(GLOB), NeedRule(files=2)),
        (TriggerRule(same="all"), InputRule(GLOB), NeedRule(files=2)),
        (TriggerRule(every=60.0), InputRule(GLOB, last=2), NeedRule(files=2)),
        (TriggerRule(), InputRule(GLOB, last=1), NeedRule(files=3, source="^(..)", sources=3)),
        (TriggerRule(), InputRule(GLOB), NeedRule(files=6, source="^(..)")),
        (TriggerRule(), InputRule(GLOB), NeedRule(sources=2, quorum=1)),
    ],
)
def test_what_may_be_there_is_no_fault(trigger, rule, need):
    """Several sources may each bring as many as one."""
    assert not list(contradictions(trigger, rule, need))


@given(sources=st.integers(1, 3), quorum=st.none() | st.integers(1, 3), source=st.none() | st.just("^([ab])"))
def test_sources_that_cannot_be_told_apart_are_told_as_what_comes_of_it(sources, quorum, source):
    """Of two files at once: a fault where no window is run, a note where each waits to the end, else nothing."""
    quorum = quorum and min(quorum, sources)
    need = NeedRule(source=source, sources=sources, quorum=quorum)
    windows = Windows(Rules((InputRules("a", sources=sources, quorum=quorum or sources),), wait=5.0))
    names = ["a", "b", "c"] if source else [""] * 3
    arrivals = [Arrival("a", f"/{n}.nc", 1, n, 1000.0, name) for n, name in enumerate(names[:sources])]
    at_once = windows.step(arrivals, 0.0, 1000.0).windows
    (window,) = at_once or windows.step([], 6.0, 1006.0).windows
    assert bool(list(contradictions(TriggerRule(), InputRule(GLOB), need))) == bool(window.passed)
    assert bool(vain(need)) == (not window.passed and not at_once)


@settings(deadline=None)
@given(
    join=st.sampled_from([0.0, 5.0]),
    last=st.none() | st.integers(1, 4),
    within=st.sampled_from([None, 0.0, 3.0, 100.0]),
    files=st.integers(1, 5),
)
def test_what_is_told_is_so_however_much_arrives(join, last, within, files):
    """With a file each second, no window is run of what is told, and one of what is not."""
    rule, need = InputRule(GLOB, last=last, within=within), NeedRule(files=files)
    rules = Rules((InputRules("a", last=last, within=within, fewest=files),), join, 0.0, 1e3)
    windows = Windows(rules)
    # From 3 s away data is too far to be within, as it is for anybody whose data come more seldom.
    arrivals = [Arrival("a", f"/{n}.nc", 1, n, float(n)) for n in range(60)]
    made = windows.step(arrivals, 0.0, 1e9).windows
    if list(contradictions(TriggerRule(join=join), rule, need)):
        assert all(window.passed for window in made)
    elif within != 3.0:
        assert any(not window.passed for window in made)
