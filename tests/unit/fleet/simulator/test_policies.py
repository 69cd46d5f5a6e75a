"""The policies of others, each against numbers that its formula gives by hand."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.errors import UserError
from dynamo.fleet.compare import Wanted, compare
from dynamo.fleet.demand import Terms
from dynamo.fleet.policies.careful import Careful
from dynamo.fleet.policies.cobald import Cobald
from dynamo.fleet.policies.dask import Dask, adaptive_target
from dynamo.fleet.policies.keda import Keda
from dynamo.fleet.policies.named import FORESEEING, NAMES, by_name, for_trace, named
from dynamo.fleet.policies.oracle import Oracle, needed
from dynamo.fleet.policies.parsl import Parsl
from dynamo.fleet.policies.queue_depth import QueueDepth
from dynamo.fleet.policies.static import Static
from dynamo.fleet.policies.work import WorkPerDeadline
from dynamo.fleet.simulator import TRACES, Job, Trace, plain
from dynamo.fleet.simulator.draws import Draws
from dynamo.fleet.simulator.estimates import by_name as by_estimates
from dynamo.fleet.view import Group, Limits, Load, Offer, View, Worker
from tests.unit.fleet.simulator.worlds import jobs

OFFER = Offer("w/a/m", "w", "a", 2, usd_per_hour=0.5, boot=30.0, boot_high=60.0)
GROUPS = {"w": Group("w", idle=60.0)}


def load(count, running=0, work=100.0, **more):
    """Jobs of one core."""
    return Load("k", 1000.0, count, running, work, work, **more)


def workers(*kinds, now=1000.0, group="w", key="w/a/m"):
    """Workers of two cores: booting, busy on both, half busy, or idle for so many seconds."""
    made = []
    for number, kind in enumerate(kinds):
        busy = {"busy": 2, "half": 1}.get(kind, 0)
        idle = now - kind if isinstance(kind, int | float) else None
        stage = kind if kind in {"booting", "draining"} else "ready"
        made.append(Worker(f"t{number}", group, key, stage, 0.0, 0.0, 2, busy=busy, idle_since=idle))
    return made


def view(loads=(), there=(), now=1000.0, offers=(OFFER,), groups=None, **more):
    """A view at 1000 s."""
    return View(now, tuple(loads), tuple(there), tuple(offers), groups or GROUPS, **more)


def bought(decision):
    """Machines by offer."""
    return {each.offer: each.count for each in decision.buys}


def gone(decision):
    """Whom it lets go."""
    return sorted(each.token for each in decision.releases)


def test_queue_depth_has_a_core_for_each_job():
    """Seven jobs on machines of two cores, one of which is there: three more."""
    decision = QueueDepth().decide(view([load(5, 2)], workers("busy")), {})
    assert bought(decision) == {"w/a/m": 3}
    assert decision.target == 7


def test_queue_depth_lets_those_go_that_were_idle_for_long_enough_the_longest_first():
    """Three cores are wanted of eight: two of the three that are idle may go, one is not idle for 60 s."""
    decision = QueueDepth().decide(view([load(0, 3)], workers("busy", 70, 90, 50)), {})
    assert gone(decision) == ["t1", "t2"]


def test_queue_depth_keeps_what_is_wanted():
    """Four of six cores are asked for: one machine may go, the longest idle."""
    assert gone(QueueDepth().decide(view([load(2, 2)], workers("busy", 70, 90)), {})) == ["t2"]


@pytest.mark.parametrize(
    ("group", "there", "count"),
    [
        (Group("w", min=3), (), 3),
        (Group("w", warm=2), (), 2),
        (Group("w", warm=1), ("busy",), 1),
        (Group("w", max=2), ("busy",), 1),
        (Group("w", out="bad boots"), (), 0),
    ],
)
def test_queue_depth_holds_the_bounds_of_a_group(group, there, count):
    """Whatever the queue says: nothing waits where there is a floor, a hundred jobs where there is a ceiling."""
    waits = [] if group.min or group.warm else [load(100)]
    decision = QueueDepth().decide(view(waits, workers(*there), groups={"w": group}), {})
    assert sum(bought(decision).values()) == count


def test_queue_depth_never_lets_the_minimum_go():
    """Three are idle, two must stay."""
    decision = QueueDepth().decide(
        view([], workers(90, 90, 90), groups={"w": Group("w", min=2, idle=60.0)}), {}
    )
    assert gone(decision) == ["t0"]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"limits": Limits(cores=4)}, "limits.cores"),
        ({"limits": Limits(usd_per_hour=1.0)}, "limits.usd_per_hour"),
    ],
)
def test_queue_depth_buys_within_the_limits_and_says_which_bit(more, word):
    """Two machines of two cores at 0.5 USD an hour."""
    decision = QueueDepth().decide(view([load(100)], **more), {})
    assert bought(decision) == {"w/a/m": 2}
    assert any(word in reason for reason in decision.reasons)


def test_queue_depth_takes_the_next_offer_where_one_rests_or_is_out():
    """One more of the first, none of the second until later, the rest of the third."""
    offers = [
        Offer("w/a/s", "w", "a", 2, left=1),
        Offer("w/b/s", "w", "b", 2, rests_until=1100.0),
        Offer("w/c/s", "w", "c", 2),
    ]
    assert bought(QueueDepth().decide(view([load(8)], offers=offers), {})) == {"w/a/s": 1, "w/c/s": 3}


def test_queue_depth_sends_jobs_to_the_groups_that_can_run_them_and_have_room():
    """The first takes four cores, what it has no room for goes to the second; a job for the second alone goes there."""
    offers = [Offer("w/a/m", "w", "a", 2), Offer("x/a/m", "x", "a", 4)]
    groups = {"w": Group("w", max=2), "x": Group("x")}
    loads = [load(10), load(2, groups=frozenset({"x"}))]
    assert bought(QueueDepth().decide(view(loads, offers=offers, groups=groups), {})) == {
        "w/a/m": 2,
        "x/a/m": 2,
    }


def test_queue_depth_counts_machines_whose_cores_jobs_leave_unused():
    """Jobs of three cores fit a machine of eight twice: five need three machines."""
    wide = Offer("w/a/m", "w", "a", 8, memory=64)
    assert bought(QueueDepth().decide(view([load(5, cores=3)], offers=[wide]), {})) == {"w/a/m": 3}
    assert bought(QueueDepth().decide(view([load(5, memory=40)], offers=[wide]), {})) == {"w/a/m": 5}


def test_queue_depth_buys_nothing_for_jobs_that_nothing_can_run():
    """Sixteen cores on machines of two."""
    assert not QueueDepth().decide(view([load(5, cores=16)]), {}).buys


@pytest.mark.parametrize("name", [name for name in NAMES if name != "static"])
def test_nobody_lets_go_on_a_view_that_is_not_to_be_trusted(name):
    """However idle all look."""
    policy, history = by_name(name), {}
    for step in range(50):
        seen = view([], workers(9000, 9000), now=10000.0 + 10 * step, trusted=False)
        decision = policy.decide(seen, history)
        history = dict(decision.history)
        assert not decision.releases


def test_cobald_raises_and_lowers_the_demand_by_its_rate():
    """10 s at 0.5 a second: up above the high allocation, down below the low utilisation, else as it was."""
    policy = Cobald(rate=0.5, low_utilisation=0.4, high_allocation=0.6)
    before = {"at": 990.0, "demand": {"w": 8.0}}
    busy, idle, between = workers("busy", "half"), workers("half", 5), workers("half", "half")
    found = [
        policy.decide(view(there=there), before).history["demand"]["w"] for there in (busy, idle, between)
    ]
    assert found == [13.0, 3.0, 8.0]


def test_cobald_begins_because_no_worker_counts_as_used():
    """As its pool has it: the utilisation of nothing is 1; at first a second has passed."""
    decision = Cobald().decide(view(), {})
    assert (decision.target, bought(decision)) == (1.0, {"w/a/m": 1})


def test_cobald_does_not_count_what_boots_as_unused():
    """One is busy and one boots: the demand grows from 4 to 14, and 5 are missing of 7."""
    decision = Cobald().decide(view(there=workers("busy", "booting")), {"at": 990.0, "demand": {"w": 4.0}})
    assert bought(decision) == {"w/a/m": 5}


def test_cobald_lets_those_go_that_have_least_to_do():
    """From 10 to 0 wanted would be all; with 9 left of 6 there none; from 13 to 3 one busy one stays."""
    there = workers(5, "half", 5)
    decision = Cobald(low_utilisation=0.5).decide(view(there=there), {"at": 990.0, "demand": {"w": 13.0}})
    assert gone(decision) == ["t0"]
    none = Cobald().decide(view(there=there), {"at": 990.0, "demand": {"w": 10.0}})
    assert gone(none) == ["t0", "t1", "t2"]


@pytest.mark.parametrize(
    ("loads", "there", "target"),
    [
        ([load(50, work=100.0)], (), 10),  # 100 s in 5 s are 20 cores
        ([load(6, work=100.0)], (), 3),  # no more cores than tasks
        ([load(1, work=0.1)], (), 1),
        ([], ("busy", 10, "booting"), 1),  # only what is idle or boots goes
        ([load(2, 4, work=500.0)], ("busy", "busy", 10), 3),
    ],
)
def test_dask_wants_the_work_done_within_the_target_duration(loads, there, target):
    """On workers of two threads."""
    assert adaptive_target(loads, workers(*there), 2, 5.0) == target


def test_dask_closes_a_worker_that_was_to_be_closed_three_times_in_a_row():
    """And forgets the count when more is wanted in between."""
    policy, idle, history = Dask(), view(there=workers("busy", 5)), {}
    closed = []
    for _ in range(3):
        decision = policy.decide(idle, history)
        history = dict(decision.history)
        closed.append(gone(decision))
    assert closed == [[], [], ["t1"]]
    first = policy.decide(idle, {})
    up = policy.decide(view([load(50)], workers("busy", 5)), dict(first.history))
    assert up.history["counts"] == {}


def test_parsl_scales_out_by_tasks_and_not_in_while_there_are_any():
    """Parallelism 0.5: nine tasks want 4.5 slots, of which two are there; a thousand idle seconds change nothing."""
    policy = Parsl(parallelism=0.5)
    assert bought(policy.decide(view([load(9)], workers("busy")), {})) == {"w/a/m": 2}
    assert not policy.decide(view([load(0, 1)], workers("half", 1000)), {}).releases
    auto = Parsl(strategy="htex_auto_scale")
    assert gone(auto.decide(view([load(0, 1)], workers("half", 1000, 100)), {})) == ["t1"]


def test_parsl_lets_all_go_when_there_was_nothing_to_do_for_so_long():
    """121 s after the first decision without a task; a task in between begins it anew."""
    policy, there = Parsl(), workers(5, 5)
    first = policy.decide(view(there=there, now=1000.0), {})
    assert not policy.decide(view(there=there, now=1120.0), first.history).releases
    assert gone(policy.decide(view(there=there, now=1121.0), first.history)) == ["t0", "t1"]
    assert policy.decide(view([load(1)], there, now=1121.0), first.history).history == {"idle": {}}


def test_keda_goes_up_at_once_and_down_to_the_most_of_the_last_five_minutes():
    """Ten jobs at two for each core are five cores; four then, until the five are 300 s old."""
    policy = Keda(queue_length=2.0)
    up = policy.decide(view([load(10)], now=1000.0), {})
    assert (up.target, bought(up)) == (5.0, {"w/a/m": 3})
    less = policy.decide(view([load(7)], workers(5, 5, 5), now=1200.0), up.history)
    assert (less.target, gone(less)) == (5.0, [])
    later = policy.decide(view([load(1)], workers(5, 5, 5, now=1301.0), now=1301.0), less.history)
    assert (later.target, gone(later)) == (4.0, ["t0"])


def test_static_has_what_it_has():
    """Missing is bought, too much goes, and what drains does not count."""
    assert bought(Static(5).decide(view(there=workers("busy", "draining")), {})) == {"w/a/m": 2}
    assert gone(Static(2).decide(view(there=workers("busy", 5)), {})) == ["t1"]


def test_the_oracle_needs_the_fewest_cores_with_which_all_are_in_time():
    """Six jobs of 20 s within 60 s, 3 s of which pass otherwise: three cores, for 40 s and the 3."""
    times, cores = needed(Trace.of("t", jobs(6, work=20.0)), overhead=3.0)
    assert (times, cores) == ((0.0, 0.0, 43.0), (0.0, 3.0, 0.0))


def test_the_oracle_takes_jobs_in_the_order_of_the_pool():
    """Of 10, 10 and 30 s in 33 s two cores do with the longest first, and as they come they do not."""
    made = Trace.of("t", [Job("k", 0.0, 36.0, work) for work in (10.0, 10.0, 30.0)])
    assert max(needed(made, overhead=3.0)[1]) == 3.0
    assert max(needed(made, overhead=3.0, lengths=[10.0, 10.0, 30.0])[1]) == 2.0
    exact = replace(plain(), estimates="exact", match=2.0)
    assert max(for_trace("oracle", made, exact).cores) == 2.0
    assert max(for_trace("oracle", made, replace(exact, order="arrival")).cores) == 3.0


def test_what_a_seasoned_predictor_says_follows_the_features():
    """It has seen storms: more echo takes longer, and of a class that it has not seen it knows nothing."""
    said = by_estimates("seasoned", Draws(1))
    tiles = [
        Job("tile", 0.0, 60.0, 1.0, features={"echo_km2": echo, "bytes": 2e5 + 1520 * echo})
        for echo in (0, 2e3)
    ]
    dry, wet = (said.of(0, one) for one in tiles)
    assert dry[2]
    assert wet[2]
    assert dry[0] < 1.0
    assert 20.0 < wet[0] < 50.0
    assert not said.of(0, Job("other", 0.0, 60.0, 1.0))[2]


def test_the_oracle_gives_a_job_its_own_cores_that_has_no_time_to_lose():
    """One that cannot be in time, and one without a deadline."""
    some = [*jobs(1, work=60.0), *jobs(1, due=math.inf, work=20.0, cores=2)]
    times, cores = needed(Trace.of("t", some), overhead=3.0)
    assert (times, cores) == ((0.0, 0.0, 13.0, 63.0), (0.0, 3.0, 1.0, 0.0))


def test_the_oracle_buys_before_the_need_and_keeps_what_is_needed_again_in_time():
    """Needed are 4 cores from 1080 on; a machine takes up to 60 s, and decisions are 10 s apart."""
    policy = Oracle((0.0, 1080.0, 1200.0), (0.0, 4.0, 0.0))
    assert not policy.decide(view(now=990.0), {}).buys
    assert bought(policy.decide(view(now=1000.0), {})) == {"w/a/m": 2}
    assert not policy.decide(view(there=workers(5, 5), now=1199.0), {}).releases
    assert gone(policy.decide(view(there=workers(5, 5, now=1200.0), now=1200.0), {})) == ["t0", "t1"]


def test_policies_are_made_by_name_with_their_settings():
    """Each that is listed is there under its name."""
    assert [by_name(name).name for name in NAMES] == list(NAMES)
    assert by_name("dask", target_duration=60.0, wait_count=1) == Dask(60.0, 1)


def test_a_policy_is_called_as_it_is_written():
    """With what can be set of how work is turned into cores; without settings it is the policy itself."""
    text = "work:margin=1.1,tail=0.45,at_once=7,doubt=0"
    assert named(text) == WorkPerDeadline(margin=1.1, at_once=7, terms=Terms(tail=0.45, doubt=0), name=text)
    assert named("careful:overhead=9").terms == replace(Careful().terms, overhead=9)
    assert named("parsl:strategy=htex_auto_scale").strategy == "htex_auto_scale"
    assert [named(name) for name in NAMES] == [by_name(name) for name in NAMES]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wrok:margin=1", "no policy 'wrok' .did you mean 'work'"),
        ("work:marign=1", "no setting 'marign' .did you mean 'margin'"),
        ("work:tial=1", "no setting 'tial' .did you mean 'tail'.*near, overhead, tail, doubt"),
        ("work:name=x", "no setting 'name'"),
        ("work:terms=1", "no setting 'terms'"),
        ("least:max=1", "no setting 'max'. It has none"),
        ("work:margin=much", "margin of the policy work is a number of 0 or more, as 1.2, not 'much'"),
        ("work:use=0", "use of the policy work is above 0, as 900.0, not 0"),
        ("keda:queue_length=0", "is above 0, as 1.0, not 0"),
        ("work:margin=", "a number of 0 or more, as 1.2, not ''"),
        ("work:doubt=-1", "doubt of the policy work is a number of 0 or more, as 0.5, not -1"),
        ("work:hold=nan", "not nan"),
        ("work:hold=inf", "not inf"),
        ("work:at_once=2.5", "a whole number of 0 or more, as 5, not 2.5"),
        ("parsl:strategy=1", "a word, as simple, not 1"),
        ("work:", "written NAME=VALUE, not ''"),
        ("work:margin=1,", "written NAME=VALUE, not ''"),
        ("work:margin", "written NAME=VALUE, not 'margin'"),
    ],
)
def test_a_setting_that_cannot_be_is_told(text, words):
    """What is wrong, and what could be meant, before anything is decided."""
    with pytest.raises(UserError, match=words):
        named(text)


def test_policies_that_foresee_are_told_the_trace():
    """The mean and the peak of what it needs: 120 core-seconds over 1000 s, and three cores."""
    made = Trace.of("t", jobs(6, work=20.0), until=1000.0)
    found = {name: for_trace(name, made, plain()) for name in FORESEEING}
    assert (found["static_mean"].cores, found["static_peak"].cores) == (1, 3)
    assert max(found["oracle"].cores) == 3.0
    assert [policy.name for policy in found.values()] == list(FORESEEING)


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("queue_deep", {}, "no policy 'queue_deep' .did you mean 'queue_depth'"),
        ("dask", {"wait_counts": 3}, "no setting 'wait_counts' .did you mean 'wait_count'"),
        ("oracle", {}, "no policy 'oracle'"),
    ],
)
def test_a_name_that_is_not_known_is_told_with_the_nearest(name, more, words):
    """An oracle cannot be had live."""
    with pytest.raises(UserError, match=words):
        by_name(name, **more)


@settings(deadline=None)
@given(
    st.sampled_from(NAMES),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200), st.floats(0, 1e4)), max_size=4),
    st.lists(st.sampled_from(["booting", "busy", "half", "draining", 5, 500]), max_size=8),
    st.integers(0, 6),
    st.integers(0, 40),
)
def test_no_policy_asks_for_more_than_a_group_and_the_slice_may_have(name, loads, there, most, cores):
    """And none lets go whom there is not, or more than once."""
    groups = {"w": Group("w", max=max(most, len(there)), idle=60.0)}
    found = [load(waiting, running, work) for waiting, running, work in loads if waiting + running]
    seen = view(found, workers(*there), groups=groups, limits=Limits(cores=max(cores, 2 * len(there))))
    decision = by_name(name).decide(seen, {})
    count = sum(each.count for each in decision.buys)
    assert len(there) + count <= groups["w"].max
    assert 2 * (len(there) + count) <= seen.limits.cores
    tokens = gone(decision)
    assert len(tokens) == len(set(tokens))
    assert set(tokens) <= {worker.token for worker in seen.workers if worker.stage != "draining"}


def test_every_trace_that_is_made_up_is_of_its_seed():
    """The same for the same seed, another for another, in order, and each job can be in time."""
    for name, make in TRACES.items():
        one = make(1)
        assert one == make(1) != make(2)
        assert one.name == name
        assert [job.release for job in one.jobs] == sorted(job.release for job in one.jobs)
        assert all(job.release + job.work < job.due for job in one.jobs)
        assert one.until > one.jobs[-1].release


@pytest.mark.parametrize("name", NAMES)
def test_what_a_policy_takes_as_a_setting_it_can_decide_with(name):
    """The least that each may be: what is refused cannot fail, and what is taken does not."""
    due = [Job("k", 60.0 * n, 60.0 * n + 60.0, 10.0) for n in range(3) for _ in range(20)]
    at_leisure = [Job("z", 30.0 * n, math.inf, 10.0) for n in range(3) for _ in range(20)]
    trace = Trace.of("small", [*due, *at_leisure], period=60.0)
    policy = by_name(name)
    numbers = [
        field.name
        for one in (policy, getattr(policy, "terms", None))
        if one is not None
        for field in fields(one)
        if isinstance(getattr(one, field.name), int | float)
    ]
    for setting in numbers:
        try:
            by_name(name, **{setting: 0})
        except UserError:
            continue
        (found,) = compare(lambda _seed: trace, [plain()], [Wanted(name, {setting: 0}, name)], [0])
        assert found.outcomes[0].jobs == 120, setting
