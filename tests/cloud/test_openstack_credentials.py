"""How the driver `openstack` reaches a cloud: credentials, options, the region in Keystone's catalog."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from dynamo.provisioners.openstack import OPTIONS, driver

from dynamo.errors import UserError
from dynamo.fleet.credentials import Credentials, find_credentials
from dynamo.fleet.provider import ProviderSettings
from dynamo.fleet.refusals import BadRequestError, UnavailableError
from dynamo.fleet.slice_checks import check
from dynamo.fleet.slice_file import read
from tests.cloud.fake_openstack import PASSWORD, PROJECT, REGION, SECRET, FakeOpenStack
from tests.cloud.openstack_use import credentials, provider


@pytest.fixture
def cloud() -> Iterator[FakeOpenStack]:
    fake = FakeOpenStack()
    yield fake
    fake.close()


WAYS = [
    {"application_credential_id": "ac1", "application_credential_secret": SECRET},
    {
        "application_credential_name": "fleet",
        "application_credential_secret": SECRET,
        "username": "radar",
        "user_domain_name": "Default",
    },
    {"username": "radar", "password": PASSWORD, "project_name": "CH-1"},
    {"username": "radar", "password": PASSWORD, "user_domain_name": "Default", "tenant_name": "CH-1"},
    {"username": "radar", "password": PASSWORD, "project_id": PROJECT, "project_domain_id": "default"},
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", ["/identity", "/identity/v3", "/identity/v3/"])
def test_keystone_knows_us_in_each_way(cloud, way, path):
    """By application credential or password, with names or ids, and as clouds write their ``auth_url``."""
    given = credentials(cloud, auth_url=cloud.url + path, **way)
    assert provider(cloud, given=given).list("dfw") == []


def test_credentials_are_found_where_the_slice_says(cloud, monkeypatch, tmp_path):
    """In variables as ``openrc`` names them, and in clouds.yaml."""
    for name, value in {
        "AUTH_URL": f"{cloud.url}/identity",
        **{key.upper(): WAYS[2][key] for key in WAYS[2]},
    }.items():
        monkeypatch.setenv(f"CHAMELEON_{name}", value)
    assert provider(cloud, given=find_credentials("env:CHAMELEON")).list("dfw") == []
    file = tmp_path / "clouds.yaml"
    file.write_text(
        f"clouds:\n  js2:\n    auth_type: v3applicationcredential\n    region_name: {REGION}\n    auth:\n"
        f"      auth_url: {cloud.url}/identity/v3\n      application_credential_id: ac1\n"
        f"      application_credential_secret: {SECRET}\n"
    )
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    assert provider(cloud, given=find_credentials("cloud:js2"), region="").list("dfw") == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"username": "radar"}, "no auth_url in the credentials env:CHAMELEON"),
        ({"auth_url": "https://x", "username": "radar"}, "no password in the credentials"),
        ({"auth_url": "https://x", "password": "p"}, "no username in the credentials"),
        ({"auth_url": "https://x", "password": "p", "username": "u"}, "no project_name in the credentials"),
        ({"auth_url": "https://x", "application_credential_id": "a"}, "no application_credential_secret"),
        ({"auth_url": "x.org:5000", "password": "p"}, "auth_url of the credentials env:CHAMELEON is no URL"),
        ({"auth_url": "https://x", "verify": "False"}, "name the authority with `cacert` instead"),
    ],
)
def test_credentials_that_do_not_do_are_refused_at_once(given, says):
    """Without a call of the cloud."""
    settings = ProviderSettings("chameleon", "openstack", credentials=Credentials(given, "env:CHAMELEON"))
    with pytest.raises(UserError, match=says):
        driver.connect(settings)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"keyname": "radar"}, r"unknown option 'keyname' \(did you mean 'key_name'\?\)"),
        ({"config_drive": "maybe"}, "config_drive is yes or no, not 'maybe'"),
        ({"usd_per_core_hour": "cheap"}, "usd_per_core_hour is US dollars, not 'cheap'"),
        ({"usd_per_core_hour": "-1"}, "usd_per_core_hour is US dollars"),
        ({"usd_per_core_hour": "nan"}, "usd_per_core_hour is US dollars"),
    ],
)
def test_options_that_nobody_can_follow_are_refused_at_once(cloud, options, says):
    """With the nearest that is known."""
    with pytest.raises(UserError, match=says):
        provider(cloud, **options)


def test_the_interface_of_clouds_yaml_is_kept(cloud):
    """In both ways in which people write it; the one for administrators leads elsewhere."""
    here = {"auth_url": f"{cloud.url}/identity", **WAYS[0]}
    for interface in ("public", "publicURL"):
        assert provider(cloud, given=credentials(cloud, interface=interface, **here)).list("dfw") == []
    with pytest.raises(UnavailableError, match="no connection to it"):
        provider(cloud, given=credentials(cloud, interface="admin", **here)).list("dfw")


def test_the_region_is_found_in_the_catalog(cloud):
    """One that is not there is refused; none need be named where there is just one."""
    assert provider(cloud, region="").list("dfw") == []
    with pytest.raises(
        BadRequestError, match=r"no service `compute` in the region CHI@UC; it has it in CHI@TACC: name"
    ):
        provider(cloud, region="CHI@UC").list("dfw")
    cloud.regions.append("CHI@UC")
    with pytest.raises(BadRequestError, match=r"it has it in CHI@TACC, CHI@UC"):
        provider(cloud, region="").list("dfw")
    cloud.services.remove("compute")
    with pytest.raises(BadRequestError, match="it has none"):
        provider(cloud).list("dfw")


def test_the_slice_of_the_manual_is_right():
    """As `dynamo slice` reads it, with options that the driver knows."""
    page = (Path(__file__).resolve().parents[2] / "docs/howto/openstack.md").read_text("utf-8")
    (text,) = re.findall(r"```json[^\n]*\n(.*?)```", page, re.DOTALL)
    draft = read("storm.json", text)
    check(draft, lambda _: driver, lambda named: Credentials(source=named))
    slice_ = draft.sound()
    assert set(slice_.providers) == {"chameleon", "jetstream"}
    assert slice_.providers["chameleon"].options["lease"] == "blazar:storm-week"
    for option in OPTIONS:
        assert f"| `{option}` |" in page
