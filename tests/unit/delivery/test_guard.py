"""Whom webhooks may talk to."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from dynamo.delivery.guard import Forbidden, Guard, GuardedResolver, kind_of
from dynamo.errors import UserError


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
     "100.127.255.255", "192.0.0.8", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
     "192.88.99.1", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:100.64.0.1", "::7f00:1", "fe80::1",
     "fe80::1%eth0", "fec0::1", "fd00::1", "ff02::1", "ff0e::1", "2001:db8::1", "2001::1", "100::1",
     "2002:7f00:1::", "2002:a00:1::", "2002:a9fe:a9fe::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"],
)  # fmt: skip
def test_what_is_not_public_is_forbidden(address):
    """Also inside of an IPv6 address."""
    assert kind_of(ip_address(address))
    with pytest.raises(Forbidden, match="address"):
        Guard().check("x.example", address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "100.63.255.255", "100.128.0.0", "172.32.0.1", "2606:4700::1", "::ffff:8.8.8.8",
                "2002:808:808::1", "64:ff9b::808:808"],
)  # fmt: skip
def test_what_is_public_may_be_talked_to(address):
    """Nothing need be allowed."""
    assert not kind_of(ip_address(address))
    Guard().check("x.example", address)


def test_names_addresses_and_networks_can_be_allowed():
    """Names in any case, with or without the last dot; nothing more than was said."""
    guard = Guard(["Alerts.Internal", "10.1.0.0/16", "::1"])
    guard.check("alerts.internal.", "192.168.0.1")
    guard.check("other", "10.1.2.3")
    guard.check("other", "::1")
    for host, address in (("other", "10.2.0.1"), ("x.alerts.internal", "10.2.0.1"), ("other", "127.0.0.1")):
        with pytest.raises(Forbidden, match=f"{host} resolves to the .* {address}; put {host} under `allow`"):
            guard.check(host, address)


@pytest.mark.parametrize("entry", ["", "http://a", "a b", "10.0.0.0/99", "a:80"])
def test_a_wrong_entry_is_refused(entry):
    """With what was expected."""
    with pytest.raises(UserError, match="expected a host name"):
        Guard([entry])


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "http://[::1]/", "http://[::ffff:10.0.0.1]:8080/x", "http://169.254.169.254/latest",
     "http://2130706433/", "http://127.1/", "http://1.2.3/", "http://①②⑦.⓪.⓪.①/", "http://0.0.0.0:80/",
     "file:///etc/passwd", "ftp://a/", "//a/b", "http:///x", "x", "http://me:hunter2@a.example/", "http://a:99999/"],
)  # fmt: skip
def test_a_url_that_leads_inside_is_refused_when_it_is_read(url):
    """Addresses as hosts are seen before anything is sent; a password is not repeated."""
    with pytest.raises(UserError, match=r"^channel 'here': ") as caught:
        Guard().url(url, "here")
    assert "hunter2" not in str(caught.value)


def test_a_name_is_left_to_the_resolver():
    """Its addresses may change."""
    assert (
        str(Guard().url("https://alerts.example.org/in?x=1", "here")) == "https://alerts.example.org/in?x=1"
    )
    assert Guard(["127.0.0.0/8"]).url("http://127.0.0.1:8080/", "here").port == 8080


@pytest.mark.parametrize("host", ["localhost", "0x7f.1", "0177.0.0.1", "127.0.0.1."])
def test_other_spellings_of_loopback_are_seen_by_their_address(host):
    """Whatever the system makes of a name is checked."""

    async def go():
        resolver = GuardedResolver(Guard())
        try:
            with pytest.raises(OSError, match=r"loopback|not known|No address"):
                await resolver.resolve(host, 80)
        finally:
            await resolver.close()

    asyncio.run(go())


def test_one_private_address_among_public_ones_forbids_the_host(monkeypatch):
    """The connector would try them one after another."""
    monkeypatch.setattr(
        GuardedResolver, "look_up", staticmethod(lambda *_: [("8.8.8.8", 2), ("127.0.0.1", 2)])
    )

    async def go():
        resolver = GuardedResolver(Guard())
        with pytest.raises(Forbidden, match=r"x\.example resolves to the loopback address 127\.0\.0\.1"):
            await resolver.resolve("x.example", 80)
        await resolver.close()

    asyncio.run(go())
