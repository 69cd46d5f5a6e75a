"""A slice on real drivers, over HTTP: planned, carried out by their verbs, and then there is nothing left to do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from dynamo.provisioners.ec2 import Ec2

from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.network import NetworkSpec
from dynamo.fleet.slice import machine_name
from dynamo.fleet.slice_checks import check, reach
from dynamo.fleet.slice_costs import check_costs
from dynamo.fleet.slice_file import FaultySliceError, read
from dynamo.fleet.slice_plan import plan
from dynamo.fleet.slice_world import look
from tests.cloud.ec2_use import IMAGE
from tests.cloud.fake_openstack import REGION, SECRET, FakeOpenStack

TEXT = """\
slice: NAME
providers:
  aws: {driver: ec2, region: us-east-2, credentials: "env:MOTO", endpoint: "URL"}
  campus: {driver: openstack, region: REGION, credentials: "env:CAMPUS", usd_per_core_hour: 0.02}
networks: {data: {cidr: 192.168.10.0/24, spans: [aws, campus]}}
nodes:
  submit: {provider: campus, count: 1, role: submit, size: m3.medium, image: dynamo-worker, networks: data}
  workers:
    max: 6
    warm: 3
    networks: data
    offers:
      - {provider: aws, size: c7i.4xlarge, purchase: spot, max_price: 0.4, max: 2, image: AMI}
      - {provider: campus, size: m3.medium, image: dynamo-worker}
limits: {usd_per_hour: 12, usd_per_day: 120}
"""


@pytest.fixture
def campus(monkeypatch) -> Iterator[FakeOpenStack]:
    """An OpenStack, and the credentials of both clouds in the environment."""
    fake = FakeOpenStack()
    for name, value in {
        "MOTO_ACCESS_KEY_ID": "AKIDTEST", "MOTO_SECRET_ACCESS_KEY": "se/cret",
        "CAMPUS_AUTH_URL": f"{fake.url}/identity/v3", "CAMPUS_APPLICATION_CREDENTIAL_ID": "ac1",
        "CAMPUS_APPLICATION_CREDENTIAL_SECRET": SECRET,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    yield fake
    fake.close()


@pytest.fixture
def sizes_once(moto, monkeypatch):
    """Ask moto for its 800 sizes only once, for it takes some ten seconds to write them down."""
    sold = []
    ask = Ec2.offerings

    def offerings(self):
        if not sold:
            sold.extend(ask(self))
        return sold

    monkeypatch.setattr(Ec2, "offerings", offerings)
    return moto


def planned(text):
    """Check a slice as `dynamo slice plan` does; return it, its providers and its plan."""
    draft = read("s.yaml", text)
    drivers = check(draft)
    providers = reach(draft, drivers)
    slice_ = draft.sound()
    world = look(slice_, providers)
    assert not world.silent
    check_costs(draft, world.offerings)
    return draft.sound(), providers, plan(slice_, world)


def carry_out(slice_, providers, found):
    """Do what a plan says, by the verbs of the providers."""
    offers = {offer.key(name): offer for name, group in slice_.nodes.items() for offer in group.offers}
    for step in found.changes:  # before a network goes, what is in it
        if step.kind == "machine" and step.id:
            providers[step.provider].destroy(step.id)
    for step in found.changes:
        tags = Tags(slice_.name, step.group, uuid.uuid4().hex)
        if step.kind == "network":
            if step.id:
                providers[step.provider].destroy_network(step.id)
            if step.action != "remove":
                providers[step.provider].create_network(NetworkSpec(tags, step.size))
    made = {
        (name, network.tags.group): network.id
        for name, provider in providers.items()
        for network in provider.list_networks(slice_.name)
    }
    for step in found.changes:
        for _ in range(step.count if step.offer else 0):
            offer, group = offers[step.offer], slice_.nodes[step.group]
            tags = Tags(slice_.name, step.group, uuid.uuid4().hex)
            spec = MachineSpec(
                tags, machine_name(slice_.name, step.group, tags.token), str(offer.size), offer.image or group.image,
                purchase=offer.bought, max_price=offer.max_price,
                networks=tuple(made[offer.provider, name] for name in group.networks),
            )  # fmt: skip
            providers[offer.provider].create(spec)


def counts(found):
    """How many machines and networks there are of each action."""
    told = {}
    for step in found.steps:
        key = (step.action, step.kind)
        told[key] = told.get(key, 0) + step.count
    return told


@pytest.mark.usefixtures("campus")
def test_what_is_planned_and_done_is_done(sizes_once):
    """From nothing; then edited, with another network and another size; and at last with a group less."""
    text = TEXT.replace("NAME", f"s-{uuid.uuid4().hex[:8]}").replace("URL", sizes_once).replace("AMI", IMAGE)
    text = text.replace("REGION", REGION)
    slice_, providers, found = planned(text)
    assert counts(found) == {("make", "network"): 2, ("make", "machine"): 4}
    carry_out(slice_, providers, found)
    slice_, providers, found = planned(text)
    assert counts(found) == {("keep", "network"): 2, ("keep", "machine"): 4}
    assert found.usd_now == found.usd_after > 0

    text = text.replace("192.168.10.0/24", "192.168.12.0/24").replace("c7i.4xlarge", "c7i.2xlarge")
    slice_, providers, found = planned(text)
    assert counts(found) == {("change", "network"): 2, ("change", "machine"): 4}
    carry_out(slice_, providers, found)
    assert not planned(text)[2].changes

    fewer = text.replace("warm: 3", "warm: 0").replace("max: 6", "max: 1")
    slice_, providers, found = planned(fewer)
    assert counts(found) == {("keep", "network"): 2, ("keep", "machine"): 2, ("remove", "machine"): 2}
    carry_out(slice_, providers, found)
    assert not planned(fewer)[2].changes


def test_a_size_that_a_cloud_does_not_sell_is_told_with_the_nearest(campus, moto):
    """By the catalogue of the real drivers; nothing is made."""
    text = TEXT.replace("NAME", "s").replace("URL", moto).replace("AMI", IMAGE).replace("REGION", REGION)
    with pytest.raises(FaultySliceError) as caught:
        planned(text.replace("c7i.4xlarge", "c7i.4xlrge").replace("m3.medium, image", "m3.medum, image"))
    assert "'aws' has no size 'c7i.4xlrge' (did you mean 'c7i.4xlarge'?)" in str(caught.value)
    assert "'campus' has no size 'm3.medum' (did you mean 'm3.medium'?)" in str(caught.value)
    assert not campus.nova.servers
