"""When a delivery is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.delivery.channel import Outcome
from dynamo.delivery.retry import ENOUGH, Patience, answered, judge, seconds_asked

AGAIN = Outcome("again", "busy", 503)


def verdict(outcome, tries=1, begun=0.0, now=0.0, chance=0.5, **channel):
    return judge(outcome, tries=tries, begun=begun, now=now, chance=chance, patience=Patience(), **channel)


@pytest.mark.parametrize(
    ("status", "said"),
    [(200, "sent"), (204, "sent"), (301, "refused"), (304, "refused"), (400, "refused"), (404, "refused"),
     (408, "again"), (410, "refused"), (425, "again"), (429, "again"), (500, "again"), (503, "again"), (599, "again")],
)  # fmt: skip
def test_what_a_status_means(status, said):
    """Only 410 closes the channel."""
    outcome = answered(status, "text", after=3.0)
    assert outcome.said == said
    assert outcome.status == status
    assert outcome.close == (status == 410)


def test_a_redirect_is_told_with_where_it_leads():
    """A person must change the URL."""
    assert "redirects to 127.0.0.1" in answered(302, "", location="127.0.0.1").response


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("", None), ("soon", None), ("-3", None), ("1.5", None), ("120", 120.0), (" 7 ", 7.0),
     ("9" * 5000, 999999999999.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 60.0), ("Wed, 21 Oct 2015 07:26:00 GMT", 0.0),
     ("Wed, 21 Oct 99999999999 07:28:00 GMT", None), ("Wed, 21 Oct 2015 07:28:00", 60.0)],
)  # fmt: skip
def test_retry_after_in_seconds_or_as_a_date(header, seconds):
    """What cannot be read asks for nothing."""
    assert seconds_asked(header, 1445412420.0) == seconds


@given(st.text(max_size=80))
def test_any_retry_after_is_read_without_harm(header):
    """It comes from a stranger."""
    found = seconds_asked(header, 1e9)
    assert found is None or found >= 0


def test_a_success_is_sent_and_a_refusal_dead():
    """With the reason."""
    assert verdict(Outcome("sent")).state == "sent"
    dead = verdict(Outcome("refused", "no such hook", 404))
    assert (dead.state, dead.reason) == ("dead", "refused: HTTP 404 no such hook")
    assert verdict(Outcome("refused", "", 404)).reason == "refused: HTTP 404"


def test_first_retries_come_within_seconds_and_double():
    """Half of the wait is left to chance."""
    assert [verdict(AGAIN, tries=n, chance=1.0).due for n in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert [verdict(AGAIN, tries=n, chance=0.0).due for n in (1, 2, 3, 4)] == [0.5, 1, 2, 4]


@given(st.integers(1, 10**6), st.floats(0, 1), st.floats(0, 1e300) | st.none())
def test_no_wait_is_longer_than_the_caps(tries, chance, after):
    """However many tries, and whatever the other side asks for."""
    due = verdict(Outcome("again", after=after), tries=tries, chance=chance).due
    assert 0.5 <= due <= 900
    if after is None:
        assert due <= 60


def test_retry_after_is_heeded_but_does_not_shorten():
    """The longer of both."""
    assert verdict(Outcome("again", after=100.0)).due == 100
    assert verdict(Outcome("again", after=0.0), chance=1.0).due == 1
    assert verdict(Outcome("again", after=1e12)).due == 900


def test_it_is_given_up_after_a_day():
    """With the last answer as the reason."""
    assert verdict(AGAIN, tries=99, now=86_000.0).state == "waiting"
    dead = verdict(AGAIN, tries=99, now=86_390.0)
    assert (dead.state, dead.reason) == ("dead", "given up after 99 tries in 86390 s: HTTP 503 busy")


def test_the_pause_of_a_channel_grows_with_its_failures_in_a_row():
    """However often this delivery was tried; a success, or a refusal of this one alone, ends it."""
    assert [verdict(AGAIN, failures=n, chance=1.0).pause for n in (0, 1, 2, 9)] == [1, 2, 4, 60]
    assert [verdict(AGAIN, failures=n).failures for n in (0, 1, 9)] == [1, 2, 10]
    for outcome in (Outcome("sent"), Outcome("refused", "no", 404)):
        assert (verdict(outcome, failures=9).failures, verdict(outcome, failures=9).pause) == (0, 0.0)


def test_what_failed_several_times_or_in_a_channel_that_did_is_set_aside():
    """The line has the next turn only where this one has had several."""
    assert [verdict(AGAIN, tries=n, failures=n - 1).aside for n in (1, ENOUGH - 1, ENOUGH)] == [
        False,
        False,
        True,
    ]
    first = verdict(AGAIN, tries=1, failures=ENOUGH)
    assert (first.aside, first.served) == (True, False)
    assert verdict(AGAIN, tries=ENOUGH).served
    assert verdict(AGAIN, tries=1, aside=True).served


def test_what_is_aside_pauses_a_channel_for_little():
    """Not at all after a success, and never for long by itself; but Retry-After is for all."""
    assert verdict(AGAIN, tries=9, aside=True).pause == 0
    failures = 0
    for _ in range(50):
        found = verdict(AGAIN, tries=9, aside=True, failures=failures, chance=1.0)
        failures = found.failures
    assert found.pause == 2.0 ** (ENOUGH - 1)
    assert verdict(AGAIN, tries=9, aside=True, failures=9, chance=1.0).pause == 60
    assert verdict(Outcome("again", "later", 429, after=300.0), tries=9, aside=True).pause == 300
