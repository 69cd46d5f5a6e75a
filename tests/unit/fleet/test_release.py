"""Who is let go: whom one loses least by, and nobody that is needed."""

from __future__ import annotations

import pytest

from dynamo.fleet.release import Keep, choose
from dynamo.fleet.view import Group, Offer, View, Worker

NOW = 10_000.0
OFFER = Offer("w/c/a", "w", "c", 4, usd_per_hour=1.0)


def worker(token, **more):
    """Return a worker of four cores that has idled for 100 s."""
    made = {"idle_since": NOW - 100.0, "paid_until": NOW + 1.0, "offer": "w/c/a", "group": "w", **more}
    return Worker(
        token, made.pop("group"), made.pop("offer"), made.pop("stage", "ready"), 0.0, 0.0, 4, **made
    )


def gone(workers, needed=0.0, held=0.0, most=100, group=None, offers=(OFFER,), **more):
    """Return the tokens of those that are let go."""
    view = View(NOW, workers=workers, offers=offers, groups={"w": group or Group("w")}, **more)
    usable = {offer.key: offer.cores * offer.speed for offer in offers}
    have = sum(usable[one.offer] for one in workers if one.stage == "ready")
    return [one.token for one in choose(view, [Keep(usable, needed, held, have)], most, 30.0)]


def test_all_that_is_more_than_needed_goes():
    """Of twelve cores, five are needed: one worker of four can go."""
    assert gone([worker("a"), worker("b"), worker("c")], needed=5.0) == ["a"]


def test_what_was_needed_lately_is_held():
    """Until the hold is over; but who has idled for as long as the group allows goes."""
    assert gone([worker("a"), worker("b")], held=8.0) == []
    assert gone([worker("a"), worker("b")], held=8.0, group=Group("w", idle=100.0)) == ["a", "b"]


def test_nobody_goes_on_a_view_that_is_not_to_be_trusted():
    """However idle."""
    assert gone([worker("a")], trusted=False) == []


def test_the_idle_go_first_then_who_is_done_soonest():
    """One that does not know when it is done stays."""
    busy = {"busy": 1, "idle_since": None}
    workers = [
        worker("late", **busy, ends=NOW + 50.0),
        worker("soon", **busy, ends=NOW + 5.0),
        worker("idle"),
        worker("never", **busy, ends=None),
    ]
    assert gone(workers) == ["idle", "soon", "late"]


def test_of_the_idle_the_dearest_goes_and_then_the_nearest_to_its_next_step():
    """What is paid for already stays longest."""
    offers = (OFFER, Offer("w/c/dear", "w", "c", 4, usd_per_hour=9.0), Offer("w/c/lease", "w", "c", 4))
    workers = [
        worker("lease", offer="w/c/lease"),
        worker("far", paid_until=NOW + 20.0),
        worker("near", paid_until=NOW + 2.0),
        worker("dear", offer="w/c/dear", paid_until=NOW + 25.0),
    ]
    assert gone(workers, offers=offers) == ["dear", "near", "far", "lease"]


@pytest.mark.parametrize(
    "stays",
    [
        {"urgent": True, "busy": 1, "ends": NOW + 1.0},
        {"paid_until": NOW + 31.0},
        {"stage": "booting"},
        {"stage": "draining"},
    ],
)
def test_these_stay(stays):
    """One with a job that it can still do in time, one that is paid for longer, one that is not up or goes already."""
    assert gone([worker("a", **stays)]) == []


def test_min_and_warm_stay_whatever_the_work():
    """The larger of both."""
    workers = [worker(token) for token in "abcd"]
    assert len(gone(workers, group=Group("w", min=3, warm=1))) == 1
    assert len(gone(workers, group=Group("w", min=0, warm=2))) == 2


def test_no_more_than_so_many_at_once():
    """The rest goes the next minute."""
    assert len(gone([worker(token) for token in "abcd"], most=2)) == 2
    assert gone([worker("a")], most=-1) == []
