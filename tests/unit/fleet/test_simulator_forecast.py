"""What a simulation tells of the cycles to come is right on average, and the better the nearer they are."""

from __future__ import annotations

import statistics

import pytest

from dynamo.fleet.policies.work import WorkPerDeadline
from dynamo.fleet.simulator.draws import Draws
from dynamo.fleet.simulator.forecast import REACH, Forecast
from dynamo.fleet.simulator.model import simulate
from dynamo.fleet.simulator.outcome import outcome
from dynamo.fleet.simulator.scenario import plain
from dynamo.fleet.simulator.trace import Job, Trace


def minutes(count, period=60.0):
    """Return a trace of so many cycles of ten jobs of 10 s, each due a minute after it begins."""
    jobs = [Job("a", 60.0 * n, 60.0 * n + 60.0, 10.0) for n in range(count) for _ in range(10)]
    return Trace.of("made", jobs, period=period)


def test_cycles_after_now_are_told_as_far_as_a_forecast_reaches():
    """The one that begins now is in the queue; twenty minutes later nothing is told."""
    found = Forecast(minutes(60), Draws(1)).coming(120.0)
    assert [one.at for one in found] == [60.0 * n for n in range(3, 3 + int(REACH / 60))]
    assert {(one.due - one.at, one.cores) for one in found} == {(60.0, 10)}
    assert all(one.high > one.work for one in found)


def test_without_a_clock_nothing_is_told():
    """Nobody knows when a recorded run would come."""
    assert Forecast(minutes(60, period=0.0), Draws(1)).coming(0.0) == ()


def test_the_error_shrinks_as_a_cycle_comes_nearer():
    """And it is none on average."""
    near, far = [], []
    for seed in range(300):
        forecast = Forecast(minutes(21), Draws(seed))
        near.append(forecast.coming(1140.0)[0].work)
        far.append(forecast.coming(0.0)[-1].work)
    assert statistics.fmean(near) == pytest.approx(100.0, rel=0.02)
    assert statistics.fmean(far) == pytest.approx(100.0, rel=0.1)
    assert statistics.stdev(near) < 10.0
    assert statistics.stdev(far) > 30.0


def test_with_a_forecast_the_first_cycle_of_a_burst_is_in_time():
    """Nothing for an hour, then a hundred jobs a minute: without a forecast the first cycles are late."""
    jobs = [Job("a", 60.0 * n, 60.0 * n + 60.0, 10.0) for n in range(60, 75) for _ in range(100)]
    trace = Trace.of("made", jobs, period=60.0)
    late = {}
    for forecast in (True, False):
        world = plain(120.0)
        world = type(world)(world.offers, world.groups, forecast=forecast, estimates="exact")
        late[forecast] = outcome(simulate(trace, WorkPerDeadline(), world, 1)).late
    assert late[True] == 0.0
    assert late[False] > 5.0
