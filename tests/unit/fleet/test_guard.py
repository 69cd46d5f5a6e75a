"""Whatever a policy wants, no limit is exceeded and no fleet goes at one blow."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.fleet.decision import Buy, Release
from dynamo.fleet.guard import AHEAD, allowed_buys, allowed_releases, must_go, over_limits, spent_today
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.view import Group, Limits, Offer

DAY = 86400.0
OFFER = Offer("workers/aws/c7i/on-demand", "workers", "aws", cores=4, usd_per_hour=1.0, minimum=60.0)
OFFERS, GROUPS = {OFFER.key: OFFER}, {"workers": Group("workers", max=100)}


def worker(token="a", stage="joined", ordered=DAY, **more) -> WorkerRecord:
    """Return a worker of four cores that costs a dollar an hour."""
    made = {"usd_per_hour": 1.0, "since": ordered, "machine": f"m-{token}", **more}
    return WorkerRecord(
        token, "s", "workers", "aws", OFFER.key, token, stage, ordered=ordered, cores=4, memory=0, **made
    )


def buy(count, workers=(), offer=OFFER, now=DAY, group=GROUPS["workers"], **limits):
    """Return how many may be bought, and what stood against it."""
    allowed = allowed_buys(
        [Buy(offer.key, count, "")], workers, {offer.key: offer}, {"workers": group}, Limits(**limits), now
    )
    return sum(one.count for one in allowed.buys), " ".join(allowed.against)


def test_without_limits_all_is_bought():
    """And nothing is said."""
    assert buy(7) == (7, "")


def test_less_than_nothing_makes_no_room():
    """A policy that buys -100 and then 50 buys what there is room for."""
    asked = [Buy(OFFER.key, -100, ""), Buy(OFFER.key, 50, "")]
    assert allowed_buys(asked, [], OFFERS, GROUPS, Limits(cores=8), DAY).buys == (Buy(OFFER.key, 2, ""),)


def test_cores_of_the_slice_are_not_exceeded():
    """Those that boot and those that drain count."""
    there = [worker("a", "booting"), worker("b", "draining"), worker("c", "gone")]
    count, why = buy(9, there, cores=19)
    assert count == 2
    assert "7 of 9 x workers/aws/c7i/on-demand not bought: the slice may have 19 cores" in why


def test_dollars_an_hour_are_not_exceeded():
    """To the last cent, also where a sum of floating-point numbers is a hair above."""
    tenth = replace(OFFER, usd_per_hour=0.1)
    assert buy(20, [worker(str(n), usd_per_hour=0.1) for n in range(7)], tenth, usd_per_hour=1.0)[0] == 3


def test_dollars_a_day_leave_room_for_what_runs():
    """What is there must still be paid for ten minutes."""
    assert buy(9, usd_per_day=1.0)[0] == 6
    assert buy(9, [worker("a")], usd_per_day=1.0)[0] == 5
    assert "dollars a day are left" in buy(9, usd_per_day=0.1)[1]


def test_a_machine_that_is_billed_by_the_hour_needs_an_hour_of_the_budget():
    """Even if it is let go at once."""
    hourly = replace(OFFER, quantum=3600.0)
    assert buy(9, offer=hourly, usd_per_day=2.5)[0] == 2


def test_the_bounds_of_a_group_and_its_service():
    """No more than it may have, and none where it is out of service."""
    assert buy(9, [worker("a")], group=Group("workers", max=3))[0] == 2
    assert buy(9, group=Group("workers", out="no image"))[0] == 0
    assert "out of service: no image" in buy(9, group=Group("workers", out="no image"))[1]


def test_an_offer_that_rests_is_not_asked():
    """Until its rest is over."""
    resting = replace(OFFER, rests_until=DAY + 10)
    assert buy(2, offer=resting)[0] == 0
    assert buy(2, offer=resting, now=DAY + 10)[0] == 2


def test_what_costs_nothing_is_not_held_back_by_money():
    """A machine of our own."""
    free = replace(OFFER, usd_per_hour=0.0)
    assert buy(9, offer=free, usd_per_hour=0.0, usd_per_day=0.0) == (9, "")


@given(
    counts=st.lists(st.integers(0, 30), max_size=4),
    price=st.floats(0, 20),
    cores=st.integers(0, 200),
    rate=st.floats(0, 100),
    day=st.floats(0, 300),
)
def test_no_limit_is_exceeded(counts, price, cores, rate, day):
    """Several orders together count."""
    offer = replace(OFFER, usd_per_hour=price)
    limits = Limits(cores=cores, usd_per_hour=rate, usd_per_day=day)
    allowed = allowed_buys(
        [Buy(offer.key, count, "") for count in counts], [], {offer.key: offer}, GROUPS, limits, DAY
    )
    total = sum(one.count for one in allowed.buys)
    assert total * 4 <= cores
    assert total * price <= rate + 1e-6
    assert total * price * AHEAD / 3600 <= day + 1e-5
    assert total <= 100


def test_what_was_spent_today():
    """From midnight UTC, in billing steps, with what ended."""
    over_midnight = worker("a", ordered=DAY - 1800)
    ended = worker("b", "gone", ordered=DAY, ended=DAY + 360)
    assert spent_today([over_midnight], DAY + 1800) == pytest.approx(0.5)
    assert spent_today([ended], DAY + 9999) == pytest.approx(0.1)
    assert spent_today([worker("c", ordered=DAY, quantum=3600.0)], DAY + 5) == pytest.approx(1.0)
    assert spent_today([worker("d", "gone", ordered=DAY - 7200, ended=DAY - 3600)], DAY + 5) == 0


def test_an_order_of_which_nothing_came_costs_nothing():
    """However its machines are billed."""
    refused = worker("a", "gone", machine="", ended=DAY, quantum=3600.0)
    assert spent_today([refused] * 50, DAY + 5) == 0


def test_who_must_go_where_the_slice_has_less_now():
    """The dearest, and of those that cost the same the youngest; who is on his way counts no more."""
    old, young = worker("old"), worker("young", ordered=DAY + 5)
    dear, gone = worker("dear", usd_per_hour=5.0), worker("gone", "draining")
    everybody = [dear, young, gone, old]
    assert not over_limits(everybody, {"workers": 3}, Limits())
    assert [one.token for one in over_limits(everybody, {"workers": 1}, Limits())] == ["young", "dear"]
    assert [one.token for one in over_limits(everybody, {}, Limits(cores=8))] == ["dear"]
    assert [one.token for one in over_limits(everybody, {}, Limits(usd_per_hour=2.0))] == ["dear"]
    assert "1 dollars an hour" in over_limits(everybody, {}, Limits(usd_per_hour=1.0))[0].why


def test_who_must_go_before_the_budget_is_exceeded():
    """The most expensive first, and no more than needed; nobody who costs nothing."""
    cheap, dear, free = worker("cheap"), worker("dear", usd_per_hour=5.0), worker("free", usd_per_hour=0.0)
    now = DAY + 3600.0
    assert not must_go([cheap, dear, free], Limits(usd_per_day=7.01), now)
    assert [one.token for one in must_go([cheap, dear, free], Limits(usd_per_day=6.5), now)] == ["dear"]
    assert [one.token for one in must_go([cheap, dear, free], Limits(usd_per_day=6.0), now)] == [
        "dear",
        "cheap",
    ]
    assert not must_go([dear], Limits(), now)


def test_at_the_end_of_the_day_only_what_is_left_of_it_counts():
    """After midnight there is a new budget."""
    assert not must_go([worker(ordered=DAY)], Limits(usd_per_day=24.0), 2 * DAY - 30)


def releases(*tokens):
    """Return releases of these."""
    return [Release(token, "") for token in tokens]


def test_nobody_is_let_go_on_a_view_that_is_not_trusted():
    """Whatever the policy says."""
    assert not allowed_releases(releases("a"), [worker("a")], GROUPS, DAY, trusted=False)


def test_only_so_many_go_in_a_minute():
    """Five, or a quarter of the fleet, with those that began to go just now."""
    few = [worker(str(n)) for n in range(10)]
    assert len(allowed_releases(releases(*map(str, range(10))), few, GROUPS, DAY, trusted=True)) == 5
    many = [worker(str(n)) for n in range(80)]
    assert len(allowed_releases(releases(*map(str, range(80))), many, GROUPS, DAY, trusted=True)) == 20
    going = [worker(str(n), "draining" if n < 3 else "joined") for n in range(10)]
    assert len(allowed_releases(releases(*"3456789"), going, GROUPS, DAY + 59, trusted=True)) == 2
    assert len(allowed_releases(releases(*"3456789"), going, GROUPS, DAY + 60, trusted=True)) == 5


def test_the_least_of_a_group_stays():
    """And one that goes already is not let go again."""
    there = [worker("a"), worker("b"), worker("c", "draining", since=0)]
    group = {"workers": Group("workers", min=1)}
    allowed = allowed_releases(releases("c", "a", "b", "unknown"), there, group, DAY, trusted=True)
    assert [one.token for one in allowed] == ["a"]
