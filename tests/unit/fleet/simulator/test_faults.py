"""What goes wrong in a simulation, one thing at a time."""

from __future__ import annotations

import math

import pytest

from dynamo.fleet.policies.named import by_name
from dynamo.fleet.simulator import outcome, simulate
from dynamo.fleet.simulator.faults import Death, NoBoots, NoCollector, NoStock, Outage, Reclaim, SlowBoots
from dynamo.fleet.simulator.traces import onset
from dynamo.fleet.simulator.world import troubled
from tests.unit.fleet.simulator.worlds import KEY, Script, buy, jobs, let_go, offer, trace, world


def test_a_cloud_without_stock_refuses_and_the_offer_rests_longer_each_time():
    """3 min, then 6; what is asked for in between is refused by the rest."""
    policy = Script({0.0: [buy()], 100.0: [buy()], 180.0: [buy()], 540.0: [buy()]})
    record = simulate(trace(jobs(1), until=700.0), policy, world(faults=(NoStock(KEY, 0.0, 400.0),)))
    assert record.refused == {"no capacity": 2, "the offer rests": 1}
    assert {view.offers[0].rests_until for view in policy.views} == {0.0, 180.0, 540.0}
    assert [machine.made for machine in record.machines] == [540.0]


def test_slow_boots_take_so_many_times_as_long():
    """Only those that are ordered meanwhile."""
    policy = Script({0.0: [buy()], 50.0: [buy()]})
    record = simulate(trace(jobs(1)), policy, world(faults=(SlowBoots(40.0, 60.0, 3.0),)))
    assert [machine.ready for machine in record.machines] == [30.0, 140.0]


def test_a_machine_that_never_joins_is_paid_until_it_is_given_up():
    """The job waits for another."""
    faults = (NoBoots(0.0, 5.0, after=100.0),)
    record = simulate(trace(jobs(1)), Script({0.0: [buy()], 110.0: [buy()]}), world(faults=faults))
    assert (record.machines[0].ready, record.machines[0].gone) == (math.inf, 100.0)
    assert record.started == [142.0]


def test_of_a_share_of_the_boots_as_many_fail():
    """A quarter of a thousand."""
    faults = (NoBoots(0.0, 5.0, share=0.25),)
    record = simulate(trace(jobs(1)), Script({0.0: [buy(1000)]}), world(faults=faults))
    assert sum(machine.ready == math.inf for machine in record.machines) == pytest.approx(250, abs=45)


def test_while_a_provider_does_not_answer_nothing_is_bought_and_what_is_let_go_is_paid():
    """The idle machine that was let go at 50 is gone at 600, when the provider answers again."""
    policy = Script({0.0: [buy()], 50.0: [let_go(0), buy()]})
    record = simulate(
        trace(jobs(1, release=700.0), until=800.0), policy, world(faults=(Outage("cloud", 40.0, 600.0),))
    )
    assert record.refused == {"the provider does not answer": 1}
    assert [machine.gone for machine in record.machines] == [600.0]


def test_another_provider_is_not_touched_by_an_outage():
    """Its machine comes."""
    other = offer("w/other/one/on-demand")
    found = world(offer(), other, faults=(Outage("cloud", 0.0, 600.0),))
    record = simulate(trace(jobs(1)), Script({0.0: [buy(), buy(key=other.key)]}), found)
    assert [machine.offer.key for machine in record.machines] == [other.key]


def test_a_collector_that_restarts_shows_nothing_matches_nothing_and_nothing_is_let_go():
    """Jobs that run go on and their slots take the next; a new machine gets no job until it is back."""
    policy = Script({0.0: [buy()], 30.0: [buy()], 50.0: [let_go(0)]})
    made = trace(jobs(4, due=600.0, work=12.0))
    record = simulate(made, policy, world(faults=(NoCollector(35.0, 90.0),)))
    assert record.started == [32.0, 44.0, 56.0, 68.0]
    blind = [view for view in policy.views if 35.0 <= view.now < 90.0]
    assert {(view.trusted, view.loads) for view in blind} == {(False, ())}
    assert all(worker.busy == 0 for view in blind for worker in view.workers)
    assert record.refused == {"a release on a view that is not to be trusted": 1}
    assert all(view.trusted for view in policy.views if view not in blind)


def test_a_restart_that_nobody_noticed_shows_an_empty_pool_that_is_to_be_trusted():
    """What drained a whole pool elsewhere can be tried."""
    policy = Script({0.0: [buy()]})
    simulate(trace(jobs(4)), policy, world(faults=(NoCollector(35.0, 90.0, noticed=False),)))
    assert all(view.trusted for view in policy.views)
    assert not next(view for view in policy.views if view.now == 40.0).loads


def test_spot_machines_that_are_taken_back_lose_their_jobs_which_run_again():
    """At 35 both of the spot machines go, not the one on demand."""
    spot = offer("w/cloud/one/spot", spot=True)
    policy = Script({0.0: [buy(2, spot.key)], 40.0: [buy()]})
    record = simulate(trace(jobs(2)), policy, world(offer(), spot, faults=(Reclaim(spot.key, 35.0),)))
    assert record.reruns == 2
    assert record.started == [72.0, 82.0]
    assert [machine.gone for machine in record.machines] == [35.0, 35.0, math.inf]


def test_a_machine_that_dies_loses_its_job_and_only_its_own():
    """The second machine's job is done at 42; the lost one runs after it."""
    record = simulate(trace(jobs(2)), Script({0.0: [buy(2)]}), world(faults=(Death(0, 5.0),)))
    assert record.finished == [52.0, 42.0]
    assert record.reruns == 1


def test_half_estimates_see_half_of_the_work():
    """The mean over many jobs, and the ninth decile with it."""
    policy = Script({})
    simulate(trace(jobs(4000), until=10.0), policy, world(estimates="half", present={}))
    assert policy.views[1].loads[0].work == pytest.approx(4000 * 10.0 / 2, rel=0.03)


def test_learned_estimates_are_a_guess_at_first_and_the_truth_later():
    """What waits is estimated anew when a job of its class is done."""
    policy = Script({})
    simulate(trace(jobs(40, due=600.0)), policy, world(estimates="learned", present={KEY: 1}))
    seen = {view.now: view.loads[0] for view in policy.views if view.loads}
    assert not seen[10.0].known
    assert seen[10.0].work > 1000.0
    assert seen[110.0].known
    assert seen[110.0].work == pytest.approx(30 * 10.0, rel=0.15)


@pytest.mark.parametrize("policy", ["queue_depth", "work", "keda"])
def test_when_all_goes_wrong_every_job_is_done_all_the_same(policy):
    """Two clouds, with every fault one after the other; within the budget."""
    record = simulate(onset(1), by_name(policy), troubled(), 1)
    result = outcome(record)
    assert result.done == result.jobs
    assert result.reruns > 0
    assert result.usd <= 20.0 * record.trace.until / 3600.0
