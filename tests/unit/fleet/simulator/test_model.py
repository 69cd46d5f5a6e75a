"""What happens in a simulation, reckoned by hand: when jobs run, what is paid, and what the limits let through."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.fleet.policies.named import by_name
from dynamo.fleet.simulator import Job, Trace, outcome, plain, simulate
from dynamo.fleet.simulator.machine import Machine, paid_seconds
from dynamo.fleet.view import Group, Limits, Offer
from tests.unit.fleet.simulator.worlds import KEY, Script, buy, jobs, let_go, offer, trace, world


def test_a_job_waits_for_the_boot_and_the_match_and_the_next_takes_its_slot_at_once():
    """Ordered at 0, ready at 30, matched at 32, and then one after the other."""
    record = simulate(trace(jobs(3)), Script({0.0: [buy()]}), world())
    assert record.started == [32.0, 42.0, 52.0]
    assert record.finished == [42.0, 52.0, 62.0]


def test_jobs_run_by_their_deadline_and_then_as_they_came():
    """The one that is due first runs first, though it came last."""
    made = trace(jobs(1, due=100.0), jobs(1, due=90.0, release=1.0), jobs(1, due=100.0, release=2.0))
    assert simulate(made, Script({0.0: [buy()]}), world()).started == [42.0, 32.0, 52.0]


def test_of_one_deadline_the_longest_runs_first_where_the_pool_has_it_so():
    """By what is expected of it, on the next free slot; in a pool that takes jobs as they come, as they came."""
    made = trace(jobs(1, work=5.0), jobs(1, work=20.0), jobs(1, work=10.0), jobs(1, work=30.0, due=90.0))
    begun = [simulate(made, Script({0.0: [buy()]}), world(order=order)) for order in ("longest", "arrival")]
    assert begun[0].started == [62.0, 32.0, 52.0, 67.0]
    assert begun[1].started == [32.0, 37.0, 57.0, 67.0]


def test_a_fast_core_takes_less_time_and_many_cores_less_still():
    """40 core-seconds on 2 cores of speed 2 are 10 s."""
    made = trace(jobs(1, work=40.0, cores=2))
    record = simulate(made, Script({0.0: [buy()]}), world(offer(cores=4, speed=2.0)))
    assert record.finished == [42.0]


def test_a_machine_runs_as_many_jobs_as_its_cores_and_its_memory_have_room_for():
    """Four cores with 8 bytes of memory: two jobs of 3 bytes."""
    made = trace(jobs(4, memory=3))
    record = simulate(made, Script({0.0: [buy()]}), world(offer(cores=4, memory=8)))
    assert record.started == [32.0, 32.0, 42.0, 42.0]


def test_a_job_runs_only_on_a_machine_of_its_groups():
    """The first machine is of another group."""
    gpu = offer("g/cloud/one/on-demand", boot=50.0, boot_high=50.0)
    made = trace(jobs(1, groups=frozenset({"g"})))
    record = simulate(made, Script({0.0: [buy(), buy(key=gpu.key)]}), world(offer(), gpu))
    assert record.started == [52.0]


def test_the_fullest_machine_that_does_is_filled_first():
    """Two machines of two cores; the second job joins the first, the other stays idle."""
    policy = Script({0.0: [buy(2)]})
    simulate(trace(jobs(1, release=40.0), jobs(1, release=45.0)), policy, world(offer(cores=2)))
    view = next(view for view in policy.views if view.now == 50.0)
    assert sorted(worker.busy for worker in view.workers) == [0, 2]


def test_a_worker_that_drains_finishes_its_job_and_takes_no_other():
    """Let go at 40 while its job runs until 42; the second job waits for ever."""
    record = simulate(trace(jobs(2)), Script({0.0: [buy()], 40.0: [let_go(0)]}), world())
    assert record.finished == [42.0, math.inf]
    assert record.machines[0].gone == 42.0


def test_a_worker_that_boots_can_be_cancelled():
    """It is gone at once, and never joins."""
    record = simulate(trace(jobs(1)), Script({0.0: [buy()], 10.0: [let_go(0)]}), world())
    assert (record.machines[0].gone, record.machines[0].ready) == (10.0, math.inf)
    assert record.finished == [math.inf]


@pytest.mark.parametrize(
    ("gone", "quantum", "minimum", "paid_from", "seconds"),
    [
        (100.0, 1.0, 60.0, "order", 100.0),
        (100.0, 60.0, 60.0, "order", 120.0),
        (120.0, 60.0, 60.0, "order", 120.0),
        (10.0, 1.0, 60.0, "order", 60.0),
        (100.0, 60.0, 0.0, "ready", 120.0 - 60.0 + 60.0),
        (100.0, 1.0, 0.0, "ready", 70.0),
        (math.inf, 3600.0, 0.0, "order", 3600.0),
        (20.0, 1.0, 60.0, "ready", 0.0),
    ],
)
def test_what_is_paid_is_whole_steps_and_at_least_the_minimum(gone, quantum, minimum, paid_from, seconds):
    """Ordered at 0, ready at 30 unless gone before, in a simulation of 600 s."""
    machine = Machine(0, 0, offer(quantum=quantum, minimum=minimum), 0.0)
    machine.ready = 30.0 if gone > 30.0 else math.inf
    machine.gone = gone
    assert paid_seconds(machine, 600.0, paid_from) == seconds


def test_machines_that_are_there_from_the_start_are_paid_and_serve_at_once():
    """The job starts when it is matched."""
    record = simulate(trace(jobs(1)), Script({}), world(present={KEY: 2}))
    assert record.started == [2.0]
    assert outcome(record).core_hours == pytest.approx(2 * 600 / 3600)


@pytest.mark.parametrize(
    ("more", "got", "why"),
    [
        ({"groups": {"w": Group("w", max=3)}}, 3, "max of the group"),
        ({"limits": Limits(cores=2)}, 2, "limits.cores"),
        ({"limits": Limits(usd_per_hour=4 * 3.6)}, 4, "limits.usd_per_hour"),
        ({"limits": Limits(usd_per_day=0.12)}, 2, "limits.usd_per_day"),
        ({"groups": {"w": Group("w", out="bad boots")}}, 0, "the group is out of service: bad boots"),
    ],
)
def test_a_policy_cannot_have_more_than_the_limits_and_its_tries_are_counted(more, got, why):
    """It asks for five machines at 3.6 USD an hour, of at least a minute each."""
    record = simulate(trace(jobs(1)), Script({0.0: [buy(5)]}), world(**more))
    assert len(record.machines) == got
    assert record.refused == {why: 5 - got}


def test_no_more_can_be_had_than_is_left_and_the_view_says_how_many():
    """Two are left of three when one is there."""
    policy = Script({0.0: [buy()], 10.0: [buy(5)]})
    record = simulate(trace(jobs(1)), policy, world(offer(left=3)))
    assert [view.offers[0].left for view in policy.views[:3]] == [3, 2, 0]
    assert record.refused == {"no more left of the offer": 3}


def test_what_does_not_exist_is_not_bought_and_not_let_go():
    """Both are counted."""
    record = simulate(trace(jobs(1)), Script({0.0: [buy(key="w/none"), let_go(7)]}), world())
    assert record.refused == {"no such offer": 1, "no such worker to release": 1}


def test_the_view_tells_of_the_queue_and_the_workers():
    """At 40 s two jobs of 10 s have run for 8 s on two cores, and one waits."""
    policy = Script({0.0: [buy(2)]})
    simulate(trace(jobs(3)), policy, world())
    view = next(view for view in policy.views if view.now == 40.0)
    (load,) = view.loads
    assert (load.waiting, load.running, load.due, load.known) == (1, 2, 60.0, True)
    assert (load.work, load.high, load.longest) == (14.0, 14.0, 10.0)
    assert [(each.stage, each.busy, each.ends, each.urgent) for each in view.workers] == [
        ("ready", 1, 42.0, True)
    ] * 2
    assert view.workers[0].paid_until == 60.0


def test_idle_since_is_when_the_last_job_ended():
    """And before the first job, when it joined."""
    policy = Script({0.0: [buy()]})
    simulate(trace(jobs(1, release=35.0)), policy, world())
    seen = {view.now: view.workers[0].idle_since for view in policy.views if view.workers}
    assert (seen[30.0], seen[40.0], seen[60.0]) == (30.0, None, 47.0)


def test_the_history_goes_through_json():
    """A tuple comes back as a list, and at first there is none."""
    policy = Script({})
    simulate(trace(jobs(1), until=10.0), policy, world())
    assert policy.histories == [{}, {"now": 0.0, "pair": [1, 2]}]


def test_lateness_is_the_share_of_the_last_hour():
    """One of two jobs of the class was late; an hour after each nobody knows of it."""
    policy = Script({})
    made = trace(jobs(1, due=60.0), jobs(1, due=5.0), until=4000.0)
    simulate(made, policy, world(present={KEY: 1}))
    seen = {view.now: view.lateness for view in policy.views}
    assert seen[30.0] == {"k": 0.5}
    assert seen[3620.0] == {"k": 0.0}
    assert seen[3630.0] == {}


def kinds():
    """Strategies for jobs."""
    times = st.floats(0.0, 300.0)
    return st.builds(
        lambda release, within, work, cores: Job("k", release, release + within, work, cores),
        times, st.floats(1.0, 120.0), st.floats(0.1, 60.0), st.integers(1, 3),
    )  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(
    st.lists(kinds(), min_size=1, max_size=40),
    st.sampled_from(["queue_depth", "cobald", "dask", "parsl", "keda", "work"]),
    st.integers(0, 5),
    st.integers(1, 12),
)
def test_no_job_is_lost_or_done_twice_and_no_machine_goes_unpaid(some, policy, seed, most):
    """Whatever the policy: what is used was paid, no limit is passed, and the end of the trace is the end."""
    made = Trace.of("t", some, 2000.0)
    found = world(offer(cores=4, boot=20.0, boot_high=60.0), limits=Limits(cores=4 * most), estimates="noisy")
    record = simulate(made, by_name(policy), found, seed)
    done = [at for at in record.finished if at < math.inf]
    assert all(began >= job.release for job, began in zip(made.jobs, record.started, strict=True))
    assert all(0 <= end <= made.until for end in done)
    result = outcome(record)
    assert result.done == len(done) <= result.jobs == len(some)
    used = sum(job.work for job, at in zip(made.jobs, record.finished, strict=True) if at < math.inf)
    assert result.core_hours * 3600 >= used - 1e-6
    assert result.utilisation <= 100.0 + 1e-9
    for at in {machine.made for machine in record.machines}:
        there = sum(4 for machine in record.machines if machine.made <= at < machine.gone)
        assert there <= 4 * most


@settings(deadline=None, max_examples=15)
@given(st.lists(kinds(), min_size=1, max_size=30), st.integers(0, 1000))
def test_the_same_seed_gives_the_same(some, seed):
    """To the last figure."""
    made = Trace.of("t", some, 1000.0)
    first, second = (simulate(made, by_name("cobald"), plain(45.0), seed) for _ in range(2))
    assert outcome(first) == outcome(second)
    assert first.finished == second.finished


def test_the_boot_of_an_order_and_the_error_of_an_estimate_do_not_depend_on_the_policy():
    """The third order boots as long whoever orders it, and whenever."""
    wide = world(offer(boot_high=90.0), estimates="noisy")
    one = simulate(trace(jobs(2)), first := Script({0.0: [buy(3)]}), wide, 7)
    other = simulate(trace(jobs(2)), second := Script({0.0: [buy()], 50.0: [buy()], 90.0: [buy()]}), wide, 7)
    boots = [[machine.ready - machine.made for machine in record.machines] for record in (one, other)]
    assert boots[0] == pytest.approx(boots[1])
    assert len(set(boots[0])) == 3
    assert first.views[1].loads[0].work == second.views[1].loads[0].work


def test_half_of_the_boots_take_no_longer_than_the_median_and_nine_of_ten_no_longer_than_the_ninth_decile():
    """Of two thousand."""
    found = world(offer(boot=100.0, boot_high=150.0, usd_per_hour=0.0))
    record = simulate(trace(jobs(1), until=3000.0), Script({0.0: [buy(2000)]}), found, 3)
    boots = [machine.ready for machine in record.machines]
    assert sum(boot <= 100.0 for boot in boots) / 2000 == pytest.approx(0.5, abs=0.03)
    assert sum(boot <= 150.0 for boot in boots) / 2000 == pytest.approx(0.9, abs=0.02)


def test_an_offer_of_no_boot_time_is_ready_at_once():
    """As a machine that stands in a room."""
    there = Offer(KEY, "w", "here", 1, boot=0.0, boot_high=0.0)
    assert simulate(trace(jobs(1)), Script({0.0: [buy()]}), world(there)).started == [2.0]
