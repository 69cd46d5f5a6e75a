"""What becomes of what: a slice and what there is in, a plan out; carried out, there is nothing left to do."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.fleet.machine import Machine, MachineSpec, Tags
from dynamo.fleet.network import Network, NetworkSpec
from dynamo.fleet.offering import Offering
from dynamo.fleet.refusals import AuthError, UnavailableError
from dynamo.fleet.slice_checks import check, reach
from dynamo.fleet.slice_file import read
from dynamo.fleet.slice_plan import plan
from dynamo.fleet.slice_world import World, look
from dynamo.testing.cloud import Cloud, cloud_driver

GIB = 2**30
SIZES = (
    Offering("big", 16, 32 * GIB, "spot", usd_per_hour=0.3),
    Offering("big", 16, 32 * GIB, usd_per_hour=0.7),
    Offering("small", 2, 4 * GIB, usd_per_hour=0.1),
    Offering("odd", 1, GIB),
)
TEXT = """\
slice: dfw
providers: {a: {driver: docker}, b: {driver: docker}}
networks: {data: {cidr: 10.0.0.0/24, spans: [a, b]}}
nodes:
  submit: {provider: a, count: 2, role: submit, size: small, networks: data}
  workers:
    min: 1
    max: 5
    warm: 3
    offers:
      - {provider: b, size: big, purchase: spot, max_price: 0.4, max: 2}
      - {provider: a, size: big}
