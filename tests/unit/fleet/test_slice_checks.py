"""What makes a slice bad is found before anything is bought: each fault at its place, in plain words."""

from __future__ import annotations

import pytest

from dynamo.errors import UserError
from dynamo.fleet.credentials import Credentials
from dynamo.fleet.offering import Offering
from dynamo.fleet.provider import Driver
from dynamo.fleet.slice_checks import check, load, reach
from dynamo.fleet.slice_costs import check_costs
from dynamo.fleet.slice_file import FaultySliceError, read
from dynamo.testing.cloud import Cloud, cloud_driver

GIB = 2**30
GOOD = """\
slice: dfw
providers:
  aws: {driver: ec2, region: us-east-2, credentials: "profile:radar", key_pair: radar}
  here: {driver: docker}
networks:
  data: {cidr: 192.168.10.0/24, spans: [aws, here]}
  more: {cidr: 10.1.0.0/16, spans: here}
nodes:
  submit: {provider: here, count: 1, role: submit, size: {cores: 2, memory: 4 GiB}, networks: [data, more]}
  workers:
    min: 1
    max: 40
    warm: 2
    networks: data
    offers:
      - {provider: aws, size: c7i.4xlarge, purchase: spot, max_price: 0.4}
      - {provider: aws, size: c7i.4xlarge}
limits: {cores: 256, usd_per_hour: 12.0, usd_per_day: 120}
"""
CATALOGUE = {
    "here": [Offering("", 8, 16 * GIB, usd_per_hour=0.0)],
    "aws": [
        Offering("c7i.4xlarge", 16, 32 * GIB, "spot", usd_per_hour=0.3),
        Offering("c7i.4xlarge", 16, 32 * GIB, usd_per_hour=0.7),
        Offering("c7i.large", 2, 4 * GIB),
    ],
}


def driver_of(name):
    known = {
        "ec2": Driver(lambda _: None, {"key_pair": "A key."}, needs_credentials=True),
        "docker": Driver(lambda _: None, to_measure=True),
    }
    if name not in known:
        raise UserError(f"unknown driver {name!r}")
    return known[name]


def find(named):
    if named != "profile:radar":
        raise UserError(f"no credentials: {named}")
    return Credentials({"access_key_id": "x"})


def faults_of(text, catalogue=None):
    draft = read("s.yaml", text)
    check(draft, driver_of, find)
    if catalogue is not None and draft.slice:
        check_costs(draft, catalogue)
    return [str(one) for one in draft.faults.found]


def marked(old, new):
    """Return the text with `old` replaced, and the place of the mark in `new`."""
    assert GOOD.count(old) == 1
    before, _, after = GOOD.replace(old, new).partition("§")
    return before + after, f"{before.count(chr(10)) + 1}:{len(before.rpartition(chr(10))[2]) + 1}"


def test_what_cannot_come_through_a_tunnel_is_told():
    """An access point, a machine with two, and two tunnels at one port of the hub."""
    tunnel = "tunnel: {hub: 'cm:51820', to: 10.2.0.0/24}"
    text = GOOD.replace("spans: here", f"spans: here, {tunnel}")
    assert [one.partition(": ")[2] for one in faults_of(text)] == [
        "networks: an access point is called by others, and nobody is called through a tunnel: put it beside the pool"
    ]
    text = text.replace("spans: [aws, here]", f"spans: [aws, here], {tunnel}").replace("role: submit, ", "")
    assert [one.partition(": ")[2] for one in faults_of(text)] == [
        "hub: port 51820 is that of the tunnel of 'data': each takes one for itself",
        "networks: a machine has one tunnel, which is that of 'data'",
    ]


