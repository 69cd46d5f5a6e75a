"""What clocks are going to start, by the jobs that the pool had of the run files that they are of."""

from __future__ import annotations

import json
import math
from typing import ClassVar

import pytest

from dynamo.fleet.clocks import Clocks
from dynamo.fleet.forecast import Batch, Rhythm
from dynamo.fleet.policies.work import WorkPerDeadline
from dynamo.fleet.predict import Predictor
from dynamo.fleet.queue import Done, Job, Reading
from dynamo.fleet.slice import NodeGroup, NodeOffer, ProviderRule, Slice
from dynamo.fleet.status import status_data
from dynamo.fleet.status_words import status_words
from dynamo.fleet.view import Coming, Group, Load, Offer, View
from dynamo.fleet.view_json import view_data, view_of

#: A midnight, in Unix seconds.
START = 86_400.0 * 20_000
CLOCK, FEED = "every 300 s", "/etc/dynamo/nowcast.yaml"


@pytest.fixture
def predictor():
    """Knows that a `lead` takes 20 s, and an `area` a second for each 100 km2."""
    made = Predictor()
    for n in range(60):
        made.learn("lead", {}, 20.0)
        echo = 100.0 * (1 + n % 20)
        made.learn("area", {"echo_km2": echo}, echo / 100)
    return made


def job(name: str, run: int, kind: str = "lead", queued: float | None = None, **more: object) -> Job:
    """Return a job of the run that a clock started at this tick of `CLOCK`; it is to be done within two minutes."""
    tick = START + 300.0 * run
    given = {"due": tick + 120.0, "feed": FEED, "clock": CLOCK, **more}
    return Job(
        f"{name}.{run}",
        kind,
        "waiting",
        queued=tick + 1 if queued is None else queued,
        run=f"r{run}",
        **given,
    )


def heard(*jobs: Job, done: tuple[Done, ...] = ()) -> Clocks:
    """Return clocks that heard of these jobs, one reading after the other."""
    clocks = Clocks()
    for one in jobs:
        clocks.hear(Reading(one.queued, [one]))
    clocks.hear(Reading(START, done=done))
    return clocks


def test_each_tick_brings_what_the_last_cycle_was(predictor):
    """With its deadlines from the tick on; no job counts twice, whether it waits, runs or is done."""
    urgent = job("b", 0, due=START + 60.0, cores=2)
    done = Done(
        "c.0", "lead", 20.0, START + 30, START + 120, run="r0", queued=START + 1, feed=FEED, clock=CLOCK
    )
    clocks = heard(job("a", 0), job("a", 0), urgent, done=(done, done))
    found = clocks.coming(START + 40.0, START + 700.0, predictor)
    assert [(one.at - START, one.due - START, one.cores) for one in found] == [
        (300.0, 360.0, 2),
        (300.0, 420.0, 2),
        (600.0, 660.0, 2),
        (600.0, 720.0, 2),
    ]
    assert found[1].work == pytest.approx(40.0, rel=0.05)
    assert found[0].work == pytest.approx(20.0, rel=0.05)
    assert all(one.high >= one.work for one in found)
    assert {one.why for one in found} == {"nowcast.yaml runs every 300 s"}
    assert {one.kinds for one in found} == {frozenset({"lead"})}


def test_the_next_run_is_told_however_far_it_is(predictor):
    """Also where no worker need be ordered for it yet."""
    daily = job("a", 0, clock="cron 0 6 * * * in Europe/Berlin", queued=START + 4 * 3600.0, due=math.inf)
    (one,) = heard(daily).coming(START + 6 * 3600.0, START + 6 * 3600.0 + 60.0, predictor)
    assert one.at == START + 28 * 3600.0  # six o'clock of the next day; it is summer
    assert one.due == math.inf
    assert one.why == "nowcast.yaml runs by cron 0 6 * * * in Europe/Berlin"


def test_a_run_that_is_late_is_expected_for_a_minute_and_no_more_once_it_is_there(predictor):
    """Nothing is counted both in the queue and as to come."""
    clocks = heard(job("a", 0), job("a", 1))
    ats = [one.at for one in clocks.coming(START + 620.0, START + 700.0, predictor)]
    assert ats == [START + 620.0, START + 900.0]
    assert [one.at for one in clocks.coming(START + 661.0, START + 700.0, predictor)] == [START + 900.0]
    clocks.hear(Reading(START + 620.0, [job("a", 2)]))
    assert [one.at for one in clocks.coming(START + 620.0, START + 700.0, predictor)] == [START + 900.0]


