"""The provider of EC2 against moto, which plays EC2 over HTTP: its verbs, and the suite that every provider passes."""

from __future__ import annotations

import base64
import doctest
import json
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from dynamo.provisioners import ec2_calls, ec2_errors
from dynamo.provisioners.ec2 import OPTIONS, connect, driver
from dynamo.provisioners.ec2_calls import tagged
from dynamo.provisioners.ec2_machines import USER_DATA, client_token

from dynamo.errors import UserError
from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.network import NetworkSpec
from dynamo.fleet.provider import NetworkProvider
from dynamo.fleet.refusals import (
    AuthError,
    BadRequestError,
    GoneError,
    NoCapacityError,
    OutcomeUnknownError,
    ProviderError,
    QuotaError,
    ThrottledError,
    UnavailableError,
)
from dynamo.testing import PROVIDER_CHECKS, ProviderBench
from tests.cloud.ec2_use import (
    IMAGE,
    KEY,
    REGION,
    SECRET,
    SECRETS,
    SESSION,
    USER_DATA_TEXT,
    error_page,
    failing,
    refusing,
    settings,
    spec,
)
from tests.cloud.fake_ec2 import Fault


def test_a_machine_is_made_as_ordered(cloud, between):
    """All that the order says is in one call of RunInstances: tags, user data, spot, and an end at power-off."""
    order = spec(purchase="spot", max_price=0.04)
    made = cloud.create(order)
    assert (made.tags, made.name, made.size, made.purchase) == (order.tags, order.name, "c7i.large", "spot")
    assert made.state == "pending"
    assert made.created
    params = between.calls[-1].params
    assert between.actions() == ["DescribeInstances", "RunInstances"]
    assert base64.b64decode(params["UserData"]).decode() == USER_DATA_TEXT
    assert params["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert params["InstanceMarketOptions.MarketType"] == "spot"
    assert params["InstanceMarketOptions.SpotOptions.MaxPrice"] == "0.040000"
    assert params["ClientToken"] == client_token(order.tags)
    assert params["MetadataOptions.HttpTokens"] == "required"
    kinds = [value for name, value in params.items() if name.endswith(".ResourceType")]
    assert kinds == ["instance", "volume", "spot-instances-request"]
    found = cloud.describe(made.id)
    assert (found.state, found.tags, found.purchase) == ("running", order.tags, "spot")
    assert found.addresses[0].startswith("10.")
    cloud.destroy(made.id)


def test_on_demand_and_what_is_reserved(cloud, between):
    """On demand says nothing of a market; what is reserved names its reservation, or is so by contract only."""
    target = "CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId"
    for more, named in (
        ({}, None),
        ({"purchase": "reserved"}, None),
        ({"purchase": "reserved", "reservation": "cr-0123456789abcdef0"}, "cr-0123456789abcdef0"),
    ):
        assert cloud.create(spec(**more)).purchase == "on-demand"  # moto knows no reservations
        sent = between.calls[-1].params
        assert sent.get(target) == named
        assert not [name for name in sent if name.startswith("InstanceMarketOptions")]


def test_nothing_of_an_order_is_in_a_url(cloud, between):
    """User data and credentials are in bodies and signatures; a URL is written to logs."""
    cloud.create(spec())
    assert {call.path for call in between.calls} == {"/"}


def test_calls_are_signed_as_amazon_says(cloud, between):
    """Amazon's own signer makes the same signature of what was sent."""
    cloud.create(spec())
    for call in between.calls:
        headers = {name.lower(): value for name, value in call.headers.items()}
        signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        assert {"host", "x-amz-date", "x-amz-security-token"} <= set(signed)
        kept = {name: headers[name] for name in signed}
        request = AWSRequest("POST", between.url + "/", headers=kept, data=call.body)
        request.context["timestamp"] = headers["x-amz-date"]
        signer = SigV4Auth(BotoCredentials(KEY, SECRET, SESSION), "ec2", REGION)
        text = signer.string_to_sign(request, signer.canonical_request(request))
        assert headers["authorization"].endswith(f"Signature={signer.signature(text, request)}")


def test_more_than_a_page_is_listed_whole(cloud, between):
    """213 machines of 108 reservations come in two pages, and none is lacking; one page that fails is an error."""
    tags = spec().tags
    made = {cloud.create(spec(tags.slice)).id for _ in range(3)}
    many = {"ImageId": IMAGE, "InstanceType": "c7i.large", "MinCount": "2", "MaxCount": "2"}
    for n in range(105):
        order = many | tagged(["instance"], replace(tags, token=f"order-{n}"), f"machine-{n}")
        root = cloud._calls.ask("RunInstances", order)
        made |= {one.text for one in root.iterfind("instancesSet/item/instanceId")}
    between.calls.clear()
    listed = cloud.list(tags.slice)
    assert {one.id for one in listed} == made
    assert len(listed) == 213
    pages = [call.params.get("NextToken") for call in between.calls]
    assert len(pages) > 1
    assert pages[0] is None
    assert all(pages[1:])
    with (
        between.failing(lambda call: Fault() if "NextToken" in call.params else None),
        pytest.raises(UnavailableError),
    ):
        cloud.list(tags.slice)
    gone = min(made)
    cloud.destroy(gone)
    assert {one.id for one in cloud.list(tags.slice)} == made - {gone}


def test_tags_are_the_truth(cloud, between):
    """Machines of other slices and of strangers are not listed, described as ours, or ended."""
    name = f"s-{uuid.uuid4().hex[:8]}"
    mine = cloud.create(spec(name))
    other = cloud.create(spec(f"{name}-2"))
    stranger = connect(settings(between.url))._calls.ask(
        "RunInstances", {"ImageId": IMAGE, "InstanceType": "c7i.large", "MinCount": "1", "MaxCount": "1"}
    )
    id_ = stranger.findtext("instancesSet/item/instanceId")
    assert [one.id for one in cloud.list(name)] == [mine.id]
    assert cloud.list("*") == []  # a slice's name is no pattern
    assert cloud.list(f"{name}*") == []
    assert [one.id for one in cloud.list(f"{name}-2")] == [other.id]
    with pytest.raises(GoneError, match="of no slice"):
        cloud.describe(id_)
    with pytest.raises(BadRequestError, match="of no slice"):
        cloud.destroy(id_)
    states = cloud._calls.ask("DescribeInstances", {"InstanceId.1": id_})
    assert states.findtext(".//instanceState/name") == "running"


def test_an_order_is_carried_out_once(cloud, between):
    """The same order gives the same machine, also from another object; one whose machine ended is not bought again."""
    order = spec()
    first = cloud.create(order)
    assert connect(settings(between.url)).create(order).id == first.id
    assert between.actions().count("RunInstances") == 1
    cloud.destroy(first.id)
    again = cloud.create(order)
    assert (again.id, again.state) == (first.id, "gone")
    assert between.actions().count("RunInstances") == 1


def test_the_client_token_is_of_the_order():
    """It is the same for the same order, another for any other, and of at most 64 letters."""
    one = Tags("s", "g", "t")
    assert client_token(one) == client_token(Tags("s", "g", "t"))
    others = {
        client_token(tags) for tags in (Tags("s", "g", "u"), Tags("s", "h", "t"), Tags("sg", "", "t"), one)
    }
    assert len(others) == 4
    assert len(client_token(one)) == 64


@pytest.mark.parametrize("code", ["IdempotentParameterMismatch", "IdempotentInstanceTerminated"])
def test_ec2_had_the_order_before(cloud, between, code):
    """EC2 says that it had an order: its machine is returned once it is listed, and until then nobody knows."""
    order = spec()
    with refusing(between, "RunInstances", code), pytest.raises(OutcomeUnknownError):
        cloud.create(order)

    def made_meanwhile(call):
        return Fault(400, error_page(code), done=True) if call.action == "RunInstances" else None

    with between.failing(made_meanwhile):
        found = cloud.create(order)
    assert [one.id for one in cloud.list(order.tags.slice)] == [found.id]


def test_gone_and_gone_again(cloud):
    """A machine that was destroyed is told as gone and not listed; to destroy it again, or what never was, is fine."""
    order = spec()
    made = cloud.create(order)
    cloud.destroy(made.id)
    assert cloud.describe(made.id).state == "gone"
    assert cloud.list(order.tags.slice) == []
    cloud.destroy(made.id)
    cloud.destroy("i-0123456789abcdef0")
    with pytest.raises(GoneError, match="i-0123456789abcdef0"):
        cloud.describe("i-0123456789abcdef0")
    with pytest.raises(GoneError):
        cloud.describe("no id at all")


def test_why_a_machine_ended_by_itself(cloud, between):
    """A machine taken by Amazon says so; one that never came up has failed."""
    made = cloud.create(spec(purchase="spot"))
    cloud.destroy(made.id)
    cases = {
        "Server.SpotInstanceTermination": ("gone", "taken back"),
        "Server.InsufficientInstanceCapacity": ("failed", "taken back"),
        "Client.VolumeLimitExceeded": ("failed", "taken back"),
        "Client.UserInitiatedShutdown": ("gone", ""),
    }
    for code, told in cases.items():
        body = (
            "<DescribeInstancesResponse xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'><reservationSet><item>"
            f"<instancesSet><item><instanceId>{made.id}</instanceId><instanceState><name>terminated</name>"
            f"</instanceState><stateReason><code>{code}</code><message>taken back</message></stateReason><tagSet>"
            + "".join(
                f"<item><key>{key}</key><value>{value}</value></item>"
                for key, value in made.tags.written().items()
            )
            + "</tagSet></item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
        )
        with between.failing(lambda call, body=body: Fault(200, body)):
            found = cloud.describe(made.id)
        assert (found.state, found.reason) == told
        assert found.no_room == (code == "Server.InsufficientInstanceCapacity")


def test_what_ec2_cannot_make_is_told_before_it_is_asked(cloud, between):
    """No image, no size, too much user data, two networks: nothing is sent of such an order."""
    for wrong, told in (
        ({"image": ""}, "image"),
        ({"size": ""}, "size"),
        ({"user_data": "x" * (USER_DATA + 1)}, "16384"),
        ({"networks": ("vpc-1", "vpc-2")}, "one network"),
        ({"networks": ("vpc-0123456789abcdef0",)}, "vpc-0123456789abcdef0"),
    ):
        with pytest.raises(BadRequestError, match=told):
            cloud.create(spec(**wrong))
    assert "RunInstances" not in between.actions()


def test_where_machines_go_that_are_in_no_network(between):
    """The slice may name a subnet, security groups and a key pair for them."""
    named = {"subnet": "subnet-1", "security_groups": "sg-1, sg-2", "key_name": "ops"}
    with pytest.raises(ProviderError):  # moto has none of these
        connect(settings(between.url, **named)).create(spec())
    sent = between.calls[-1].params
    assert {
        name: sent[name] for name in ("SubnetId", "SecurityGroupId.1", "SecurityGroupId.2", "KeyName")
    } == {
        "SubnetId": "subnet-1",
        "SecurityGroupId.1": "sg-1",
        "SecurityGroupId.2": "sg-2",
        "KeyName": "ops",
    }


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"endpoint": "ec2.example"}, "endpoint"),
        ({"endpoint": "http://user:pass@ec2.example"}, "endpoint"),
        ({"read_timeout": "soon"}, "read_timeout"),
        ({"connect_timeout": "0"}, "connect_timeout"),
        ({"regoin": "x"}, "regoin"),
        ({"prices": "/nowhere/prices.json"}, "prices"),
    ],
)
def test_a_provider_that_does_not_do(wrong, told):
    """What a slice says wrongly of it is told before any call."""
    with pytest.raises(UserError, match=told):
        connect(settings(**{"endpoint": "http://127.0.0.1:1", **wrong}))


