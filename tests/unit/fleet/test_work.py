"""Work per deadline: what it wants, buys and lets go, on views of one moment and of many."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.fleet.demand import Terms
from dynamo.fleet.explain import explain
from dynamo.fleet.forecast import Rhythm
from dynamo.fleet.policies.named import by_name
from dynamo.fleet.policies.work import WorkPerDeadline
from dynamo.fleet.view import Coming, Group, Limits, Load, Offer, View, Worker

OFFER = Offer("w/chameleon/m", "w", "chameleon", 2, usd_per_hour=0.2, boot=20.0, boot_high=30.0)
GROUPS = {"w": Group("w")}
PLAIN = WorkPerDeadline(margin=1.0, terms=Terms(overhead=0.0, tail=0.0))


def workers(count, stage="ready", **more):
    """Return workers of two cores."""
    made = {"idle_since": 0.0, **more}
    return [
        Worker(
            f"{stage}{n}",
            "w",
            OFFER.key,
            stage,
            0.0,
            made.get("made", 0.0),
            2,
            **{k: v for k, v in made.items() if k != "made"},
        )
        for n in range(count)
    ]


def load(due, work, jobs=500, **more):
    """Return waiting jobs."""
    return Load("tile", due, jobs, 0, work, more.pop("high", work), **more)


def bought(decision):
    """Return how many machines of each offer are bought."""
    return {buy.offer: buy.count for buy in decision.buys}


def test_what_is_missing_is_bought_and_the_reason_has_the_figures():
    """2,140 core-seconds in 38 s are 56.3 cores; 40 are there and 8 boot: five machines of two."""
    view = View(
        1000.0,
        loads=[load(1038.0, 2140.0)],
        workers=[*workers(20), *workers(4, "booting", made=990.0)],
        offers=[OFFER],
        groups=GROUPS,
    )
    decision = PLAIN.decide(view, {})
    assert bought(decision) == {OFFER.key: 5}
    assert decision.target == pytest.approx(2140 / 38)
    assert decision.reasons[0] == (
        "2,140 core-seconds are due in 38 s: 57 cores; 40 there, 8 booting; 10 more asked: 5 x w/chameleon/m."
    )


def test_of_what_is_late_the_reason_tells():
    """Nothing else waits: 120 core-seconds are caught up on in a minute."""
    view = View(1000.0, loads=[load(900.0, 120.0)], workers=workers(1), offers=[OFFER], groups=GROUPS)
    (reason,) = PLAIN.decide(view, {}).reasons
    assert reason == "120 core-seconds are late whatever is bought: 2 cores; 2 there, 0 booting."
    both = replace(view, loads=[load(900.0, 120.0), load(1100.0, 500.0)])
    (reason,) = PLAIN.decide(both, {}).reasons
    assert " core-seconds are due in 100 s: " in reason
    assert ", also for 120 core-seconds that are late; 2 there, 0 booting" in reason


def test_the_margin_grows_with_what_was_late():
    """Of 2.5 % late 0.5 % are tolerated: 2 % times 5 are a tenth more; it is never more than half as much again."""
    policy = WorkPerDeadline(margin=1.2, gain=5.0, tolerated=0.005)
    assert policy.stretch(View(0.0)) == pytest.approx(1.2)
    assert policy.stretch(View(0.0, lateness={"tile": 0.025, "plot": 0.0})) == pytest.approx(1.2 * 1.1)
    assert policy.stretch(View(0.0, lateness={"tile": 1.0})) == pytest.approx(1.8)


def test_the_careful_policy_has_half_as_much_again_as_the_work_needs():
    """A quarter more than the usual margin of 1.2, for the same queue."""
    view = View(0.0, loads=[load(100.0, 2000.0)], offers=[OFFER], groups=GROUPS)
    usual, careful = (by_name(name).decide(view, {}).target for name in ("work", "careful"))
    assert careful == pytest.approx(usual * 1.5 / 1.2)
    assert by_name("careful", margin=2.0).margin == 2.0


def test_a_class_of_little_work_hardly_stretches_the_margin():
    """All of its jobs were late, but 99 of a hundred core-seconds are of a class that was in time."""
    loads = [load(100.0, 990.0), replace(load(100.0, 10.0), kind="plot")]
    rhythm = Rhythm({}).after(View(0.0, loads=loads))
    policy = WorkPerDeadline(margin=1.0, gain=5.0, tolerated=0.0)
    assert policy.stretch(View(0.0, lateness={"tile": 0.0, "plot": 1.0}), rhythm) == pytest.approx(1.05)


def test_the_limit_that_bit_is_in_the_reason():
    """Of ten machines four are allowed."""
    view = View(0.0, loads=[load(100.0, 2000.0)], offers=[OFFER], groups=GROUPS, limits=Limits(cores=9))
    decision = PLAIN.decide(view, {})
    assert bought(decision) == {OFFER.key: 4}
    assert "Not all could be asked for: limits.cores." in decision.reasons[0]


def test_a_forecast_is_bought_for_when_it_is_time():
    """At 100 s: not at 0, for a boot takes 30 s and 20 are put on top; but at 60."""
    coming = [Coming(100.0, 150.0, 500.0, 500.0, 100, "storm")]
    view = View(0.0, offers=[OFFER], groups=GROUPS, coming=coming)
    assert bought(PLAIN.decide(view, {})) == {}
    decision = PLAIN.decide(replace(view, now=60.0), {})
    assert bought(decision) == {OFFER.key: 5}
    assert decision.figures["F"] == pytest.approx(10.0)
    assert decision.reasons[0].startswith("500 core-seconds are forecast in 40 s, due in 90 s: 10 cores")


def test_warm_and_min_workers_are_bought_whatever_the_work():
    """Two are kept warm; a group that is out of service gets none."""
    view = View(0.0, offers=[OFFER], groups={"w": Group("w", warm=2)})
    assert bought(PLAIN.decide(view, {})) == {OFFER.key: 2}
    assert bought(PLAIN.decide(replace(view, groups={"w": Group("w", min=3)}), {})) == {OFFER.key: 3}
    assert bought(PLAIN.decide(replace(view, groups={"w": Group("w", min=3, out="bad boots")}), {})) == {}


def test_what_only_large_machines_can_run_is_served_by_them():
    """Small ones that are there count as none for it."""
    large = Offer("gpu/aws/g", "gpu", "aws", 8, usd_per_hour=3.0, boot=20.0)
    view = View(
        0.0,
        loads=[load(100.0, 400.0, cores=4), load(100.0, 400.0)],
        workers=workers(10),
        offers=[OFFER, large],
        groups={"w": Group("w"), "gpu": Group("gpu")},
    )
    assert bought(PLAIN.decide(view, {})) == {large.key: 1}


def test_jobs_that_nothing_can_run_are_named():
    """And nothing is bought for them."""
    view = View(0.0, loads=[load(100.0, 400.0, jobs=3, cores=64)], offers=[OFFER], groups=GROUPS)
    decision = PLAIN.decide(view, {})
    assert bought(decision) == {}
    assert "No offer can run the 3 waiting jobs of tile." in decision.reasons
    running = View(
        0.0, loads=[replace(load(100.0, 400.0, cores=64), waiting=0)], offers=[OFFER], groups=GROUPS
    )
    assert not any("No offer" in reason for reason in PLAIN.decide(running, {}).reasons)


def test_unknown_jobs_fall_back_to_queue_depth_and_that_is_said():
    """Seven jobs, seven cores."""
    view = View(0.0, loads=[load(1e4, 1.0, jobs=7, known=False)], offers=[OFFER], groups=GROUPS)
    decision = PLAIN.decide(view, {})
    assert bought(decision) == {OFFER.key: 4}
    assert "7 of them one for each job that nothing is known of" in decision.reasons[0]


def run(policy, views, history=None):
    """Decide on view after view, with the history as it comes back from the journal."""
    decisions, history = [], history or {}
    for view in views:
        decisions.append(policy.decide(view, history))
        history = json.loads(json.dumps(decisions[-1].history, allow_nan=False))
    return decisions


def test_down_only_after_the_hold():
    """Ten cores are needed at 0 and none after: who idles is let go when 300 s have passed, and not before."""

    def at(now):
        loads = [load(100.0, 1000.0)] if now == 0 else []
        return View(now, loads=loads, workers=workers(5), offers=[OFFER], groups=GROUPS)

    decisions = run(replace(PLAIN, blind_hold=300.0), [at(now) for now in (0.0, 100.0, 200.0, 290.0, 320.0)])
    assert [len(one.releases) for one in decisions] == [0, 0, 0, 0, 5]


def test_no_more_than_so_many_are_let_go_in_a_minute():
    """Of 40 a quarter: ten, then none, and a minute later a quarter of the rest."""
    fleet = workers(40)
    history, counts = {}, []
    for now in (1000.0, 1010.0, 1070.0):
        view = View(now, workers=fleet, offers=[OFFER], groups=GROUPS)
        decision = PLAIN.decide(view, history)
        history = decision.history
        gone = {release.token for release in decision.releases}
        fleet = [worker for worker in fleet if worker.token not in gone]
        counts.append(len(gone))
    assert counts == [10, 0, 7]


def test_a_constant_load_makes_no_flapping():
    """A cycle each minute for half an hour: what is bought in the first minutes stays, and nothing comes or goes."""
    fleet, history, bought_at, released = [], {}, [], 0
    for step in range(180):
        now = 10.0 * step
        begin = 60.0 * (step // 6)
        left = max(0.0, 600.0 - 20.0 * (now - begin)) or 1.0
        fleet = [replace(worker, idle_since=now if left > 1.0 else begin) for worker in fleet]
        view = View(now, loads=[load(begin + 60.0, left)], workers=list(fleet), offers=[OFFER], groups=GROUPS)
        decision = WorkPerDeadline().decide(view, history)
        history = json.loads(json.dumps(decision.history))
        released += len(decision.releases)
        for buy in decision.buys:
            bought_at.append(now)
            fleet += [
                Worker(f"{now}-{n}", "w", OFFER.key, "ready", now, now, 2, idle_since=now)
                for n in range(buy.count)
            ]
    assert released == 0
    assert bought_at
    assert max(bought_at) <= 180.0


offers_of = st.lists(
    st.builds(
        lambda name, cores, usd, boot, left, rests: Offer(
            f"w/c/{name}", "w", "c", cores, usd_per_hour=usd, boot=boot, boot_high=2 * boot, left=left,
            rests_until=rests,
        ),
        st.integers(0, 10**6), st.integers(1, 8), st.sampled_from([0.0, 0.1, 0.5]), st.floats(1, 400),
        st.integers(0, 20), st.sampled_from([0.0, 500.0]),
    ),
    min_size=1, max_size=3, unique_by=lambda offer: offer.key,
)  # fmt: skip
loads_of = st.lists(
    st.builds(
        lambda kind, due, jobs, work, longest, cores, known: Load(
            kind, due, jobs, 1, work, 1.5 * work, longest, cores, known=known
        ),
        st.sampled_from("ab"), st.one_of(st.floats(0, 2000), st.just(math.inf)), st.integers(0, 50),
        st.floats(0, 1e5), st.floats(0, 100), st.integers(1, 4), st.booleans(),
    ),
    max_size=5,
)  # fmt: skip


@st.composite
def views(draw):
    """Make views with workers, limits and forecasts of any kind."""
    offers = draw(offers_of)
    fleet = [
        Worker(
            f"t{n}", "w", offer.key, draw(st.sampled_from(["booting", "ready", "draining"])), 0.0,
            draw(st.floats(0, 100)), offer.cores, busy=busy, idle_since=None if busy else draw(st.floats(0, 100)),
            ends=150.0 if busy else None, urgent=bool(busy) and draw(st.booleans()),
        )
        for n, offer in enumerate(draw(st.lists(st.sampled_from(offers), max_size=6)))
        for busy in [draw(st.integers(0, offer.cores))]
    ]  # fmt: skip
    least = sum(worker.cores for worker in fleet)
    coming = [Coming(120.0, 180.0, draw(st.floats(0, 1e4)), 1e4, 50)] if draw(st.booleans()) else []
    limits = Limits(least + draw(st.integers(0, 40)), draw(st.floats(0, 20)), draw(st.floats(0, 50)))
    group = Group("w", draw(st.integers(0, 2)), draw(st.integers(2, 30)), draw(st.integers(0, 2)), idle=30.0)
    return View(
        100.0, draw(loads_of), fleet, offers, {"w": group}, coming, limits, draw(st.booleans()),
        {"a": draw(st.floats(0, 1))},
    )  # fmt: skip


@given(views())
@settings(deadline=None, max_examples=200)
def test_whatever_the_view_no_limit_is_exceeded_and_the_same_view_gives_the_same(view):
    """Nothing is let go on a view that is not trusted; no urgent one, none below min; the history is plain JSON."""
    policy = WorkPerDeadline(hold=0.0, blind_hold=0.0)
    decision = policy.decide(view, {})
    assert policy.decide(view, {}) == decision
    offers = {offer.key: offer for offer in view.offers}
    counts = bought(decision)
    for key, count in counts.items():
        assert 0 < count <= offers[key].left
        assert offers[key].rests_until <= view.now
    cores = sum(count * offers[key].cores for key, count in counts.items())
    rate = sum(count * offers[key].usd_per_hour for key, count in counts.items())
    there = sum(offers[worker.offer].usd_per_hour for worker in view.workers)
    if counts:
        assert cores + sum(worker.cores for worker in view.workers) <= view.limits.cores
        assert sum(counts.values()) + len(view.workers) <= view.groups["w"].max
    if rate:
        assert there + rate <= view.limits.usd_per_hour + 1e-6
        assert there / 6 + rate / 60 <= view.limits.usd_per_day + 1e-6
    by_token = {worker.token: worker for worker in view.workers}
    gone = [by_token[release.token] for release in decision.releases]
    assert len({worker.token for worker in gone}) == len(gone)
    assert not gone or view.trusted
    assert not any(worker.urgent for worker in gone)
    if gone:
        ready = sum(worker.stage == "ready" for worker in view.workers)
        assert ready - len(gone) >= max(view.groups["w"].min, view.groups["w"].warm)
    history = json.loads(json.dumps(decision.history, allow_nan=False))
    assert policy.decide(view, history) == policy.decide(view, decision.history)
    assert explain(decision, view)


@given(loads_of, st.floats(1.0, 3.0))
@settings(deadline=None, max_examples=100)
def test_more_work_of_the_same_jobs_never_wants_less(loads, factor):
    """As long as all of it can be in time."""
    loads = [replace(one, due=one.due + 1e6, waiting=one.waiting + 60, longest=0.0) for one in loads]
    more = [replace(one, work=one.work * factor) for one in loads]
    first = PLAIN.decide(View(0.0, loads=loads, offers=[OFFER], groups=GROUPS), {})
    second = PLAIN.decide(View(0.0, loads=more, offers=[OFFER], groups=GROUPS), {})
    assert second.target >= first.target - 1e-9


def test_the_history_is_bounded():
    """A thousand cycles with deadlines of their own leave no more than a hundred."""
    views = [
        View(60.0 * n, loads=[load(60.0 * n + 60, 100.0 + n)], offers=[OFFER], groups=GROUPS)
        for n in range(400)
    ]
    sizes = [len(json.dumps(one.history)) for one in run(WorkPerDeadline(), views)]
    assert sizes[-1] < 1.3 * sizes[100]


def test_a_decision_is_explained_in_words():
    """The queue, the forecast, the workers, what is done and why, and the limits."""
    view = View(
        0.0,
        loads=[
            load(100.0, 2140.0, high=3000.0),
            load(-5.0, 10.0, jobs=1, known=False),
            load(math.inf, 1.0, jobs=2),
        ],
        workers=workers(2, busy=1),
        offers=[OFFER, replace(OFFER, key="w/aws/x", rests_until=60.0)],
        groups=GROUPS,
        coming=[Coming(30.0, 60.0, 12.5, 20.0, 5, "storm")],
        limits=Limits(cores=8, usd_per_day=10.0, usd_today=2.5),
    )
    text = explain(PLAIN.decide(view, {}), view)
    for line in (
        (
            "Queue: tile: 500 waiting, 0 running, due in 100 s, with 2,140 core-seconds left (3,000 at most, "
            "nine times in ten)"
        ),
        (
            "Queue: tile: 1 waiting, 0 running, due 5 s ago, with 10 core-seconds left (10 at most, nine "
            "times in ten); how long they take is a guess"
        ),
        "Forecast: 12.50 core-seconds in 30 s (storm)",
        "Workers: 2 ready; 2 of 4 cores have a job.",
        "Buy 2 x w/chameleon/m.\n",
        "Limits: 8 cores, 10 dollars a day, of which 2.50 are spent.",
        "After a refusal these are not asked for a while: w/aws/x.",
    ):
        assert line in text
    empty = View(0.0)
    assert explain(PLAIN.decide(empty, {}), empty).startswith("The queue is empty.\nThere are no workers.")


def test_what_is_far_cheaper_takes_over_though_it_boots_for_longer():
    """Ten cores are due in 60 s: they are bought where they are up, and again where they are paid for already."""
    lease = Offer("w/lease/metal", "w", "lease", 8, boot=600.0, boot_high=900.0, left=1)
    view = View(0.0, loads=[load(60.0, 600.0)], offers=[OFFER, lease], groups=GROUPS)
    decision = PLAIN.decide(view, {})
    assert bought(decision) == {OFFER.key: 5, lease.key: 1}
    assert (
        "1 x w/lease/metal asked to take over from 10 cores that cost more than twice as much."
        in decision.reasons
    )
    metal = Worker("metal", "w", lease.key, "ready", 0.0, 0.0, 8, idle_since=0.0)
    later = replace(view, now=1000.0, loads=[load(1060.0, 600.0)], workers=[*workers(5), metal])
    later = replace(later, offers=[OFFER, replace(lease, left=0)])
    decision = replace(PLAIN, blind_hold=0.0).decide(later, {})
    assert bought(decision) == {}
    assert [release.token for release in decision.releases] == ["ready0", "ready1", "ready2", "ready3"]


def test_fast_machines_are_not_ordered_as_early_as_slow_ones():
    """What comes in 400 s is ordered now where the only offer boots for so long; not where another is up in time."""
    slow = Offer("w/lease/metal", "w", "lease", 2, boot=300.0, boot_high=420.0)
    view = View(0.0, offers=[OFFER, slow], groups=GROUPS, coming=[Coming(400.0, 450.0, 500.0, 500.0, 100)])
    assert bought(PLAIN.decide(view, {})) == {}
    assert bought(PLAIN.decide(replace(view, offers=[slow]), {})) == {slow.key: 5}