limits: {usd_per_hour: 9}
"""


def slice_of(text=TEXT):
    return read("s.yaml", text).sound()


def world_of(*machines, networks=None, silent=()):
    """A world of two clouds: machines and networks, each with its provider."""
    names = [name for name in "ab" if name not in silent]
    networks = [
        ("a", Network("n1", Tags("dfw", "data", "t1"), "10.0.0.0/25")),
        ("b", Network("n2", Tags("dfw", "data", "t2"), "10.0.0.128/25")),
    ] if networks is None else networks  # fmt: skip
    return World(
        {name: [one for at, one in machines if at == name] for name in names},
        {name: [one for at, one in networks if at == name] for name in names},
        dict.fromkeys(names, SIZES),
        dict.fromkeys(silent, "does not answer"),
    )


def one(
    at, id_, group="workers", size="big", purchase="on-demand", state="running", created=0.0, slice_="dfw"
):
    return at, Machine(
        id_, Tags(slice_, group, f"t-{id_}"), f"dfw-{group}-{id_}", state, size, purchase, created
    )


WHOLE = (
    one("a", "s1", "submit", "small"), one("a", "s2", "submit", "small"),
    one("b", "w1", purchase="spot"), one("b", "w2", purchase="spot"), one("a", "w3"),
)  # fmt: skip


def said(found, *actions):
    """The steps of these actions, shortly."""
    return [
        (s.action, s.group, s.provider, s.id or s.count, s.size) for s in found.steps if s.action in actions
    ]


def test_from_nothing_everything_is_made():
    """By the best offer that has room, at least the warm ones, networks first; with what it costs."""
    found = plan(slice_of(), world_of(networks=[]))
    assert said(found, "make") == [
        ("make", "data", "a", 1, "10.0.0.0/25"),
        ("make", "data", "b", 1, "10.0.0.128/25"),
        ("make", "submit", "a", 2, "small"),
        ("make", "workers", "b", 2, "big"),
        ("make", "workers", "a", 1, "big"),
    ]
    assert [s.offer for s in found.steps if s.kind == "machine"] == [
        "submit/a/small/on-demand", "workers/b/big/spot", "workers/a/big/on-demand"
    ]  # fmt: skip
    assert (found.usd_now, found.cores_now) == (0.0, 0)
    assert found.usd_after == pytest.approx(2 * 0.1 + 2 * 0.3 + 0.7)
    assert found.usd_most == pytest.approx(2 * 0.1 + 5 * 0.7)
    assert found.cores_after == 2 * 2 + 3 * 16
    assert not found.short


def test_where_all_is_there_nothing_changes():
    """What there is is kept, and costs the same afterwards."""
    found = plan(slice_of(), world_of(*WHOLE))
    assert not found.changes
    assert len(said(found, "keep")) == 2 + len(WHOLE)
    assert found.usd_now == found.usd_after == pytest.approx(2 * 0.1 + 2 * 0.3 + 0.7)


def test_what_is_more_is_kept_up_to_the_most_of_its_group():
    """Of a fixed group none; those that go are not up yet, or dear, or new."""
    more = [one("a", f"x{n}", created=float(n)) for n in range(3)]
    third = one("a", "s3", "submit", "small", created=5.0)
    found = plan(slice_of(), world_of(*WHOLE, *more, third))
    assert said(found, "remove") == [
        ("remove", "submit", "a", "s3", "small"),
        ("remove", "workers", "a", "x2", "big"),
    ]
    booting = one("a", "s0", "submit", "small", state="pending")
    (gone,) = plan(slice_of(), world_of(booting, *WHOLE)).changes
    assert (gone.id, gone.why) == ("s0", "the group has 2 at most")


def test_ghosts_and_failed_ones_are_removed_and_others_left_alone():
    """Of a group that is not in the slice, or that never came up; never of another slice."""
    found = plan(
        slice_of(),
        world_of(
            *WHOLE,
            one("a", "g1", "oldies"),
            replace_state(one("b", "f1"), "failed", "no host"),
            one("a", "o1", slice_="okc"),
            one("a", "z1", state="gone"),
            one("b", "e1", state="stopping"),
        ),
    )
    assert {s.id: s.why for s in found.changes} == {
        "f1": "failed: no host",
        "g1": "its group is not in the slice any more",
    }
    assert [(s.id, s.why) for s in found.steps if s.action == "ends"] == [
        ("e1", "is being taken away already")
    ]
    assert found.usd_now == pytest.approx(2 * 0.1 + 2 * 0.3 + 0.7 * 2 + 0.7)  # what ends still costs


def replace_state(pair, state, reason):
    return pair[0], replace(pair[1], state=state, reason=reason)


def test_what_fits_no_offer_is_replaced_as_far_as_it_is_needed():
    """Else it is removed, for a group that may be smaller."""
    old = [one("a", f"o{n}", size="small") for n in range(4)]
    found = plan(slice_of(), world_of(*WHOLE[:2], *old))
    assert said(found, "change", "remove", "make") == [
        ("remove", "workers", "a", "o3", "small"),
        *(("change", "workers", "a", f"o{n}", "small") for n in range(3)),
    ]
    step = next(s for s in found.steps if s.id == "o0")
    assert step.offer == "workers/b/big/spot"
    assert step.why == (
        "no offer of the group is of small (on-demand) at a: replaced by big (spot) at b"
    )  # fmt: skip


def test_a_network_that_moves_takes_its_machines_along():
    """What is in the old one, or was made before it, cannot be in the new one."""
    networks = world_of().networks
    here, there = networks["a"][0], networks["b"][0]
    for old in ([], [("a", replace(here, cidr="10.9.0.0/25"))]):
        found = plan(slice_of(), world_of(*WHOLE, networks=[*old, ("b", there)]))
        assert [(s.action, s.group) for s in found.changes] == [
            ("change" if old else "make", "data"), ("change", "submit"), ("change", "submit")
        ]  # fmt: skip
    part = plan(slice_of(), world_of(*WHOLE, networks=[("a", replace(here, cidr="")), ("b", there)]))
    assert [(s.action, s.why) for s in part.changes] == [
        ("change", "was made in part only, and is completed")
    ]
    again = Network("n3", Tags("dfw", "data", "t3"), "10.0.0.0/25")
    old = Network("n4", Tags("dfw", "gone", "t4"), "10.3.0.0/24")
    more = world_of(*WHOLE, networks=[("a", here), ("b", there), ("a", again), ("b", old)])
    assert [(s.id, s.why) for s in plan(slice_of(), more).changes] == [
        ("n3", "is there twice"),
        ("n4", "is not in the slice any more"),
    ]


def test_a_bandwidth_that_changes_leaves_the_machines():
    """The network is shaped anew where its provider tells that it can be; where it does not tell, nothing is said."""
    shaped = TEXT.replace("spans: [a, b]", "spans: [a, b], bandwidth: 200 Mb/s")
    networks = world_of().networks
    here, there = networks["a"][0], networks["b"][0]
    found = plan(
        slice_of(shaped), world_of(*WHOLE, networks=[("a", replace(here, bandwidth=5e8)), ("b", there)])
    )
    assert [(s.action, s.group, s.provider, s.why) for s in found.changes] == [
        ("shape", "data", "a", "500 Mb/s at most, and is to have 200 Mb/s at most")
    ]
    for rate in (2e8, None):
        same = world_of(*WHOLE, networks=[("a", replace(here, bandwidth=rate)), ("b", there)])
        assert plan(slice_of(shaped), same).changes == ()
    lifted = world_of(*WHOLE, networks=[("a", replace(here, bandwidth=2e8)), ("b", there)])
    assert [s.why for s in plan(slice_of(), lifted).changes] == ["200 Mb/s at most, and is to have no limit"]


def test_nothing_is_bought_twice_where_a_cloud_does_not_answer():
    """It may have what is lacking; groups that are elsewhere go on, and what there is stays."""
    old = one("a", "o1", size="small")
    found = plan(slice_of(), world_of(old, silent="b", networks=[]))
    assert said(found, "make", "change", "remove") == [
        ("make", "data", "a", 1, "10.0.0.0/25"),
        ("make", "submit", "a", 2, "small"),
    ]
    assert found.short == (
        "workers: 2 more may be lacking, but b may have them, and did not answer: none is made",
    )
    assert found.silent == {"b": "does not answer"}
    (kept,) = [s for s in found.steps if s.action == "keep"]
    assert kept.why.endswith("it stays until b answers")


@pytest.mark.parametrize(
    ("limits", "made", "why"),
    [
        ("{usd_per_hour: 0.6}", 1, "limits.usd_per_hour is 0.6"),
        ("{usd_per_day: 24}", 2, "limits.usd_per_day is 24"),
        ("{cores: 36}", 2, "limits.cores is 36"),
    ],
)
def test_limits_are_never_exceeded(limits, made, why):
    """What does not fit is not made, and said."""
    text = TEXT.partition("limits:")[0] + f"limits: {limits}\n"
    found = plan(slice_of(text), world_of())
    assert sum(s.count for s in found.steps if s.group == "workers") == made
    assert found.short == (f"workers: {3 - made} of 3 cannot be had, for {why}",)
    assert found.usd_most <= 9


def test_a_price_that_nobody_knows_is_counted_as_such():
    """It is in no sum."""
    text = TEXT.replace("size: small", "size: odd").partition("limits:")[0]
    found = plan(slice_of(text), world_of())
    assert found.unpriced == 2
    assert found.usd_after == pytest.approx(2 * 0.3 + 0.7)


def apply(slice_, world, found, ids):
    """Carry out a plan, as a cloud would."""
    machines = {
        name: [m for m in those if m.state in {"pending", "running"}]
        for name, those in world.machines.items()
    }
    networks = {name: list(those) for name, those in world.networks.items()}
    offers = {o.key(g): o for g, group in slice_.nodes.items() for o in group.offers}
    for step in found.changes:
        if step.kind == "network":
            networks[step.provider] = [n for n in networks[step.provider] if n.id != step.id]
            if step.action != "remove":
                made = Network(f"n{next(ids)}", Tags(slice_.name, step.group, str(next(ids))), step.size)
                networks[step.provider].append(made)
            continue
        machines[step.provider] = [m for m in machines[step.provider] if m.id != step.id]
        for _ in range(step.count if step.offer else 0):
            offer, token = offers[step.offer], str(next(ids))
            tags = Tags(slice_.name, step.group, token)
            made = Machine(f"m{token}", tags, token, "pending", str(offer.size), offer.bought)
            machines[offer.provider].append(made)
    return replace(world, machines=machines, networks=networks)


@st.composite
def slices(draw):
    """Slices of up to three groups at two clouds."""
    nodes = []
    for name in draw(st.lists(st.sampled_from(["g1", "g2", "g3"]), min_size=1, unique=True)):
        offers = draw(
            st.lists(
                st.tuples(st.sampled_from("ab"), st.sampled_from(SIZES)), min_size=1, max_size=3, unique=True
            )
        )
        told = [
            f"{{provider: {at}, size: {o.size}, purchase: {o.purchase}"
            + draw(st.sampled_from(["", ", max: 1", ", usd_per_hour: 2"]))
            + "}"
            for at, o in offers
        ]
        most = draw(st.integers(1, 5))
        many = draw(
            st.sampled_from(
                [f"count: {most}", f"max: {most}", f"max: {most}, min: {most // 2}", f"max: {most}, warm: 1"]
            )
        )
        nets = draw(st.sampled_from(["", ", networks: n"]))
        nodes.append(f"  {name}: {{{many}, offers: [{', '.join(told)}]{nets}}}")
    limits = draw(
        st.sampled_from(
            ["", "limits: {cores: 20}", "limits: {usd_per_hour: 1.5}", "limits: {usd_per_day: 30, cores: 40}"]
        )
    )
    head = "slice: dfw\nproviders: {a: {driver: docker}, b: {driver: docker}}\n"
    nets = f"networks: {{n: {{cidr: 10.{draw(st.integers(0, 1))}.0.0/24, spans: [a, b]}}}}\n"
    return slice_of(head + nets + "nodes:\n" + "\n".join(nodes) + "\n" + limits)


MACHINES = st.lists(
    st.builds(
        one, st.sampled_from("ab"), st.uuids().map(str), st.sampled_from(["g1", "g2", "g9"]),
        st.sampled_from(["big", "small", "odd", "other"]), st.sampled_from(["on-demand", "spot", "reserved"]),
        st.sampled_from(["running", "pending", "stopping", "failed", "gone"]), st.floats(0, 9),
    ),
    max_size=12,
)  # fmt: skip
NETWORKS = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.builds(Network, st.uuids().map(str), st.builds(Tags, st.just("dfw"), st.sampled_from("nx"), st.just("t")),
                  st.sampled_from(["", "10.0.0.0/25", "10.0.0.128/25", "10.1.0.0/25"])),
    ),
    max_size=4,
)  # fmt: skip


@given(slices(), MACHINES, NETWORKS, st.sampled_from(["", "", "a"]))
@settings(max_examples=150, deadline=None)
def test_a_plan_that_is_carried_out_leaves_nothing_to_do(slice_, machines, networks, silent):
    """And keeps to the bounds of every group, to the limits, and to what it said it would cost."""
    world = world_of(*machines, networks=networks, silent=silent)
    first = plan(slice_, world)
    after = apply(slice_, world, first, itertools.count())
    second = plan(slice_, after)
    assert not second.changes
    lacking = [[told.partition(", for")[0] for told in one.short] for one in (first, second)]
    assert (
        lacking[0] == lacking[1]
    )  # which limit bites is another matter: it depends on what is counted first
    assert second.usd_now == pytest.approx(first.usd_after)
    assert second.cores_now == first.cores_after
    for name, group in slice_.nodes.items():
        there = sum(m.tags.group == name for those in after.machines.values() for m in those)
        assert there <= group.most
        short = any(told.startswith(f"{name}:") for told in first.short)
        assert short or silent or there >= group.fewest
    assert not any(m.tags.group not in slice_.nodes for those in after.machines.values() for m in those)
    bought = sum(s.action in {"make", "change"} and s.kind == "machine" for s in first.steps)
    assert not bought or first.cores_after <= slice_.limits.cores
    assert not bought or first.usd_after <= slice_.limits.hourly * (1 + 1e-6)


def test_all_providers_are_asked_at_once_and_one_that_is_down_is_said():
    """None waits for another; the exit code is that of who must act."""
    clouds = {"a": Cloud(SIZES), "b": Cloud(SIZES)}
    drivers = {name: cloud_driver(cloud) for name, cloud in clouds.items()}
    draft = read("s.yaml", TEXT)
    check(draft, lambda _: drivers["a"])
    providers = reach(draft, drivers)
    clouds["a"].provider().create(MachineSpec(Tags("dfw", "workers", "1"), "w", "big"))
    clouds["b"].provider().create_network(NetworkSpec(Tags("dfw", "data", "2"), "10.0.0.0/25"))
    both = threading.Barrier(2, timeout=20)  # broken where one is asked after the other
    for cloud in clouds.values():
        cloud.fail("list", done=True).before = both.wait
        cloud.faults[-1].error = None
    world = look(draft.sound(), providers)
    assert [m.tags.token for m in world.machines["a"]] == ["1"]
    assert [n.tags.token for n in world.networks["b"]] == ["2"]
    assert (world.silent, world.code) == ({}, 0)
    with clouds["b"].down():
        world = look(draft.sound(), providers)
        assert (dict(world.silent), world.code) == (
            {"b": "the cloud does not answer"},
            UnavailableError.exit_code,
        )
        assert "b" not in world.machines
        with clouds["a"].failing("offerings", AuthError("may not")):
            assert look(draft.sound(), providers).code == AuthError.exit_code


def test_what_waits_for_a_cloud_keeps_to_the_bounds_too():
    """What is more than the group may have goes; what stays takes its part of the limits before others are made."""
    old = [one("a", f"o{n}", size="small") for n in range(6)]
    found = plan(slice_of(), world_of(*WHOLE[:2], *old, silent="b"))
    assert [s.id for s in found.changes if s.kind == "machine"] == ["o5"]
    text = TEXT.replace("usd_per_hour: 9", "cores: 13").replace("count: 2", "count: 1")
    found = plan(slice_of(text), world_of(*old, silent="b"))
    assert found.cores_after == 5 * 2 + 2
    found = plan(slice_of(text.replace("cores: 13", "cores: 11")), world_of(*old, silent="b"))
    assert found.short == ("submit: 1 of 1 cannot be had, for limits.cores is 11",)