def test_a_good_slice_has_no_fault():
    """Neither without the clouds nor with what they sell."""
    assert not faults_of(GOOD, CATALOGUE)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("driver: docker", "driver: §dcker", "driver: unknown driver 'dcker'"),
        ("key_pair: radar", "§key_pear: radar", "unknown key 'key_pear' of the driver 'ec2'"),
        ('"profile:radar"', '§"profile:rader"', "credentials: no credentials: profile:rader"),
        ('{driver: ec2, region: us-east-2, credentials: "profile:radar",', "§{driver: ec2,", "aws: has no `cred"),
        ("slice: dfw", "slice: §DFW", "'DFW' is no name: lower-case letters, digits and hyphens inside, like dfw"),
        ("  submit:", "  §sub_mit:", "'sub_mit' is no name: lower-case letters, digits and hyphens"),
        ("  workers:", "  §" + "w" * 60 + ":", "host names of its machines (slice, group and 8 letters) would have 73"),
        ("min: 1", "min: §41", "min: is 41, and `max` is 40"),
        ("warm: 2", "warm: §41", "warm: is 41, and `max` is 40"),
        ("warm: 2", "lifetime: §1000000000000 d", "lifetime: is longer than a year"),
        ("warm: 2", "idle: §366 d", "idle: is longer than a year"),
        ("count: 1, role: submit", "max: 1, role: §submit", "role: only workers grow and shrink: say how many of"),
        ("spans: here", "spans: §hre", "spans: unknown provider 'hre' (did you mean 'here'?)"),
        ("spans: here", "spans: [here, §here]", "spans: 'here' stands here twice"),
        ("10.1.0.0/16", "§192.168.0.0/16", "cidr: 192.168.0.0/16 overlaps 192.168.10.0/24 of the network 'data'"),
        ("10.1.0.0/16", "§10.1.0.1/16", "cidr: 10.1.0.1/16 has host bits set: write 10.1.0.0/16"),
        ("10.1.0.0/16", "§10.1.0/33", "cidr: '10.1.0/33' is no IPv4 network like 192.168.10.0/24"),
        ("10.1.0.0/16", "§192.158.100.0/24", "cidr: 192.158.100.0/24 belongs to somebody: take addresses of"),
        ("10.1.0.0/16", "§0.0.0.0/0", "cidr: 0.0.0.0/0 is everybody, or nearly: nothing of a slice is open"),
        ("192.168.10.0/24", "§192.168.10.0/28", "cidr: 192.168.10.0/28 has too few addresses for 2 providers"),
        ("spans: here", 'spans: here, peers: §"0.0.0.0/0"', "peers: 0.0.0.0/0 is everybody, or nearly"),
        ("spans: here", 'spans: here, peers: §"::/0"', "peers: ::/0 is everybody, or nearly"),
        ("spans: here", 'spans: here, peers: ["10.9.0.0/16", §"128.0.0.0/1"]', "peers: 128.0.0.0/1 is everybody, or"),
        ("spans: here", "spans: here, peers: §my-desk", "peers: 'my-desk' is no network like 198.51.100.0/24"),
        ("spans: here", "spans: here, tunnel: {hub: §cm}", "hub: 'cm' is no place like 198.51.100.7:51820, or cm.ex"),
        ("spans: here", "spans: here, tunnel: {hub: §'cm:0'}", "hub: 'cm:0' is no place like"),
        ("spans: here", "spans: here, tunnel: §{to: 10.2.0.0/24}", "the key 'hub' is missing"),
        ("spans: here", "spans: here, tunnel: §{hub: 'cm:5'}", "tunnel: should name the access points of the pool,"),
        ("spans: here", "spans: here, tunnel: {hub: 'cm:5', from: §aws}", "from: the network does not span 'aws'"),
        ("spans: here", "spans: here, tunnel: {hub: 'cm:5', to: §10.2.0.1/24}", "to: '10.2.0.1/24' is no network like"),
        ("spans: here", "spans: here, tunnel: {hub: 'cm:5', to: §'fd00::/64'}", "to: 'fd00::/64' is no network like"),
        ("spans: here", "spans: here, tunnel: {hub: 'cm:5', to: §0.0.0.0/0}", "to: 0.0.0.0/0 is everybody, or nearly"),
        ("spans: here", "spans: here, tunnel: {hub: '198.51.100.7:5', to: [10.2.0.0/24, §198.51.100.0/24]}",
         "to: 198.51.100.0/24 holds the hub, which is reached beside the tunnel: leave 198.51.100.7 out"),
        ("192.168.10.0/24, spans: [aws, here]",
         "§192.168.10.0/26, spans: [aws, here], tunnel: {hub: 'cm:5', from: aws, to: 10.2.0.0/24}",
         "cidr: the tunnel has 192.168.10.32/28 of it, for 13 workers, and up to 40 may come through it: give a"),
        ("10.1.0.0/16, spans: here", "§10.1.0.0/28, spans: here, tunnel: {hub: 'cm:5', to: 10.2.0.0/24}",
         "cidr: 10.1.0.0/28 has too few addresses for 1 provider and a tunnel"),
        ("[data, more]", "[data, §mre]", "networks: unknown network 'mre' (did you mean 'more'?)"),
        ("[data, more]", "[data, §data]", "networks: 'data' stands here twice"),
        ("networks: data", "networks: §more", "networks: the network 'more' is not at aws: add it to its `spans`"),
        ("provider: here", "provider: §her", "provider: unknown provider 'her' (did you mean 'here'?)"),
        ("size: c7i.4xlarge}", "size: §{cores: 2, memory: 4 GiB}}", "size: machines at 'aws' have sizes with names"),
        ("size: c7i.4xlarge}", "size: c7i.4xlarge, max_price: §1}", "max_price: is for `purchase: spot` only"),
        ("spot, max_price: 0.4", "§spot, reservation: r", "purchase: what has a `reservation` is reserved, not spot"),
        ("c7i.4xlarge}", "c7i.4xlarge, purchase: §reserved}", "purchase: of what is reserved, name the `reservation`"),
        ("      - {provider: aws, size: c7i.4xlarge}", "      - §{provider: aws, size: c7i.4xlarge, purchase: spot}",
         "offers: c7i.4xlarge (spot) at aws is offered twice; leave one out"),
        ("cores: 256", "cores: §3", "cores: is 3, and the fewest machines that the groups ask for "),
        ("c7i.4xlarge}\nlimits: {cores: 256, usd_per_hour: 12.0",
         "c7i.4xlarge, usd_per_hour: 9}\nlimits: {cores: 256, usd_per_hour: §0.7", "usd_per_hour: is 0.7, and"),
        ("    offers:\n", "    offers: §[]\nlimts:\n", "offers: is empty"),
    ],
)  # fmt: skip
def test_what_is_bad_is_told_without_a_cloud(old, new, message):
    """At the place of the mark."""
    text, place = marked(old, new)
    text = text.partition("limts:")[0]
    assert any(one.startswith(f"s.yaml:{place}: {message}") for one in faults_of(text)), faults_of(text)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("size: c7i.4xlarge}", "size: §c7i.4xlrge}", "size: 'aws' has no size 'c7i.4xlrge' (did you mean"),
        ("size: c7i.4xlarge}", "size: c7i.large, purchase: §spot}", "purchase: c7i.large is sold on-demand at 'aws'"),
        ("size: c7i.4xlarge}", "size: §c7i.large}", "size: nobody knows the price of c7i.large (on-demand) at aws"),
        ("size: {cores: 2", "size: §{cores: 9", "size: 9 cores and 4 GiB is more than 'here' has, which is 8"),
        ("cores: 256", "cores: §33", "cores: is 33, and the fewest machines that the groups ask for (`count`, `min`, "),
        ("usd_per_hour: 12.0", "usd_per_hour: §0.5", "usd_per_hour: is 0.5, and the fewest machines"),
        ("usd_per_day: 120", "usd_per_day: §14", "usd_per_day: is 14, and the fewest machines"),
    ],
)  # fmt: skip
def test_what_is_bad_by_the_catalogue_is_told(old, new, message):
    """Of this, nothing is known without the clouds; of a cloud that says nothing, nothing is told."""
    text, place = marked(old, new)
    assert not faults_of(text)
    assert any(one.startswith(f"s.yaml:{place}: {message}") for one in faults_of(text, CATALOGUE))
    if "limits" not in GOOD[: GOOD.index(old)]:
        assert not faults_of(text, {})


