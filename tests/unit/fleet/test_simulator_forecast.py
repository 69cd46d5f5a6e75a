"""What a simulation tells of the cycles to come is right on average, and the better the nearer they are."""

from __future__ import annotations

import math
import statistics

import pytest

from dynamo.fleet.policies.work import WorkPerDeadline
from dynamo.fleet.predict import Predictor
from dynamo.fleet.simulator.draws import Draws
from dynamo.fleet.simulator.forecast import REACH, AsLive, Forecast
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


def knowing(kind="a", seconds=10.0):
    """Return a predictor that knows what such jobs take."""
    made = Predictor()
    for _ in range(9):
        made.learn(kind, {}, seconds)
    return made


def test_as_live_the_next_cycles_are_what_the_last_was_and_no_storm_is_foretold():
    """Ten jobs a minute, and a hundred from the third minute on: known when they are there."""
    jobs = [
        Job("a", 60.0 * n + 1, 60.0 * n + 60.0, 10.0) for n in range(6) for _ in range(10 if n < 3 else 100)
    ]
    offers = plain(120.0).offers
    told = AsLive(Trace.of("made", jobs, period=60.0), [math.inf] * len(jobs), offers, knowing())
    assert not told.coming(0.0)
    found = told.coming(130.0)
    # 180 s is what nine boots of ten take, and two minutes more are told
    assert [(one.at, one.due, one.cores) for one in found] == [
        (60.0 * n, 60.0 * n + 60.0, 10) for n in range(3, 8)
    ]
    assert found[0].work == pytest.approx(100.0, rel=0.1)
    assert {one.cores for one in told.coming(190.0)} == {100}
    assert not AsLive(Trace.of("made", jobs), [math.inf] * len(jobs), offers, knowing()).coming(130.0)


def test_as_live_what_jobs_take_is_learned_of_those_that_are_done():
    """Where what is known of the jobs is not the fleet's own predictor's: nothing is told before three are done."""
    jobs = [Job("a", 60.0 * n + 1, 60.0 * n + 60.0, 10.0) for n in range(3) for _ in range(10)]
    finished = [20.0, 20.0] + [math.inf] * 28
    told = AsLive(Trace.of("made", jobs, period=60.0), finished, plain(45.0).offers, None)
    assert not told.coming(30.0)
    finished[7] = 35.0
    assert told.coming(40.0)[0].work == pytest.approx(100.0, rel=0.3)


def test_with_a_forecast_the_first_cycle_of_a_burst_is_in_time():
    """Nothing for an hour, then a hundred jobs a minute: without, or by the clock alone, the first ones are late."""
    jobs = [Job("a", 60.0 * n, 60.0 * n + 60.0, 10.0) for n in range(60, 75) for _ in range(100)]
    trace = Trace.of("made", jobs, period=60.0)
    late = {}
    for forecast in ("nowcast", "clocks", "none"):
        world = plain(120.0)
        world = type(world)(world.offers, world.groups, forecast=forecast, estimates="exact")
        late[forecast] = outcome(simulate(trace, WorkPerDeadline(), world, 1)).late
    assert late["nowcast"] == 0.0
    assert late["none"] >= late["clocks"] > 5.0
