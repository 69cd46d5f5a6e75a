"""What is bought for missing cores is the cheapest that is in time, and within every limit."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.fleet.packing import Room, Want, pack
from dynamo.fleet.view import Group, Limits, Offer, View, Worker


def offer(name, cores=4, usd=1.0, **more):
    """Return an offer of the group ``w``."""
    return Offer(f"w/c/{name}", "w", "c", cores, usd_per_hour=usd, **more)


def packed(cores, offers, by=1e9, use=3600.0, limits=None, workers=(), group=None):
    """Return what is bought for so many missing cores."""
    view = View(
        0.0, offers=offers, workers=workers, groups={"w": group or Group("w")}, limits=limits or Limits()
    )
    want = Want(cores, by, use, {one.key: float(one.cores) for one in offers})
    found, _ = pack(want, offers, Room.of(view), 0.0)
    return {key.removeprefix("w/c/"): count for key, count in found.counts.items()}, found


def test_the_cheapest_core_is_bought_and_not_one_machine_too_many():
    """Nine cores: at four a dollar, three machines of four."""
    assert packed(9.0, [offer("a"), offer("dear", usd=2.0)])[0] == {"a": 3}


def test_the_rest_is_bought_small_where_that_is_cheaper():
    """Nine cores: one of eight, and one of one."""
    assert packed(9.0, [offer("big", cores=8, usd=2.0), offer("small", cores=1, usd=0.3)])[0] == {
        "big": 1,
        "small": 1,
    }


def test_a_faster_core_counts_for_more():
    """Twice the speed for half as much again."""
    assert packed(8.0, [offer("slow"), offer("fast", usd=1.5, speed=2.0)])[0] == {"fast": 1}


def test_what_is_paid_for_comes_first():
    """And what it does not bring comes of what is bought."""
    assert packed(9.0, [offer("aws"), offer("lease", usd=0.0, left=2)])[0] == {"lease": 2, "aws": 1}


def test_spot_comes_first_and_on_demand_stands_behind_it():
    """When spot rests after a refusal, on-demand is bought at once."""
    spot, sure = offer("spot", usd=0.4, spot=True), offer("sure")
    assert packed(8.0, [spot, sure])[0] == {"spot": 2}
    resting = offer("spot", usd=0.4, spot=True, rests_until=60.0)
    assert packed(8.0, [resting, sure])[0] == {"sure": 2}


def test_spot_that_costs_almost_as_much_is_not_worth_its_risk():
    """The risk is taken for 15 %."""
    assert packed(4.0, [offer("spot", usd=0.95, spot=True), offer("sure")])[0] == {"sure": 1}


def test_what_cannot_be_up_in_time_is_not_bought_where_something_else_can():
    """Where nothing can, the cheaper one is."""
    metal, cloud = offer("metal", usd=0.0, boot=600.0), offer("cloud", boot=45.0)
    assert packed(4.0, [metal, cloud], by=100.0)[0] == {"cloud": 1}
    assert packed(4.0, [metal, cloud], by=10.0)[0] == {"metal": 1}
    assert packed(4.0, [metal, cloud], by=1000.0)[0] == {"metal": 1}


def test_billing_steps_count():
    """For ten minutes, a machine billed by the hour costs more than one of twice the price billed by the second."""
    hourly, second = offer("hourly", usd=1.0, quantum=3600.0, minimum=3600.0), offer("second", usd=2.0)
    assert packed(4.0, [hourly, second], use=600.0)[0] == {"second": 1}
    assert packed(4.0, [hourly, second], use=3600.0 - 60.0)[0] == {"hourly": 1}


def test_a_reservation_that_is_about_to_end_is_left():
    """Thirty seconds after its boot it would be over."""
    assert packed(4.0, [offer("lease", usd=0.0, ends=90.0), offer("sure")])[0] == {"sure": 1}


@pytest.mark.parametrize(
    ("limits", "group", "left", "count", "bit"),
    [
        (Limits(cores=10), Group("w"), 99, 2, "limits.cores"),
        (Limits(usd_per_hour=3.5), Group("w"), 99, 3, "limits.usd_per_hour"),
        (Limits(usd_per_day=10.0, usd_today=9.6), Group("w"), 99, 2, "limits.usd_per_day"),
        (Limits(), Group("w", max=1), 99, 1, "the bounds of the group w"),
        (Limits(), Group("w", out="three bad boots"), 99, 0, "the bounds of the group w"),
        (Limits(), Group("w"), 3, 3, "no more of w/c/a can be had now"),
    ],
)
def test_the_limit_that_bit_is_named(limits, group, left, count, bit):
    """Forty cores are missing, and less is bought."""
    counts, found = packed(40.0, [offer("a", left=left)], limits=limits, group=group)
    assert counts.get("a", 0) == count
    assert found.bit == (bit,)


def test_what_is_there_takes_of_the_room():
    """Also a worker that drains: it is still paid, and in the quota."""
    there = [Worker(str(n), "w", "w/c/a", "draining", 0.0, 0.0, 4) for n in range(2)]
    assert packed(40.0, [offer("a")], limits=Limits(cores=16), workers=there)[0] == {"a": 2}


offers_of = st.lists(
    st.tuples(
        st.integers(1, 8),
        st.integers(0, 40),
        st.sampled_from([0.5, 1.0, 1.5]),
        st.integers(0, 4),
        st.booleans(),
    ),
    min_size=1,
    max_size=3,
)


@given(offers_of, st.integers(1, 30), st.integers(1, 24), st.integers(1, 60))
@settings(deadline=None, max_examples=150)
def test_as_much_is_covered_as_can_be_and_hardly_dearer_than_the_best_of_all_answers(
    rows, missing, cores, tenths
):
    """All counts are tried. No limit is exceeded; where the limits let all be covered it is, for 10 % more at most."""
    offers = [
        offer(str(n), cores=c, usd=usd / 10, speed=speed, left=left, spot=spot)
        for n, (c, usd, speed, left, spot) in enumerate(rows)
    ]
    limits = Limits(cores=cores, usd_per_hour=tenths / 10)
    _, found = packed(float(missing), offers, limits=limits)
    counts = [found.counts.get(one.key, 0) for one in offers]

    def allowed(some):
        return (
            sum(n * one.cores for n, one in zip(some, offers, strict=True)) <= cores
            and sum(n * one.usd_per_hour for n, one in zip(some, offers, strict=True)) <= tenths / 10 + 1e-9
            and all(n <= one.left for n, one in zip(some, offers, strict=True))
        )

    def brings(some):
        return sum(n * one.cores * one.speed for n, one in zip(some, offers, strict=True))

    def costs(some):
        return sum(
            n * one.usd_per_hour * (1 + 0.15 * one.spot) * 3660 / 3600
            for n, one in zip(some, offers, strict=True)
        )

    assert allowed(counts)
    every = [some for some in itertools.product(*(range(one.left + 1) for one in offers)) if allowed(some)]
    enough = [costs(some) for some in every if brings(some) >= missing - 1e-6]
    if enough:
        assert brings(counts) >= missing - 1e-6
        assert costs(counts) <= 1.1 * min(enough) + 1e-9
    else:
        assert brings(counts) >= 0.9 * max(brings(some) for some in every) - 1e-9