def test_a_price_of_ones_own_is_a_price():
    """Without a budget none is needed."""
    text = GOOD.replace("size: c7i.4xlarge}", "size: c7i.large}")
    assert len(faults_of(text, CATALOGUE)) == 1
    assert not faults_of(text.replace("c7i.large}", "c7i.large, usd_per_hour: 0.1}"), CATALOGUE)
    assert not faults_of(text.replace("usd_per_hour: 12.0, usd_per_day: 120", ""), CATALOGUE)


SECRETS = [
    "password: hunter2-pw", "secret_access_key: abcDEF123-pw", "api_token: abc-pw", "PASSWORD: 'env:x y pw'",
    "auth_url: 'https://me:hunter2-pw@cloud.example.org'", "note: AKIAIOSFODNN7EXAMPLE",
    "note: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.pw",
]  # fmt: skip


@pytest.mark.parametrize("line", SECRETS)
def test_a_secret_is_refused_and_not_shown(line):
    """Wherever it stands, also where the form of the document is wrong besides; what names one is let be."""
    text = GOOD.replace("key_pair: radar", line)
    for faulty in (text, text.replace("min: 1", "mn: 1")):
        told = "\n".join(faults_of(faulty))
        assert "looks like a secret, and a slice holds none" in told
        assert "pw" not in told.replace("PASSWORD", "")
        assert "AKIA" not in told
        assert "eyJ" not in told


