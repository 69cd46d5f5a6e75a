"""A slice document in, `Slice` out: JSON and YAML, every key, and every fault at its place."""

from __future__ import annotations

import json
import string
from dataclasses import fields
from importlib.resources import files

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.errors import RunFileError
from dynamo.fleet.slice import Measure, NetworkRule, NodeGroup, NodeOffer, ProviderRule, Slice, SliceLimits
from dynamo.fleet.slice_file import FaultySliceError, SliceError, read, schema, schema_text
from dynamo.runfile.json_schema import schema as run_file_schema
from dynamo.runfile.keys import KEYS

FULL = """\
slice: dfw
pool: {central_manager: "cm.example.org:9618", trust_domain: casa}
providers:
  aws: {driver: ec2, region: us-east-2, credentials: "profile:radar", key: 5, spot: true}
  here:
    driver: docker
networks:
  data:
    cidr: 192.168.10.0/24
    spans: [aws, here]
    bandwidth: 500 Mb/s
    ports: [9618, 22]
    udp: [51820]
    peers: 198.51.100.0/24
nodes:
  submit: {provider: here, count: 1, role: submit, size: {cores: 2, memory: 4 GiB}, networks: data}
  workers:
    min: 1
    max: 40
    warm: 2
    image: dynamo/worker
    lifetime: 12 h
    idle: 5 min
    offers:
      - {provider: aws, size: c7i.4xlarge, purchase: spot, max_price: 0.4, image: ami-1, max: 8}
      - {provider: aws, size: c7i.4xlarge, usd_per_hour: 1}
      - {provider: aws, size: c7i.4xlarge, reservation: cr-1}
limits: {cores: 256, usd_per_hour: 12.0, usd_per_day: 120}
"""
LEAST = {
    "slice": "s",
    "providers": {"a": {"driver": "docker"}},
    "nodes": {"w": {"provider": "a", "size": "m", "max": 1}},
}


def faults_of(text):
    draft = read("s.yaml", text)
    assert draft.slice is None
    with pytest.raises(FaultySliceError) as caught:
        draft.sound()
    return [str(one) for one in caught.value.faults]


def test_every_key_is_read():
    """Into frozen types, with what is short spelt out."""
    found = read("s.yaml", FULL).sound()
    assert found.providers["aws"] == ProviderRule(
        "ec2", "us-east-2", "profile:radar", {"key": "5", "spot": "true"}
    )
    assert found.networks["data"] == NetworkRule(
        "192.168.10.0/24", ("aws", "here"), 5e8, (9618, 22), (51820,), ("198.51.100.0/24",)
    )
    measure = Measure(2, 4 * 2**30)
    assert found.nodes["submit"] == NodeGroup((NodeOffer("here", measure),), "submit", 1, networks=("data",))
    spot, demand, reserved = found.nodes["workers"].offers
    assert spot == NodeOffer("aws", "c7i.4xlarge", "spot", 0.4, image="ami-1", at_most=8)
    assert (demand.bought, demand.usd_per_hour, reserved.bought) == ("on-demand", 1.0, "reserved")
    group = found.nodes["workers"]
    assert (group.fewest, group.most, group.lifetime, group.idle) == (2, 40, 43200.0, 300.0)
    assert (found.nodes["submit"].fewest, found.nodes["submit"].most) == (1, 1)
    assert found.limits == SliceLimits(256, 12.0, 120.0)
    assert (found.name, found.pool.central_manager, found.pool.trust_domain) == (
        "dfw",
        "cm.example.org:9618",
        "casa",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"slice": "s", "nodes": {', r"s\.json:1:26: not valid JSON: expecting property name"),
        ('{"slice": "s",\n "nodes"', r"s\.json:2:9: not valid JSON: expecting ':' delimiter"),
    ],
)
def test_json_that_was_cut_short_is_told_of_as_json(text, words):
    """Who writes JSON does not know what a flow mapping is."""
    with pytest.raises(SliceError, match=words):
        read("s.json", text)