def test_credentials_and_region():
    """Both are needed; a region may come with the credentials, and need not be known to Libcloud."""
    with pytest.raises(UserError, match="secret_access_key"):
        connect(settings("", credentials={"access_key_id": "x"}))
    with pytest.raises(UserError, match="secret_access_key") as wrong:
        connect(settings("", credentials={"access_key_id": KEY, "secret_access_key": f"{SECRET}\n"}))
    assert SECRET not in str(wrong.value)
    keys = {"access_key_id": KEY, "secret_access_key": SECRET}
    with pytest.raises(UserError, match="region"):
        connect(settings("", credentials=keys, region=""))
    with pytest.raises(UserError, match="region"):
        connect(settings("", credentials=keys, region="evil.example/"))
    assert "mx-central-1" in repr(
        connect(settings("", credentials={**keys, "default_region": "mx-central-1"}, region=""))
    )


def test_the_driver_says_what_it_knows():
    """It is found by its entry point, needs credentials, sells sizes, and makes networks too."""
    assert driver.needs_credentials
    assert not driver.to_measure
    assert driver.options == OPTIONS
    assert isinstance(connect(settings("http://127.0.0.1:1")), NetworkProvider)


@pytest.mark.parametrize("module", [ec2_calls, ec2_errors], ids=lambda module: module.__name__)
def test_the_examples_in_docstrings_are_right(module):
    """What they show is what the code does."""
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def test_the_policy_in_the_docs_allows_what_is_called(cloud, between):
    """All calls of machines, networks and offerings are in the policy of the how-to, and nothing else is."""
    page = (Path(__file__).resolve().parents[2] / "docs/howto/ec2.md").read_text("utf-8")
    policy = json.loads(page.partition('```json title="dynamo-policy.json"\n')[2].partition("```")[0])
    allowed = {
        action
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    tags = spec().tags
    made = cloud.create_network(NetworkSpec(tags, "192.168.10.0/24"))
    cloud.destroy(cloud.create(spec(tags.slice, networks=(made.id,))).id)
    cloud.list_networks(tags.slice)
    cloud.destroy_network(made.id)
    with failing(between, "DescribeInstanceTypes", Fault(200, "<DescribeInstanceTypesResponse/>")):
        cloud.offerings()
    assert allowed == {f"ec2:{action}" for action in between.actions()}


def bench(between):
    """Return how the suite reaches this provider and makes moto fail."""
    calls = between.failing

    def on_order(made):
        return lambda: calls(lambda call: made if call.action == "RunInstances" else None)

    def stranger():
        probe = connect(settings(between.url))._calls
        root = probe.ask(
            "RunInstances", {"ImageId": IMAGE, "InstanceType": "c7i.large", "MinCount": "1", "MaxCount": "1"}
        )
        id_ = root.findtext("instancesSet/item/instanceId")
        asked = {"InstanceId.1": id_}
        return (
            id_,
            lambda: probe.ask("DescribeInstances", asked).findtext(".//instanceState/name") == "running",
        )

    steps = ("CreateSubnet", "CreateInternetGateway", "AttachInternetGateway", "CreateSecurityGroup")
    faults = {
        AuthError: on_order(Fault(401, error_page("AuthFailure"))),
        BadRequestError: on_order(Fault(400, error_page("InvalidParameterValue"))),
        NoCapacityError: on_order(Fault(500, error_page("InsufficientInstanceCapacity"))),
        OutcomeUnknownError: on_order(Fault(done=True)),
        QuotaError: on_order(Fault(400, error_page("VcpuLimitExceeded"))),
        ThrottledError: on_order(Fault(503, error_page("RequestLimitExceeded"))),
        UnavailableError: on_order(Fault(503, error_page("Unavailable"))),
    }
    return ProviderBench(
        connect=lambda: connect(settings(between.url)),
        spec=MachineSpec(Tags("", "", ""), "", "c7i.large", IMAGE),
        faults=faults,
        stranger=stranger,
        secrets=SECRETS,
        many=12,
        network_steps=tuple(
            lambda step=step, done=done: calls(lambda call: Fault(done=done) if call.action == step else None)
            for step in steps
            for done in (False, True)
        ),
    )


@pytest.mark.parametrize("name", PROVIDER_CHECKS)
def test_the_suite_that_every_provider_passes(name, between):
    """Every check holds against moto."""
    PROVIDER_CHECKS[name](bench(between))
