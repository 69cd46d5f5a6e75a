"""Cores that work needs to be in time, against figures worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.fleet.demand import Terms, demand, eligible, fits, ready_at, supply
from dynamo.fleet.view import Coming, Load, Offer, View, Worker

PLAIN = Terms(overhead=0.0, tail=0.0)
GIB = 1 << 30


def load(due, work, jobs=100, **more):
    """Return so many waiting jobs."""
    return Load("a", due, jobs, 0, work, more.pop("high", work), **more)


def test_the_work_by_the_time_there_is_for_it():
    """2,140 core-seconds due in 38 s with 5 s until they run are 64.8 cores."""
    found = demand([load(1038.0, 2140.0)], [], 1000.0, Terms(overhead=5.0, tail=0.0))
    assert found.cores == pytest.approx(2140 / 33)
    assert (found.due, found.work) == (1038.0, 2140.0)


def test_of_several_deadlines_the_one_binds_that_needs_most():
    """100 in 10 s are 10 cores, 100 + 500 in 50 s are 12, 100 + 500 + 60 in 100 s are 6.6."""
    loads = [load(100.0, 60.0), load(10.0, 100.0), load(50.0, 500.0)]
    found = demand(loads, [], 0.0, PLAIN)
    assert found.cores == pytest.approx(12.0)
    assert (found.due, found.work) == (50.0, 600.0)


def test_never_more_cores_than_the_jobs_can_use():
    """Three jobs of two cores are six, whatever they take."""
    assert demand([load(10.0, 55.0, jobs=3, cores=2)], [], 0.0, PLAIN).cores == pytest.approx(5.5)
    assert demand([load(10.0, 59.9, jobs=3, cores=2)], [], 0.0, PLAIN).cores <= 6


def test_the_tail_of_the_longest_job_shortens_the_window():
    """20 s off 60 s, and off the work: 520 - 20 in 40 s. No more than half the window; of little work nothing."""
    terms = Terms(overhead=0.0, tail=0.5)
    assert demand([load(60.0, 520.0, longest=20.0)], [], 0.0, terms).cores == pytest.approx(12.5)
    assert demand([load(60.0, 630.0, longest=50.0)], [], 0.0, terms).cores == pytest.approx(20.0)
    assert demand([load(60.0, 30.0, longest=20.0)], [], 0.0, terms).cores == pytest.approx(0.5)


def test_jobs_that_are_alike_are_whole():
    """32 jobs of 20 s in 57 s: two on a core, so 16 cores and not 11.3; of 26 s too, of 30 s each its own."""
    for seconds, cores in ((20.0, 16.0), (26.0, 16.0), (30.0, 32.0)):
        found = demand([load(57.0, 32 * seconds, jobs=32, longest=seconds)], [], 0.0, PLAIN)
        assert found.cores == pytest.approx(cores)
    many = demand([load(57.0, 64.0, jobs=32, longest=2.0)], [], 0.0, PLAIN)
    unlike = demand([load(57.0, 640.0, jobs=32, longest=45.0)], [], 0.0, PLAIN)
    assert (many.cores, unlike.cores) == (pytest.approx(64 / 57), pytest.approx(640 / 57))


def test_a_forecast_counts_for_less_than_it_says():
    """300 to 400 at 100, due at 130: half the difference is taken off, but never more than there is."""
    for high, work in ((400.0, 250.0), (300.0, 300.0), (2000.0, 0.0)):
        found = demand((), [Coming(100.0, 130.0, 300.0, high, 50)], 0.0, PLAIN)
        assert found.cores == pytest.approx(work / 30.0)


def test_caution_is_between_what_is_expected_and_what_is_hardly_exceeded():
    """Half way from 100 to 200 in 10 s."""
    terms = Terms(overhead=0.0, tail=0.0, caution=0.5)
    assert demand([load(10.0, 100.0, high=200.0)], [], 0.0, terms).cores == pytest.approx(15.0)


def test_jobs_without_a_deadline_have_the_default_one():
    """9,000 core-seconds in 900 s are ten cores; one that takes an hour by itself needs one."""
    assert demand([load(math.inf, 9000.0)], [], 0.0, PLAIN).cores == pytest.approx(10.0)
    assert demand([load(math.inf, 3600.0, jobs=1, longest=3600.0)], [], 0.0, PLAIN).cores == pytest.approx(
        1.0
    )


def test_late_work_is_caught_up_beside_what_is_due():
    """600 late core-seconds within 60 s are ten cores, and 100 due in 10 s another ten."""
    found = demand([load(-5.0, 600.0), load(10.0, 100.0)], [], 0.0, PLAIN)
    assert found.cores == pytest.approx(20.0)
    assert (found.late, found.behind) == (600.0, 10.0)


def test_late_work_is_bounded_by_the_jobs():
    """Two late jobs of an hour are two cores, not 120."""
    assert demand([load(-5.0, 7200.0, jobs=2, longest=3600.0)], [], 0.0, PLAIN).cores == pytest.approx(2.0)


def test_for_one_job_that_cannot_make_it_nothing_more_is_bought():
    """The longest takes 100 s of the 50 s left: it counts as late, and its core is all it gets."""
    others = demand([load(50.0, 400.0, jobs=40, longest=10.0)], [], 0.0, PLAIN)
    found = demand([load(50.0, 500.0, jobs=41, longest=100.0)], [], 0.0, PLAIN)
    assert others.cores == pytest.approx(8.0)
    assert found.cores == pytest.approx(9.0)
    assert found.late == pytest.approx(100.0)


def test_jobs_that_nothing_is_known_of_ask_for_a_core_each():
    """Queue depth is what remains."""
    found = demand([load(100.0, 1.0, jobs=7, known=False), load(100.0, 100.0)], [], 0.0, PLAIN)
    assert found.cores == pytest.approx(8.0)
    assert found.guessed == 7.0


def test_a_window_that_no_order_can_serve_in_does_not_shrink():
    """Seen at 0 and due at 60, 300 core-seconds left at 40: not 15 cores, for nothing ordered now is up before 85."""
    found = demand([load(60.0, 300.0)], [], 40.0, PLAIN, soonest=85.0, seen={60.0: 0.0})
    assert found.cores == pytest.approx(5.0)
    assert demand(
        [load(60.0, 300.0)], [], 40.0, PLAIN, soonest=45.0, seen={60.0: 0.0}
    ).cores == pytest.approx(15.0)


def test_forecast_work_is_needed_from_when_it_comes():
    """300 at 100, due at 130, are ten cores then; with the 400 of the queue, (400 + 300) in 130 s are fewer."""
    coming = [Coming(100.0, 130.0, 300.0, 300.0, 50)]
    found = demand([load(125.0, 400.0)], coming, 0.0, PLAIN)
    assert found.cores == pytest.approx(10.0)
    assert found.start == 100.0


@given(
    st.lists(
        st.tuples(st.floats(-100, 1000), st.floats(0, 1e4), st.integers(1, 50), st.floats(0, 50)), max_size=6
    ),
    st.floats(1.0, 3.0),
)
def test_more_work_never_needs_fewer_cores_and_never_more_than_there_are_jobs(rows, factor):
    """For jobs that can be in time and those that cannot."""

    def loads(by):
        return [
            load(due, work * by, jobs=jobs, longest=min(longest, work)) for due, work, jobs, longest in rows
        ]

    terms = Terms(tail=0.0)
    first, second = demand(loads(1.0), [], 0.0, terms), demand(loads(factor), [], 0.0, terms)
    in_time = all(due > 60 and work * factor / jobs < 30 for due, work, jobs, _ in rows)
    if in_time:
        assert second.cores >= first.cores - 1e-6
    assert second.cores <= sum(jobs for _, _, jobs, _ in rows) + 1e-6


def offer(key="w/c/a", **more):
    """Return an offer of four cores."""
    return Offer(key, more.pop("group", "w"), "c", more.pop("cores", 4), **more)


def test_what_fits_is_counted_in_cores_that_jobs_can_use():
    """Of 4 cores and 8 GiB: two jobs of 3 GiB; none of eight cores; none of another group."""
    one = offer(memory=8 * GIB)
    assert fits(load(1.0, 1.0, memory=3 * GIB), one) == 2
    assert fits(load(1.0, 1.0, cores=8), one) == 0
    assert fits(load(1.0, 1.0, cores=3), one) == 3
    assert fits(load(1.0, 1.0, groups=frozenset({"gpu"})), one) == 0
    assert fits(load(1.0, 1.0, memory=3 * GIB), offer()) == 4


def test_loads_are_grouped_by_the_offers_that_can_run_them_the_narrowest_first():
    """What only the large machine can run must be served by it; all together by both."""
    small, large = offer("w/c/small"), offer("w/c/large", cores=16)
    wide, narrow = load(1.0, 1.0, cores=8), load(2.0, 1.0)
    found = eligible([narrow, wide], [small, large])
    assert list(found) == [frozenset({"w/c/large"}), frozenset({"w/c/small", "w/c/large"})]
    assert found[frozenset({"w/c/large"})] == [wide]
    assert sorted(found[frozenset({"w/c/small", "w/c/large"})], key=lambda one: one.due) == [wide, narrow]


def worker(stage="ready", made=0.0, offer="w/c/a", **more):
    """Return a worker."""
    return Worker(more.pop("token", "t"), "w", offer, stage, made, made, 4, **more)


def test_a_worker_that_boots_serves_when_half_of_them_do_and_is_given_up_in_the_end():
    """Boots take 60 s and, nine of ten, 120 s: after 270 s nobody counts on it."""
    assert ready_at(worker(), offer(), 10.0) == 10.0
    assert ready_at(worker("booting", made=0.0), offer(), 10.0) == 60.0
    assert ready_at(worker("booting", made=0.0), offer(), 100.0) == 100.0
    assert ready_at(worker("booting", made=0.0), offer(), 271.0) == math.inf
    assert ready_at(worker("draining"), offer(), 10.0) == math.inf


def test_capacity_that_no_job_can_use_counts_as_none():
    """No memory for more than one job, another offer, too late, and dead before it matters."""
    view = View(
        now=0.0,
        offers=[offer(memory=8 * GIB, speed=2.0), offer("w/c/b")],
        workers=[
            worker(),
            worker("booting"),
            worker("booting", made=-1000.0),
            worker("draining"),
            worker(offer="w/c/b"),
            worker(dies=50.0),
        ],
    )
    jobs = [load(100.0, 1.0, memory=5 * GIB)]
    assert supply(view, frozenset({"w/c/a"}), jobs, by=100.0) == (2.0, 2.0)
    assert supply(view, frozenset({"w/c/a"}), jobs, by=30.0) == (4.0, 0.0)
    assert supply(view, frozenset({"w/c/a", "w/c/b"}), [], by=100.0) == (12.0, 8.0)
