"""Why an alert was updated: told by comparing it with the one before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.alerts.changes import changes
from dynamo.alerts.lifecycle import Cycle, decide
from dynamo.alerts.match import Match
from dynamo.alerts.policy import Policy

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
POLICY = Policy()
NEARER = "nearer: also by a rule that asks for less distance"


def at(minute):
    return START + timedelta(minutes=minute)


def match(onset=20.0, ends=30.0, level=45.0, narrowest_km=10.0, lon=4.5, *, inside=False):
    return Match(
        "s", lon, 52.5, "STORM", level, "dBZ", at(onset), at(ends), inside=inside, distance_km=3.0, bearing_deg=90.0,
        within_km=10.0, narrowest_km=narrowest_km,
    )  # fmt: skip


def judged(matches):
    """Judge one match a minute; return each update with what was told before it, the state then, and its match."""
    state = before = None
    found = []
    for minute, one in enumerate(matches):
        cycle = Cycle("flow", "r", "STORM", at(minute), at(minute))
        was = state
        state, alert = decide(state, one, cycle, POLICY)
        if alert is not None and alert.kind == "updated":
            found.append((before, alert, was, one))
        before = alert or before
    return found


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (match(level=50), "worse: 50 dBZ, not 45"),
        (match(onset=14), "sooner: from 2026-06-01 12:14:00Z on, not 2026-06-01 12:20:00Z"),
        (match(inside=True), "inside: it is to pass over the place"),
        (match(ends=60), "longer: until 2026-06-01 13:00:00Z, not 2026-06-01 12:30:00Z"),
        (match(lon=4.7), "moved: 13.5 km from where the place was"),
        (match(narrowest_km=5), NEARER),
    ],
)
def test_each_reason_has_its_words(found, said):
    """One at a time."""
    ((before, alert, _, _),) = judged([match(), found])
    assert changes(before, alert, POLICY) == [said]


def test_what_had_expired_is_told_anew():
    """Though nothing else is new of it."""
    ((before, alert, _, _),) = judged([match(ends=30), *[None, match(ends=30)] * 31])
    assert changes(before, alert, POLICY) == ["expired: what was told held until 2026-06-01 13:00:00Z"]


@given(
    st.lists(
        st.builds(
            match,
            st.sampled_from([0.0, 10.0, 20.0]),
            st.sampled_from([25.0, 35.0, 45.0]),
            st.sampled_from([45.0, 50.0, 55.0]),
            st.sampled_from([2.0, 5.0, 10.0]),
            st.sampled_from([4.5, 4.6, 4.7]),
            inside=st.booleans(),
        ),
        max_size=30,
    )
)
def test_what_remains_is_a_nearer_rule(matches):
    """Whatever was told before: any other reason is seen in the two alerts."""
    for before, alert, was, one in judged(matches):
        if changes(before, alert, POLICY) == [NEARER]:
            assert one.narrowest_km < was.narrowest_km
