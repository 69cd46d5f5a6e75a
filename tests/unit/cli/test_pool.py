"""What `dynamo pool up` says at its end; the pools themselves are tested in tests/pool."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dynamo.cli.pool import words
from dynamo.errors import UserError
from dynamo.pool import parts
from dynamo.pool.settings import PoolSettings


@pytest.mark.parametrize("user", [0, 1234])
def test_who_owns_the_jobs_is_said_to_root(tmp_path, monkeypatch, user):
    """With the folders that are to be his; for anybody else they are his own."""
    (tmp_path / "a b").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: user)
    said = words(PoolSettings("mine", mounts=(tmp_path / "a b",)), Path("/state/condor_config"))
    assert "dynamo pool run --name mine -- condor_status" in said
    assert ("its user dynamo (number 1000)" in said) == (user == 0)
    assert said.endswith(f"chown -R 1000 '{tmp_path}/a b'") == (user == 0)


@pytest.mark.parametrize(
    "place", ["51820", "0.0.0.0:51820", "cm.example.org:51820", "203.0.113.7:0", "203.0.113.7:70000"]
)
def test_a_tunnel_is_at_one_address_of_this_machine(place):
    """Never at every address that it has, and not at none."""
    with pytest.raises(
        UserError, match="is no place for a tunnel: an IPv4 address of this machine and a UDP port"
    ):
        PoolSettings(tunnel=place)


def test_only_the_hub_of_a_tunnel_may_change_its_network():
    """The central manager gets one capability, one device and one port, and nothing else does."""
    plain, hub = PoolSettings(), PoolSettings(tunnel="203.0.113.7:51820")
    made = parts.manager(hub, "key")
    assert (made.capabilities, made.devices, made.udp) == (("NET_ADMIN",), (parts.TUN,), "203.0.113.7:51820")
    others = [parts.manager(plain, "key"), parts.submit(hub, "key", "token"), parts.worker(hub, 1, "token")]
    assert not any(one.capabilities or one.udp or parts.TUN in one.devices for one in others)
