"""Requests of the older form in, a slice out that is right in form; what is lost is named, and no value of it shown."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dynamo.errors import UserError
from dynamo.fleet.older import convert, read_older
from dynamo.fleet.older_fields import FIELDS
from dynamo.fleet.older_text import slice_text
from dynamo.fleet.slice_file import read, schema

WORKER = {
    "site": "Chameleon:CHI@UC", "cpus": "4", "gpus": "0", "ramPerCpus": "4096", "diskPerCpus": "5000",
    "coallocate": "true", "hostNamePrefix": "worker", "imageName": "CC-CentOS7", "networkType": "private",
    "physicalNetwork": "exogeni", "externalNetwork": "public", "networkCidr": "192.168.10.1/24",
    "ipAddress": "192.168.10.6", "forceflavor": "compute_skylake", "bandwidth": "500000000",
    "leaseStart": "1557647432", "leaseEnd": "1557733832",
    "postBootScript": "#!/bin/bash\necho hunter2-pw",
}  # fmt: skip
SUBMIT = {
    "site": "AWS:us-east-2", "cpus": 2, "ramPerCpus": 2048, "hostNamePrefix": "Submit_1",
    "networkCidr": "192.168.10.0/24",
    "stitchPortUrl": "http://ion.rdf#AL2S", "stitchTag": "705", "gpus": 1, "leaseEnd": "1557733832000",
}  # fmt: skip


def lost_of(found):
    """The fields that were lost, with their reasons, by request."""
    return {(one.request, one.field): one.reason for one in found.lost}


def test_requests_become_a_slice():
    """Site to provider, flavour to size, lease to lifetime, addresses and bandwidth to a network."""
    found = convert([WORKER, SUBMIT, WORKER], "casa").slice
    assert found == {
        "slice": "casa",
        "providers": {
            "chameleon-chi-uc": {
                "driver": "openstack", "region": "CHI@UC", "credentials": "cloud:chameleon",
                "physical_network": "exogeni", "external_network": "public",
            },
            "aws-us-east-2": {"driver": "ec2", "region": "us-east-2", "credentials": "profile:aws"},
        },
        "networks": {
            "data": {
                "cidr": "192.168.10.0/24", "spans": ["chameleon-chi-uc", "aws-us-east-2"], "bandwidth": "500 Mb/s"
            }
        },
        "nodes": {
            "worker": {
                "provider": "chameleon-chi-uc", "count": 2, "size": "compute_skylake", "image": "CC-CentOS7",
                "networks": ["data"], "lifetime": "1 d",
            },
            "submit-1": {
                "provider": "aws-us-east-2", "count": 1, "role": "submit", "size": {"cores": 2, "memory": "4096 MB"},
                "networks": ["data"],
            },
        },
    }  # fmt: skip


def test_what_is_lost_is_named_with_the_reason():
    """Each field by itself; a script is never carried over in silence, nor shown."""
    found = convert([WORKER, SUBMIT], "casa")
    lost = lost_of(found)
    assert {field for request, field in lost if request == "1"} == {
        "site", "ipAddress", "postBootScript", "diskPerCpus", "leaseStart",
    }  # fmt: skip
    assert {field for request, field in lost if request == "2"} == {
        "site", "hostNamePrefix", "forceflavor", "leaseEnd", "stitchPortUrl", "stitchTag", "gpus",
    }  # fmt: skip
    assert lost["1", "postBootScript"].startswith("2 lines: no script is run")
    assert lost["1", "leaseStart"].endswith("2019-05-12T07:50:32+00:00")
    assert lost["2", "leaseEnd"].startswith("2019-05-13T07:50:32+00:00")  # it was in milliseconds
    assert ("all", "limits") in lost
    told = json.dumps([one.reason for one in found.lost]) + json.dumps(found.slice)
    assert "hunter2-pw" not in told


def test_a_central_manager_is_not_carried_over():
    """A slice joins a pool that is there; the machine is named, so that nobody looks for it."""
    found = convert([WORKER, SUBMIT | {"hostNamePrefix": "radar-master"}], "casa")
    assert list(found.slice["nodes"]) == ["worker"]
    assert lost_of(found)["2", "hostNamePrefix"].startswith("'radar-master' is a central manager by its name")
    alone = convert([SUBMIT | {"hostNamePrefix": "manager"}], "casa").slice
    assert (alone["nodes"], "limits" in alone) == ({}, False)


def test_every_field_of_the_older_form_goes_somewhere():
    """What is not in the slice is told: none is passed over."""
    odd = dict.fromkeys(FIELDS, "x1")
    odd |= {"gpus": "2", "diskPerCpus": "2", "coallocate": "false", "slicePolicy": "new"}
    odd |= {
        "imageName": "img",
        "sliceName": "sl",
        "hostNamePrefix": "hn",
        "forceflavor": "fl",
        "networkType": "x",
    }
    found = convert([odd], "casa")
    written = json.dumps(found.slice)
    carried = {"imageName": "img", "sliceName": "sl", "hostNamePrefix": "hn", "forceflavor": "fl"}
    assert all(f'"{value}"' in written for value in carried.values())
    ours = {
        "physicalNetwork",
        "externalNetwork",
        "cpus",
        "ramPerCpus",
        "vpcCidr",
        "networkType",
        *carried,
    }  # fmt: skip - of no use beside a flavour, or written into the provider
    assert set(FIELDS) - {one.field for one in found.lost} - ours == set()
    unknown = lost_of(convert([{**WORKER, "hostNamePrefx": "a"}], "casa"))
    assert "did you mean 'hostNamePrefix'?" in unknown["1", "hostNamePrefx"]


def test_numbers_as_texts_and_json_in_json(tmp_path):
    """A list or one request, wrapped or not, however often it is JSON in JSON; what is no number is told."""
    path = tmp_path / "old.json"
    plain = convert([WORKER, SUBMIT], "casa").slice
    texts = [json.dumps(WORKER), SUBMIT]
    for text in (
        json.dumps(texts),
        json.dumps(json.dumps(texts)),
        json.dumps({"status": 200, "value": json.dumps({"nodes": texts})}),
        json.dumps({"a": WORKER, "b": json.dumps(json.dumps(SUBMIT))}),
    ):
        path.write_text(text)
        assert convert(read_older(path), "casa").slice == plain
    path.write_text(json.dumps(SUBMIT))
    assert len(read_older(path)) == 1
    found = convert([{**SUBMIT, "cpus": "two", "ramPerCpus": True}], "casa")
    assert found.slice["nodes"]["submit-1"]["size"] == {"cores": 1, "memory": "1024 MB"}
    assert lost_of(found)["1", "cpus"] == "is no number: 1 is taken"
    assert lost_of(convert([{**SUBMIT, "cpus": 2.5}], "casa"))["1", "cpus"] == "is 2.5: 3 is taken"
    assert lost_of(convert([{**SUBMIT, "cpus": 1e300}], "casa"))["1", "cpus"] == "is no number: 1 is taken"


@pytest.mark.parametrize(("extra", "number"), [([5], 2), (["x", WORKER], 2), ([None], 2)])
def test_what_is_no_request_in_a_list_of_them_is_told(tmp_path, extra, number):
    """Nothing vanishes without a word."""
    (tmp_path / "old.json").write_text(json.dumps([WORKER, *extra]))
    with pytest.raises(UserError, match=f"entry {number} of a list of requests is none"):
        read_older(tmp_path / "old.json")


def test_one_without_a_site_is_of_this_machine_with_its_cores_as_limit():
    """And says so."""
    found = convert([{"hostNamePrefix": "worker", "cpus": "4", "ramPerCpus": "1024"}] * 3, "casa")
    assert found.slice["providers"] == {"here": {"driver": "docker"}}
    assert found.slice["limits"] == {"cores": 12}
    assert lost_of(found)["1", "site"] == "is missing: written as Docker on this machine"


def test_requests_of_one_name_and_other_content_are_groups_of_their_own():
    """Sites whose names begin alike are not one either; a network has one bandwidth, and that is told."""
    long = "Exogeni:a-very-long-name-of-a-rack-"
    found = convert(
        [
            {**WORKER, "site": long + "one"},
            {**WORKER, "site": long + "two", "bandwidth": "100000000"},
        ],
        "casa",
    )
    assert list(found.slice["nodes"]) == ["worker", "worker-2"]
    assert len(found.slice["providers"]) == 2
    assert "differs from that of another request" in lost_of(found)["2", "bandwidth"]


@pytest.mark.parametrize("text", ["", "[]", "{}", "5", '"text"', '{"a": {"b": 1}}', "[" * 100_000])
def test_what_holds_no_request_is_refused(tmp_path, text):
    """In plain words."""
    (tmp_path / "old.json").write_text(text)
    with pytest.raises(UserError, match=r"is no JSON|holds no request|too deep"):
        read_older(tmp_path / "old.json")
    with pytest.raises(UserError, match="cannot be read"):
        read_older(tmp_path / "none.json")


VALID = jsonschema.Draft202012Validator(schema())
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**13), st.floats(), st.text(max_size=8), st.just("4"),
    st.sampled_from(["10.0.0.0/24", "10.0.0.5/24", "1557733832", "Chameleon:CHI@UC", "AWS:us-east-2", "{}", "[1]"]),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
@example([{"ramPerCpus": 1.0}])
@example([{"ramPerCpus": 0.3, "cpus": 2.5}])
@example([{"bandwidth": 0.5, "networkCidr": "10.0.0.0/24"}])
def test_whatever_comes_the_slice_is_right_in_form(requests):
    """As YAML and as JSON, to the reader and to the schema."""
    found = convert(requests, "old requests").slice
    VALID.validate(found)
    for form in ("yaml", "json"):
        text = slice_text(found, form)
        assert yaml.safe_load(text) == found
        read("s", text).sound()