def test_a_run_that_is_late_is_due_as_much_later(predictor):
    """A watch that was ended is not to have the fleet buy a core for each job of the run that does not come."""
    clocks = heard(*(job(str(n), 0) for n in range(9)))
    on_time, *_ = clocks.coming(START + 300.0, START + 310.0, predictor)
    late, *_ = clocks.coming(START + 355.0, START + 360.0, predictor)
    assert (on_time.at, on_time.due) == (START + 300.0, START + 420.0)
    assert (late.at, late.due, late.work) == (START + 355.0, START + 475.0, on_time.work)


def test_a_clock_that_starts_nothing_any_more_is_forgotten(predictor):
    """Three ticks without a run: the watch has been ended. It counts again with the next run."""
    clocks = heard(job("a", 0))
    assert clocks.coming(START + 1199.0, START + 1300.0, predictor)
    assert not clocks.coming(START + 1201.0, START + 1300.0, predictor)
    clocks.hear(Reading(START + 1500.0, [job("a", 5)]))
    assert [one.at for one in clocks.coming(START + 1510.0, START + 1600.0, predictor)] == [START + 1800.0]


def test_a_machine_whose_clock_is_a_little_behind_is_of_the_right_tick(predictor):
    """A job of the tick at 300 s that came at 299 s, by the clock of who asks."""
    found = heard(job("a", 1, queued=START + 299.0)).coming(START + 310.0, START + 320.0, predictor)
    assert [(one.at - START, one.due - START) for one in found] == [(600.0, 720.0)]


def test_the_larger_of_the_last_two_cycles_is_to_come(predictor):
    """Of the newest not all jobs may be there; older ones count no more."""
    older = [job(str(n), 0) for n in range(9)]
    clocks = heard(*older, *(job(str(n), 1) for n in range(4)), job("0", 2))
    (one, *_) = clocks.coming(START + 610.0, START + 700.0, predictor)
    assert one.work == pytest.approx(80.0, rel=0.05)
    assert (one.at - START, one.due - START) == (900.0, 1020.0)
    clocks.hear(Reading(START + 620.0, [job("late", 0)]))
    assert clocks.coming(START + 610.0, START + 700.0, predictor)[0].work == one.work


def test_echo_that_grew_grows_on_up_to_twice_as_much(predictor):
    """By the rise of the last cycle; what shrinks is not forecast to."""

    def to_come(*echoes: float) -> list[float]:
        jobs = [job("a", n, "area", features={"echo_km2": echo}) for n, echo in enumerate(echoes)]
        found = heard(*jobs).coming(START + 310.0, START + 1600.0, predictor)
        return [one.work for one in found]

    assert to_come(400.0, 600.0) == pytest.approx([8.0, 10.0, 12.0, 12.0], rel=0.15)
    assert to_come(600.0, 500.0)[-1] == pytest.approx(5.0, rel=0.3)
    flat = to_come(500.0, 500.0)
    assert max(flat) == min(flat)


def test_all_cycles_of_a_run_file_are_estimated_in_one_go(predictor):
    """As each is alone: a hundred run files of twenty classes each are told of in each turn."""

    class Asked(Predictor):
        calls: ClassVar[list[int]] = []

        def predict_all(self, asked):
            self.calls.append(len(asked))
            return [self.alone.predict(*one) for one in asked]

    asked = Asked()
    asked.alone = predictor
    clocks = heard(job("a", 0), job("b", 0, "area", features={"echo_km2": 400.0}), job("a", 1))
    found = clocks.coming(START + 310.0, START + 1300.0, asked)
    assert asked.calls == [3 * 3]  # ticks, parts of both cycles
    assert found == clocks.coming(START + 310.0, START + 1300.0, predictor)


def test_what_is_not_known_yet_is_not_forecast(predictor):
    """No run file, no clock or one that cannot be read, no run, a class of which nothing is known."""
    jobs = [
        job("a", 0, feed=""),
        job("b", 0, clock=""),
        job("c", 0, clock="when it rains", feed="other"),
        job("d", 0, "new", feed="third"),
    ]
    assert not heard(*jobs).coming(START + 10.0, START + 700.0, predictor)


def test_what_was_heard_outlasts_a_restart(predictor):
    """By way of JSON; of a run that was there before no job is counted again."""
    clocks = heard(job("a", 0), job("b", 0, due=math.inf), job("a", 1))
    again = Clocks.restore(json.loads(json.dumps(clocks.state())))
    assert again.state() == clocks.state()
    before = clocks.coming(START + 310.0, START + 900.0, predictor)
    assert again.coming(START + 310.0, START + 900.0, predictor) == before
    again.hear(Reading(START + 310.0, [job("a", 1)]))
    assert again.coming(START + 310.0, START + 900.0, predictor) == before


