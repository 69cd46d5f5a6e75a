"""Offers rest after refusals, boots are learned, and a group that brings nothing is taken out of service."""

from __future__ import annotations

import json

import pytest

from dynamo.fleet.refusals import (
    AuthError,
    BadRequestError,
    NoCapacityError,
    OutcomeUnknownError,
    QuotaError,
    ThrottledError,
    UnavailableError,
)
from dynamo.fleet.standing import BAD_BOOTS, OUT, Rest, Standing

OFFER = "workers/aws/c7i/spot"


def test_an_offer_rests_longer_after_each_refusal_and_not_at_all_after_a_boot():
    """Three minutes, six, twelve, at most half an hour."""
    standing, now, rested = Standing(), 0.0, []
    for kind in (QuotaError, NoCapacityError, QuotaError, QuotaError, QuotaError):
        standing = standing.refused(OFFER, kind("no"), now)
        rested.append(standing.rests[OFFER].until - now)
        now = standing.rests[OFFER].until
    assert rested == [180, 360, 720, 1440, 1800]
    assert not standing.booted(OFFER, "workers", 50).rests


def test_refusals_of_orders_that_were_under_way_together_are_one():
    """Ten orders at once do not make a rest of half an hour."""
    standing = Standing().refused(OFFER, QuotaError("no"), 0)
    assert standing.refused(OFFER, QuotaError("no"), 2) == standing


@pytest.mark.parametrize("kind", [ThrottledError, UnavailableError])
def test_a_provider_that_says_nothing_of_what_is_left_is_asked_again_soon(kind):
    """In half a minute, however often it was asked."""
    standing = Standing()
    for n in range(9):
        standing = standing.refused(OFFER, kind("slow"), 100.0 * n)
    assert standing.rests[OFFER].until == 830


def test_an_order_whose_outcome_is_unknown_is_no_refusal():
    """The listing will tell."""
    assert Standing().refused(OFFER, OutcomeUnknownError("?"), 0) == Standing()


@pytest.mark.parametrize("kind", [AuthError, BadRequestError])
def test_what_somebody_must_mend_is_asked_again_seldom(kind):
    """Each half hour, and only what it is about: other offers of the group are bought."""
    standing = Standing().refused(OFFER, kind("there is no image x"), 10)
    assert standing.rests == {OFFER: Rest(1810, 1, "there is no image x")}
    assert not standing.out_of_service(11)
    assert standing.restore("workers") == Standing()


def test_three_bad_boots_in_a_row_take_the_group_out_of_service():
    """A good one between them does not."""
    standing = Standing()
    for n in range(BAD_BOOTS):
        assert not standing.out
        standing = standing.failed(OFFER, "workers", f"reason {n}", 100)
    assert "3 machines in a row came to nothing, the last because reason 2" in standing.out["workers"].why
    mixed = (
        Standing()
        .failed(OFFER, "workers", "x", 1)
        .failed(OFFER, "workers", "x", 2)
        .booted(OFFER, "workers", 9)
    )
    assert not mixed.failed(OFFER, "workers", "x", 3).out


def test_a_group_is_tried_again_after_an_hour():
    """With one machine: if that comes to nothing too, it is another hour; if it joins, all is well."""
    standing = Standing(bad={"workers": BAD_BOOTS - 1}).failed(OFFER, "workers", "x", 100)
    assert standing.out_of_service(100 + OUT - 1)
    assert not standing.out_of_service(100 + OUT)
    assert standing.failed(OFFER, "workers", "y", 9000).out_of_service(9000 + OUT - 1)
    assert standing.booted(OFFER, "workers", 9) == Standing().booted(OFFER, "workers", 9)


def test_boots_are_learned():
    """From the usual guess to half and nine tenths of the last fifty; five are needed for a limit of its own."""
    standing = Standing()
    assert standing.boot(OFFER) == (120, 300)
    assert standing.boot_limit(OFFER) == 900
    for seconds in range(1, 101):
        standing = standing.booted(OFFER, "workers", seconds)
    assert standing.boot(OFFER) == (76, 96)
    assert standing.boot_limit(OFFER) == 3 * 96


def test_it_is_the_same_after_a_restart():
    """As JSON."""
    standing = (
        Standing()
        .refused(OFFER, QuotaError("no"), 5)
        .failed(OFFER, "workers", "x", 3)
        .withdraw("small", "z", 9.0)
    )
    standing = standing.booted("other", "workers2", 30.5)
    assert Standing.of(json.loads(json.dumps(standing.data()))) == standing
    assert Standing.of(None) == Standing()


def test_a_rest_is_never_longer_than_the_longest_however_often_it_was_refused():
    """A quota that is full for a month, asked each half hour."""
    standing, now = Standing(), 0.0
    for _ in range(2000):
        standing = standing.refused(OFFER, QuotaError("full"), now)
        now = standing.rests[OFFER].until
    assert standing.refused(OFFER, QuotaError("full"), now).rests[OFFER].until == now + 1800


def test_a_provider_with_too_many_calls_makes_no_rest_after_a_refusal_longer():
    """A night of throttling says nothing of what is left."""
    standing = Standing()
    for n in range(1100):
        standing = standing.refused(OFFER, ThrottledError("slow"), 60.0 * n)
    assert standing.refused(OFFER, QuotaError("full"), 90_000).rests[OFFER] == Rest(90_180, 1, "full")


def test_boots_that_were_learned_are_not_believed_where_machines_come_to_nothing():
    """A cloud that boots in 200 s since today, and did in 35: each would be given up after 120 s for ever."""
    standing = Standing(boots={OFFER: (35.0,) * 9, "other": (40.0,)})
    assert standing.boot_limit(OFFER) == 120
    for _ in range(BAD_BOOTS):
        standing = standing.failed(OFFER, "workers", "it did not join", 100)
    assert standing.boot_limit(OFFER) == Standing().boot_limit(OFFER) == 900
    assert standing.boots == {"other": (40.0,)}
