"""The figures of a simulation, each against an example that was reckoned by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.fleet.simulator import elasticity, outcome, simulate
from dynamo.fleet.simulator.curve import Curve, together
from dynamo.fleet.simulator.outcome import demand_curve, paid_curve, supply_curve
from tests.unit.fleet.simulator.worlds import KEY, Script, buy, jobs, let_go, offer, trace, world

#: 100 s: wanted 4 cores for 50 s, then 2 for 30 s, then none; given 2 for 20 s, 5 for 60 s, then 1.
DEMAND = Curve(np.array([0.0, 50.0, 80.0, 100.0]), np.array([4.0, 2.0, 0.0]))
SUPPLY = Curve(np.array([0.0, 20.0, 80.0, 100.0]), np.array([2.0, 5.0, 1.0]))


def test_under_provisioning_is_what_was_missing_by_what_was_wanted():
    """2 of 4 for 20 s of 100 s."""
    assert elasticity.under_provisioned(DEMAND, SUPPLY) == pytest.approx(100 * (2 / 4 * 20) / 100)


def test_over_provisioning_is_what_was_too_much_by_what_was_wanted_or_one():
    """1 of 4 for 30 s, 3 of 2 for 30 s, 1 of none, which counts as 1, for 20 s."""
    assert elasticity.over_provisioned(DEMAND, SUPPLY) == pytest.approx(1 / 4 * 30 + 3 / 2 * 30 + 1 / 1 * 20)


def test_the_timeshares_count_seconds_only():
    """Too little for 20 s, too much for 80 s of 100 s."""
    assert elasticity.under_timeshare(DEMAND, SUPPLY) == pytest.approx(20.0)
    assert elasticity.over_timeshare(DEMAND, SUPPLY) == pytest.approx(80.0)


def test_instability_is_the_share_of_steps_that_do_not_go_the_same_way():
    """Read each 10 s there are 9 steps: supply up at 20, demand down at 50, and both down at 80, as one should."""
    assert elasticity.instability(DEMAND, SUPPLY, 10.0) == pytest.approx(100 * 2 / 9)


def test_supply_that_is_demand_is_without_fault():
    """All five are 0."""
    figures = (
        elasticity.under_provisioned, elasticity.over_provisioned, elasticity.under_timeshare,
        elasticity.over_timeshare, elasticity.instability,
    )  # fmt: skip
    assert [figure(DEMAND, DEMAND) for figure in figures] == [0.0] * 5


def test_a_curve_is_made_of_changes():
    """Those at the same time are one, those outside count at the edge."""
    curve = Curve.of([(10.0, 2.0), (10.0, 1.0), (20.0, -3.0), (30.0, 5.0), (90.0, -5.0)], 0.0, 40.0)
    assert curve.times.tolist() == [0.0, 10.0, 20.0, 30.0, 40.0]
    assert curve.values.tolist() == [0.0, 3.0, 0.0, 5.0]
    assert (curve.mean, curve.peak) == (2.0, 5.0)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(-3, 3).map(float)), max_size=20))
def test_two_curves_keep_their_means_together(changes):
    """However they are cut."""
    curve = Curve.of(changes, 0.0, 100.0)
    first, second, lasts = together(curve, DEMAND)
    assert np.sum(first * lasts) == pytest.approx(curve.mean * 100.0, abs=1e-6)
    assert np.sum(second * lasts) == pytest.approx(DEMAND.mean * 100.0)


def test_the_demand_is_the_work_spread_until_its_deadline():
    """Two jobs of 10 core-seconds within 20 s are a core; one that cannot be in time has its cores at once."""
    made = trace(jobs(2, due=20.0), jobs(1, release=100.0, due=105.0, work=20.0, cores=2), until=200.0)
    curve = demand_curve(made)
    assert curve.at(np.array([10.0, 50.0, 105.0, 115.0])).tolist() == [1.0, 0.0, 2.0, 0.0]


def test_the_demand_of_a_job_without_a_deadline_is_its_cores_until_it_is_done():
    """10 core-seconds on 2 cores are 5 s."""
    curve = demand_curve(trace(jobs(1, due=math.inf, cores=2), until=100.0))
    assert (curve.peak, curve.mean) == (2.0, pytest.approx(0.1))


def test_supply_is_from_joining_and_paid_from_ordering():
    """Ordered at 0, ready at 30, let go at 100; two cores of speed 1.5."""
    found = world(offer(cores=2, speed=1.5))
    record = simulate(trace(jobs(1, release=500.0)), Script({0.0: [buy()], 100.0: [let_go(0)]}), found)
    assert supply_curve(record).mean * 600 == pytest.approx(70 * 3.0)
    assert paid_curve(record).mean * 600 == pytest.approx(100 * 2.0)


def test_the_figures_of_a_run():
    """A machine from 0 to 100 s at 3.6 USD an hour; jobs done at 42 and 52 that were due at 60 and at 45."""
    made = trace(
        jobs(1, due=45.0), jobs(1, due=47.0, run="b"), jobs(1, release=590.0, due=595.0), until=600.0
    )
    found = outcome(simulate(made, Script({0.0: [buy()], 100.0: [let_go(0)]}), world()))
    assert (found.jobs, found.done, found.reruns) == (3, 2, 0)
    assert found.late == pytest.approx(100 * 2 / 3)
    assert (found.late_p50, found.late_p99) == (pytest.approx(5.0), pytest.approx(5.0))
    assert found.core_hours == pytest.approx(100 / 3600)
    assert found.cores == pytest.approx(100 / 600)
    assert found.usd == pytest.approx(100 * 0.001)
    assert found.utilisation == pytest.approx(20.0)
    assert found.launches == pytest.approx(6.0)
    # 42 s by 10 s, 52 s by 10 s, and 10 s by 10 s: the last is not done, and counts to the end
    assert found.slowdown == pytest.approx((4.2 + 5.2 + 1.0) / 3)


def test_the_slowdown_is_of_runs_not_of_jobs():
    """Two jobs of one run, done at 42 and 52: 5.2 times as long as with workers for both at once."""
    made = trace(jobs(2, run="a"))
    assert outcome(simulate(made, Script({0.0: [buy()]}), world())).slowdown == pytest.approx(5.2)


def test_with_workers_enough_from_the_start_only_the_match_slows_down():
    """12 s by 10 s."""
    assert outcome(simulate(trace(jobs(3)), Script({}), world(present={KEY: 3}))).slowdown == pytest.approx(
        1.2
    )


def test_a_trace_without_deadlines_is_never_late():
    """There is nothing to be late for."""
    found = outcome(simulate(trace(jobs(3, due=math.inf)), Script({}), world()))
    assert (found.late, found.late_p99, found.done) == (0.0, 0.0, 0)