def test_json_is_read_with_its_tabs():
    """A tab between values is a space, so that columns stay; one in a text is no JSON and left alone."""
    text = json.dumps(LEAST, indent="\t")
    assert read("s.json", text).sound() == read("s.yaml", yaml.safe_dump(LEAST)).sound()
    wrong = text.replace('"max": 1', '"max":\t"one"')
    (line,) = (n for n, one in enumerate(wrong.splitlines(), 1) if '"one"' in one)
    assert faults_of(wrong) == [f"s.yaml:{line}:11: max: expected a whole number, not 'one'"]


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(10**9), 10**9)
        | st.text(string.ascii_letters + string.digits + string.punctuation + " \t\n\u00e9\U0001f327"),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
@settings(max_examples=150, deadline=None)
def test_json_means_what_json_says(value):
    """Whatever is written as JSON, with tabs or without, is read as any reader of JSON would."""
    for indent in (None, "\t"):
        text = json.dumps({"slice": value}, indent=indent)
        assert read("s.json", text).root.data() == json.loads(text)


TYPOS = {
    "slice": "slic", "pool": "pol", "providers": "provders", "networks": "network", "nodes": "node", "limits": "limit",
    "central_manager": "central_manger", "trust_domain": "trust_domian", "cidr": "cdir", "spans": "span",
    "bandwidth": "bandwith", "udp": "upd", "peers": "peer", "count": "cout", "role": "rol", "size": "siz",
    "min": "mn", "warm": "wram", "lifetime": "lifetme", "idle": "idel", "offers": "ofers", "purchase": "purchse",
    "max_price": "max_prices", "usd_per_hour": "usd_per_huor", "reservation": "reservaton", "usd_per_day": "usd_a_day",
}  # fmt: skip