@pytest.mark.parametrize("line", ["password: env:CLOUD_PASSWORD", "token_file: /run/token", "secret_name: x"])
def test_where_a_secret_is_may_be_said(line):
    """It is then for the driver to know the key."""
    (fault,) = faults_of(GOOD.replace("key_pair: radar", line))
    assert "unknown key" in fault


def test_a_secret_in_the_place_of_credentials_is_not_shown():
    """As little as possible is told of what may be one."""
    draft = read("s.yaml", GOOD.replace("profile:radar", "hunter2-pw"))
    check(draft, driver_of)
    with pytest.raises(FaultySliceError) as caught:
        draft.sound()
    assert "a slice holds no secret itself" in str(caught.value)
    assert "hunter2-pw" not in str(caught.value)


def test_a_provider_without_networks_is_told():
    """A network that spans it could not be made."""

    class Bare:
        """A provider that makes machines only."""

    draft = read("s.yaml", GOOD.replace('credentials: "profile:radar", ', ""))
    drivers = {"aws": cloud_driver(Cloud()), "here": Driver(lambda _: Bare())}
    with pytest.raises(FaultySliceError):
        reach(draft, drivers)
    assert [str(one) for one in draft.faults.found] == [
        "s.yaml:6:46: spans: the driver 'docker' of 'here' makes no networks",
        "s.yaml:7:36: spans: the driver 'docker' of 'here' makes no networks",
    ]


def test_what_a_driver_does_not_take_is_told_at_its_provider():
    """Of all providers at once; no cloud is called."""

    def connect(settings):
        raise UserError(f"{settings.name} has no such key")

    draft = read("s.yaml", GOOD.replace('credentials: "profile:radar", ', ""))
    with pytest.raises(FaultySliceError) as caught:
        reach(draft, {"aws": Driver(connect), "here": Driver(connect)})
    assert [str(one) for one in caught.value.faults] == [
        "s.yaml:3:8: aws: aws has no such key",
        "s.yaml:4:9: here: here has no such key",
    ]


def test_what_is_found_is_raised(tmp_path):
    """By `load`, as of a document that was read by itself."""
    text = "slice: a\nproviders: {p: {driver: no-such-driver}}\nnodes:\n"
    text += "  n: {provider: p, count: 1, role: submit, size: {cores: 1, memory: 1 GiB}}\n"
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(FaultySliceError, match="unknown driver 'no-such-driver'"):
        load(tmp_path / "s.yaml")