def test_another_clock_in_the_same_run_file_counts_from_its_first_run_on(predictor):
    """A trigger that was edited is not expected by the old one too."""
    clocks = heard(job("a", 0), job("a", 1, clock="every 100 s"))
    assert [one.at - START for one in clocks.coming(START + 310.0, START + 500.0, predictor)] == [
        400.0,
        500.0,
    ]


OFFER = Offer("w/c/m", "w", "c", 2, boot=20.0, boot_high=30.0)


def decided(view: View, *kinds: str):
    """Return what the policy makes of a view after batches of these kinds came each minute, the last a minute ago."""
    batches = {
        kind: tuple(
            Batch(view.now - 60.0 * n, view.now + 60.0 * (1 - n), 600.0, 600.0, 99) for n in (3, 2, 1)
        )
        for kind in kinds
    }
    return WorkPerDeadline().decide(view, {"rhythm": Rhythm(batches).state()})


def test_the_clock_goes_before_the_rhythm_of_the_same_jobs_and_beside_that_of_others():
    """Nothing is counted twice, and what no clock starts goes by its rhythm as before."""
    groups = {"w": Group("w")}
    soon = Coming(1020.0, 1080.0, 60.0, 60.0, 99, "now.yaml runs every 60 s", frozenset({"lead"}))
    view = View(1000.0, offers=[OFFER], groups=groups, coming=[soon])
    alone = decided(view).figures["F"]
    assert alone == decided(view, "lead").figures["F"] > 0
    assert decided(view, "lead", "hail").figures["F"] > alone + 5
    all_told = View(1000.0, offers=[OFFER], groups=groups, coming=[Coming(1020.0, 1080.0, 60.0, 60.0, 99)])
    assert decided(all_told, "lead", "hail").figures["F"] == alone
    assert (
        "are forecast in 20 s, due in 80 s: 2 cores (now.yaml runs every 60 s);" in decided(view).reasons[0]
    )
    assert view_of(json.loads(json.dumps(view_data(view)))).coming == [soon]


def test_who_knows_only_clocks_holds_as_long_as_who_knows_nothing():
    """What a clock starts may be more than it was: only who is told all that comes lets workers go sooner."""
    groups = {"w": Group("w")}
    soon = Coming(1900.0, 1960.0, 60.0, 60.0, 9, "", frozenset({"lead"}))
    held = []
    for coming in ((), (soon,), (Coming(1900.0, 1960.0, 60.0, 60.0, 9),)):
        history: dict = {}
        for now, loads in ((1000.0, [Load("hail", 1060.0, 9, 0, 300.0, 300.0)]), (1120.0, [])):
            made = WorkPerDeadline().decide(
                View(now, loads, offers=[OFFER], groups=groups, coming=coming), history
            )
            history = made.history
        held.append(made.figures["held"])
    assert held[0] == held[1] > held[2]


def test_workers_are_there_when_a_clock_starts_the_next_run(worlds):
    """Of the second run on, though nothing has a rhythm yet; and it is told to who asks, also after a restart."""
    nodes = {"workers": NodeGroup((NodeOffer("c", "two"),), max=8, idle=60.0)}
    world = worlds(Slice("dfw", {"c": ProviderRule("memory")}, nodes))
    world.policy = WorkPerDeadline(blind_hold=60.0)
    world.controller.use(world.policy)
    for _ in range(12):  # by hand, so that it is known what such a job takes
        world.pool.submit("lead", 20.0, within=300.0)
    world.run(900)
    assert not world.there
    asked = START + 1200.0
    world.run(asked - world.now)
    told = {"feed": FEED, "clock": "every 1200 s", "features": {"echo_km2": 80.0}}
    world.pool.submit("lead", 20.0, count=8, within=60.0, run="r1", **told)
    world.run(600)
    assert not world.there
    world.kill()
    world.controller.use(world.policy)
    world.run(asked + 1200.0 - 10.0 - world.now)
    assert world.stages().count("joined") >= 3
    view = view_of(world.ledger.decisions(last=1)[0].view)
    assert [one.why for one in view.coming][:1] == ["nowcast.yaml runs every 1200 s"]
    data = status_data(world.controller, world.now)
    said = status_words("dfw", data, "somebody", [], [], world.now)
    assert "core-seconds in 10 s: nowcast.yaml runs every 1200 s" in said
    world.now += 10.0
    world.pool.submit("lead", 20.0, count=8, within=60.0, run="r2", **told)
    world.run(120)
    second = [one for one in world.pool.jobs.values() if one.run == "r2"]
    assert all(one.ended is not None and one.ended <= one.due for one in second)