@pytest.mark.parametrize(("key", "typo"), TYPOS.items())
def test_a_typo_is_told_with_the_key_that_was_meant(key, typo):
    """At its line and column."""
    line = next(n for n, one in enumerate(FULL.splitlines(), 1) if f"{key}:" in one)
    text = FULL.replace(f"{key}:", f"{typo}:", 1)
    (fault,) = [one for one in faults_of(text) if "unknown key" in one]
    assert fault.startswith(f"s.yaml:{line}:")
    assert f"unknown key {typo!r} (did you mean {key!r}?)" in fault


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("count: 1", "count: §'1'", "count: expected a whole number, not '1'"),
        ("count: 1", "count: §-1", "count: should be at least 0, not -1"),
        (
            "count: 1",
            "count: 1, max: §2",
            "max: stands beside 'count', which is how many there are always: leave one",
        ),
        (
            "{provider: here, count: 1,",
            "§{provider: here,",
            "submit: says not how many: give 'count', or 'max' for a",
        ),
        ("{provider: here, ", "§{", "the key 'provider' is missing"),
        ("4 GiB", "§4", "memory: 4 is no memory for a machine; give it a unit, like '4 GiB'"),
        (
            "size: {cores: 2, memory: 4 GiB}",
            "size: §3",
            "size: expected the name of a size, or {cores: ..., memory:",
        ),
        (
            "role: submit",
            "role: §sbmit",
            "role: expected 'worker' or 'submit', not 'sbmit' (did you mean",
        ),
        (
            "role: submit",
            "role: §manager",
            "role: a slice joins a pool that is there, and makes no central manager: `dynamo pool up` makes",
        ),
        (
            "500 Mb/s",
            "§500 MB/s",
            "bandwidth: '500 MB/s' is not a bandwidth like '500 Mb/s' (b/s, kb/s, Mb/s, Gb/s); MB",
        ),
        ("500 Mb/s", "§0 b/s", "bandwidth: no bandwidth at all; leave the key out for no limit"),
        ("[9618, 22]", "[9618, §0]", "ports: expected a port from 1 to 65535, not 0"),
        ("idle: 5 min", "idle: §5", "idle: 5 has no unit; write '5 min' or '5 s'"),
        (
            "min: 1\n",
            "min: 1\n    provider: §aws\n",
            "provider: stands beside 'offers', which say it each for themselves",
        ),
        (
            "spot, max_price",
            "§sport, max_price",
            "purchase: expected 'on-demand' or 'spot' or 'reserved', not 'sport'",
        ),
        ("max_price: 0.4", "max_price: §cheap", "max_price: expected a number of US dollars, not 'cheap'"),
        (
            "usd_per_hour: 12.0",
            "usd_per_hour:§ ",
            "usd_per_hour: has no value; give one, or leave the key out",
        ),
        ("key: 5", "key: §[5]", "key: expected text, a number, true or false, as a key of the driver has"),
        ("nodes:\n", "nodes: §[]\nlimts:\n", "nodes: expected a mapping of groups of nodes, not []"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(old, new, message):
    """In plain words; the place is that of the mark in the new text."""
    assert FULL.count(old) == 1
    before, _, after = FULL.replace(old, new).partition("§")
    place = f"{before.count(chr(10)) + 1}:{len(before.rpartition(chr(10))[2]) + 1}"
    assert any(one.startswith(f"s.yaml:{place}: {message}") for one in faults_of(before + after))


def test_all_faults_are_told_at_once():
    """Those of groups, networks and limits alike."""
    text = FULL.replace("count: 1", "count: x").replace("cidr:", "cdir:").replace("cores: 256", "cores: 0")
    assert len(faults_of(text)) == 3


def test_what_is_no_slice_file_is_said_to_be_none(tmp_path):
    """Missing, empty, a list, or twice; the error is one of slices."""
    (tmp_path / "one-cloud.json").write_text("")
    with pytest.raises(SliceError, match=r"no such slice file \(did you mean 'one-cloud.json'\?\)"):
        read(tmp_path / "one-clod.json")
    with pytest.raises(SliceError, match="is empty; the least a slice says") as caught:
        read(tmp_path / "one-cloud.json")
    assert not isinstance(caught.value, RunFileError)
    with pytest.raises(SliceError, match="a slice is a mapping"):
        read("s.yaml", "[1]")
    with pytest.raises(SliceError, match="stands here twice, first at 1:1"):
        read("s.yaml", "slice: a\nslice: b\n").sound()


def test_the_published_schema_is_the_model():
    """`dynamo slice schema > dynamo/fleet/slice.schema.json` makes it anew; all keys of all mappings are described."""
    assert (files("dynamo.fleet") / "slice.schema.json").read_text() == schema_text()
    jsonschema.Draft202012Validator.check_schema(schema())
    for part in (schema(), *schema()["$defs"].values()):
        for name, key in part["properties"].items():
            assert key.get("description"), name


def test_each_of_two_schemas_has_its_own_mappings():
    """What a slice may say is not in the schema of run files, nor the other way round."""
    ours, theirs = schema()["$defs"].keys(), run_file_schema()["$defs"].keys()
    assert "NodeGroup" in ours
    assert not ours & theirs


GOOD = [FULL, json.dumps(LEAST)]
BAD = [
    FULL.replace("count: 1, ", ""), FULL.replace("count: 1", "count: 1, max: 2"), FULL.replace("count: 1", "count: -1"),
    FULL.replace("provider: here, ", ""), FULL.replace("min: 1\n", "min: 1\n    provider: aws\n"),
    FULL.replace("role: submit", "role: sbmit"), FULL.replace("[9618, 22]", "[9618, 0]"),
    FULL.replace("cidr:", "cdir:"), FULL.replace("key: 5", "key: [5]"), FULL.replace("memory: 4 GiB", ""),
    FULL.replace("slice: dfw\n", ""), FULL.replace("usd_per_hour: 12.0", "usd_per_hour: many"),
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_what_is_right_is_right_to_an_editor_too(text):
    """It marks nothing that is read."""
    jsonschema.validate(yaml.safe_load(text), schema())
    read("s.yaml", text).sound()


@pytest.mark.parametrize("text", BAD)
def test_what_is_wrong_is_wrong_to_an_editor_too(text):
    """It marks what is refused."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), schema())
    assert faults_of(text)


def test_every_key_has_a_place_in_its_type():
    """No key is read into nothing."""
    inside = {
        "provider",
        "size",
        "purchase",
        "max_price",
        "reservation",
        "usd_per_hour",
    }  # of a group: its only offer
    for form in (Slice, ProviderRule, NetworkRule, NodeOffer, SliceLimits, NodeGroup):
        names = {one.name for one in fields(form)}
        for key, rule in KEYS[form].items():
            assert (rule.attribute or key) in names or (form is NodeGroup and key in inside), (form, key)
