"""Tunnels as they shall be: addresses, filters and what a worker is told; and who is let through, and who no more."""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import replace
from types import SimpleNamespace

import docker
import pytest
import requests

from dynamo.cli import main
from dynamo.errors import InfrastructureError, UserError
from dynamo.fleet import destruction, place, registry, session, tunnel_ends
from dynamo.fleet.join import JoinRefusedError
from dynamo.fleet.machine import Tags
from dynamo.fleet.place import ReachedPool
from dynamo.fleet.refusals import UnavailableError
from dynamo.fleet.slice_file import read
from dynamo.fleet.slice_steps import Plan
from dynamo.fleet.trust import PoolManager, Trust
from dynamo.fleet.tunnel import Peer, Tunnel, filter_text, free_address, peers_text, tunnels, worker_lines
from dynamo.fleet.tunnel_hub import Hub
from dynamo.fleet.tunnel_ledger import TunnelLedger
from dynamo.fleet.tunnels import Tunnels
from dynamo.fleet.worker_config import PoolPlace
from dynamo.pool.pool import Pool
from dynamo.pool.state import PoolState
from dynamo.testing.cloud import Cloud, cloud_driver

_ONE, _TWO, _HUB = ("A" * 42 + "A=", "B" * 42 + "E=", "H" * 42 + "I=")
_TEXT = """\
slice: dfw
providers:
  near: {driver: docker}
  far: {driver: docker}
networks:
  data: {cidr: 192.168.10.0/24, spans: [near, far], bandwidth: 8 Mb/s,
         tunnel: {hub: "cm.example.org:51820", from: far, to: [10.1.0.0/24]}}
nodes:
  workers: {provider: far, size: {cores: 1, memory: 2 GiB}, max: 4, networks: data}
"""
#: Of one provider alone.
_ALONE = _TEXT.replace("  near: {driver: docker}\n", "").replace("[near, far]", "[far]")
_TUNNEL = Tunnel("dfw/data", "cm.example.org:51820", "192.168.10.128/26", ("10.1.0.0/24",), bandwidth=8e6)
_PLACE = PoolPlace("cm.example.org:9618", "casa")


class Manager:
    """A central manager that writes down what it is told, and fails on demand."""

    def __init__(self):
        self.commands, self.files, self.broken, self.shown = [], {}, False, ""

    def run(self, command):
        """Do as the hub's script does."""
        self.commands.append(list(command))
        if self.broken:
            raise InfrastructureError("sh failed (1): no tunnel can be made here")
        return f"{_HUB}\n" if "up" in command else self.shown if "show" in command else ""

    def write(self, path, text):
        """Keep a file."""
        self.files[path.rpartition("/")[2]] = text

    def fragment(self, slice_):
        """Name where revocations would stand."""
        return f"revoked-{slice_}.conf"

    def ups(self):
        """Return what tunnels were had with, one for each time."""
        return [one[3:] for one in self.commands if "up" in one]


@pytest.fixture
def manager():
    """The hub."""
    return Manager()


@pytest.fixture
def opened(tmp_path, manager):
    """Return what opens the tunnels of a slice, in the same journal."""
    made = []

    def open_(text=_TEXT):
        one = Tunnels(tmp_path / "journal.db", slice_of(text), Hub(manager), ["172.20.0.0/16"], made.append)
        made.append(one)
        return one

    yield open_
    for one in made:
        if isinstance(one, Tunnels):
            one.close()


def slice_of(text):
    """Return a slice."""
    return read("s.yaml", text).sound()


def reached_by(manager):
    """Return the pool of a central manager."""
    trust = Trust(manager, _PLACE, "dfw")
    return ReachedPool("", trust, _PLACE, "127.0.0.1", 0, lambda _: None, manager)


def peers(manager):
    """Return the addresses that the hub lets through now."""
    (text,) = [text for name, text in manager.files.items() if name.endswith(".peers")]
    return [line.removeprefix("AllowedIPs = ") for line in text.splitlines() if line.startswith("AllowedIPs")]


def test_a_tunnel_has_a_part_of_the_addresses_behind_those_of_the_providers():
    """Who is in `from` comes through it; the pool's own networks are behind it, and those of `to`."""
    slice_ = slice_of(_TEXT)
    rule = slice_.networks["data"]
    assert rule.parts() == {"near": "192.168.10.0/26", "far": "192.168.10.64/26"}
    assert (rule.tunnelled("near"), rule.tunnelled("far")) == (False, True)
    ((name, found),) = tunnels(slice_, ["172.20.0.0/16"])
    assert (name, found.behind) == ("data", ("172.20.0.0/16", "10.1.0.0/24"))
    assert replace(found, behind=_TUNNEL.behind) == _TUNNEL
    assert (found.hub, found.port, found.shape) == ("192.168.10.129", 51820, (8_000_000, 32768))
    assert len(f"ifb-{found.device}") <= 15
    assert found.device != replace(found, name="dfw/date").device


def test_machines_that_come_through_it_are_not_shaped_a_second_time():
    """Else a bandwidth that grows would not come to them."""
    from dynamo.fleet.wiring import network_specs

    assert {at: spec.bandwidth for at, spec in network_specs(slice_of(_TEXT))} == {"near": 8e6, "far": None}


def test_each_worker_has_an_address_of_its_own():
    """The first is the hub's; when all are taken that is told."""
    small = replace(_TUNNEL, addresses="192.168.10.128/30")
    assert free_address(small, set()) == "192.168.10.130"
    with pytest.raises(
        UserError, match=r"no address left in 192.168.10.128/30: give its network a larger `cidr`"
    ):
        free_address(small, {"192.168.10.130"})


def test_who_has_not_joined_is_not_let_through():
    """And who has, from his own address alone."""
    text = peers_text(
        [Peer("w1", "dfw/data", "192.168.10.130", _ONE), Peer("w2", "dfw/data", "192.168.10.131")]
    )
    assert text == f"[Peer]\nPublicKey = {_ONE}\nAllowedIPs = 192.168.10.130/32\n"


def test_the_filter_opens_the_pool_s_ports_and_nothing_else():
    """Whatever is open names its addresses; what is not named is dropped, and nobody calls a worker."""
    text = filter_text(replace(_TUNNEL, ports=(9618, 5201), udp=(53,)))
    device = f'"{_TUNNEL.device}"'
    here, there = text.partition("chain forward")[::2]
    assert "ip daddr { 192.168.10.129, 10.1.0.0/24 } tcp dport { 5201, 9618 } accept" in here
    assert "ip daddr { 10.1.0.0/24 } tcp dport { 5201, 9618 } accept" in there
    assert "ip daddr { 10.1.0.0/24 } udp dport { 53 } accept" in there
    assert f"oifname {device} drop" in there
    assert f"iifname {device} ip daddr {{ 10.1.0.0/24 }} masquerade" in there
    assert text.count("\n    drop\n") == 2
    opened = [line for line in text.splitlines() if line.endswith("accept") and "daddr" not in line]
    assert all("established,related" in line or f"iifname != {device}" in line for line in opened), opened
    assert "0.0.0.0/0" not in text


def test_a_hub_with_nothing_behind_it_forwards_nothing():
    """An empty set is no rule of nftables."""
    text = filter_text(replace(_TUNNEL, behind=()))
    assert "{  }" not in text
    assert "masquerade" not in text


def test_a_worker_is_told_where_it_leads_and_no_secret():
    """And that it is called through the collector."""
    text = worker_lines(_TUNNEL, "192.168.10.130", _HUB)
    assert f"DYNAMO_TUNNEL_HUB = {_HUB}\n" in text
    assert "DYNAMO_TUNNEL_ALLOWED = 192.168.10.129/32 10.1.0.0/24\n" in text
    assert "CCB_ADDRESS = $(COLLECTOR_HOST)\n" in text


def test_a_worker_is_let_through_when_it_has_joined_until_it_is_let_go(opened, manager):
    """Its address is its own from its order on; the hub hears only what is new."""
    one = opened()
    one.say(again=True)
    for worker in ("w1", "w2", "w1"):
        one.assign(worker, "data")
    place, lines = one.place("w1", _PLACE, _ONE)
    assert place.central_manager == "192.168.10.129:9618"
    assert "DYNAMO_TUNNEL_ADDRESS = 192.168.10.130/32" in lines
    assert (peers(manager), len(manager.ups())) == ([], 1)
    one.admit("w1", _ONE)
    one.admit("w1", _ONE)
    assert (peers(manager), len(manager.ups())) == (["192.168.10.130/32"], 2)
    one.admit("w2", _TWO)
    one.let_go(["w1"])
    one.say()
    assert peers(manager) == ["192.168.10.131/32"]
    one.assign("w3", "data")
    assert "ADDRESS = 192.168.10.130/32" in one.place("w3", _PLACE, _ONE)[1]


def test_who_needs_no_tunnel_gets_none(opened, manager):
    """It finds the pool as before, and the hub is not told."""
    one = opened()
    assert one.place("near-1", _PLACE, "") == (_PLACE, "")
    one.admit("near-1", "")
    assert not manager.commands


@pytest.mark.parametrize("key", ["", "short=", "A" * 44, f"{_ONE}\n", f"{_ONE} "])
def test_a_worker_without_a_key_is_refused(opened, key):
    """What is no public key never comes into a file of the hub."""
    one = opened()
    one.assign("w1", "data")
    with pytest.raises(JoinRefusedError, match="sent no key"):
        one.place("w1", _PLACE, key)


def test_who_was_let_go_meanwhile_is_not_let_through(opened, manager):
    """Between asking and joining."""
    one = opened()
    one.assign("w1", "data")
    one.place("w1", _PLACE, _ONE)
    one.let_go(["w1"])
    one.admit("w1", _ONE)
    one.say(again=True)
    assert peers(manager) == []


def test_another_fleet_goes_on_with_the_same_peers(opened, manager):
    """What is known stands in the journal; the hub is told all of it again when a fleet starts."""
    one = opened()
    one.assign("w1", "data")
    one.admit("w1", _ONE)
    manager.files.clear()
    opened().say(again=True)
    assert peers(manager) == ["192.168.10.130/32"]


def test_a_changed_bandwidth_is_told_once(opened, manager, until):
    """In the turn after; a hub that fails is told again in the next."""
    one = opened()
    one.say(again=True)
    changed = slice_of(_TEXT.replace("8 Mb/s", "24 Mb/s"))
    manager.broken = True
    one.follow(changed)
    one.turn()
    until(lambda: len(manager.commands) >= 3, "the hub was asked")
    manager.broken = False
    until(lambda: one.turn() or len(manager.ups()) == 2, "it was asked again")
    assert [up[3] for up in manager.ups()] == ["8000000", "24000000"]
    one.follow(changed)
    one.turn()
    assert len(manager.ups()) == 2


def test_a_tunnel_that_the_slice_names_no_more_goes(opened, manager):
    """Also where the fleet was started anew between."""
    opened().say(again=True)
    text = without_tunnel(_TEXT)
    opened(text).say(again=True)
    assert manager.commands[-1][2:] == ["down", _TUNNEL.device]
    count = len(manager.commands)
    opened(text).say(again=True)
    assert len(manager.commands) == count


def test_the_end_leaves_nothing_at_the_hub_and_in_the_journal(opened, manager, tmp_path):
    """Neither tunnel nor peer."""
    one = opened()
    one.assign("w1", "data")
    one.admit("w1", _ONE)
    one.end()
    assert manager.commands[-1][2:] == ["down", _TUNNEL.device]
    with sqlite3.connect(tmp_path / "journal.db") as journal:
        assert journal.execute("SELECT name, data FROM fleet_memory").fetchall() == [("tunnels", "[]")]


def test_a_hub_that_cannot_says_who_must_act(opened, manager):
    """A pool of `dynamo pool` is to be brought up for it."""
    manager.broken = True
    with pytest.raises(
        InfrastructureError, match=r"dynamo pool up --tunnel ADDRESS:51820\): sh failed \(1\): no tun"
    ):
        opened().say(again=True)


@pytest.mark.parametrize(
    ("shown", "action", "why"),
    [
        ("", "make", ""),
        (f"{_TUNNEL.device} 8Mbit\n", "keep", ""),
        (f"{_TUNNEL.device} 1500Kbit\n", "change", "it is 1500 kb/s"),
        (f"dt00000000 8Mbit\n{_TUNNEL.device} 0\n", "change", "it is without limit"),
        (None, "make", "the hub does not tell what there is: sh failed (1): no tunnel can be made here"),
    ],
)
def test_a_plan_tells_what_becomes_of_a_tunnel(monkeypatch, tmp_path, manager, shown, action, why):
    """By what the hub says that it has."""
    reached = reached_by(manager)
    monkeypatch.setattr(tunnel_ends, "reach", lambda *_: reached)
    manager.run = lambda command: shown if command[-1] == "show" else ""
    if shown is None:
        manager = Manager()
        manager.broken = True
        reached = replace(reached, manager=manager)
    found = tunnel_ends.with_tunnels(Plan("dfw"), slice_of(_TEXT), tmp_path / "journal.db")
    (step,) = found.steps
    assert (step.action, step.size, step.why) == (action, "8 Mb/s", why)
    assert bool(found.changes) == (action != "keep")
    assert not (tmp_path / "journal.db").exists()


def test_a_tunnel_that_leaves_the_slice_is_in_the_plan_and_nobody_takes_it_away_unasked(
    monkeypatch, tmp_path, capsys, manager
):
    """Its workers would be lost; and once it is gone the plan is empty."""
    applied_alone(monkeypatch, tmp_path, manager)
    (tmp_path / "s.yaml").write_text(without_tunnel(_ALONE).replace("/24", "/25") + "pool: {name: pool}\n")
    capsys.readouterr()
    assert [verb(tmp_path, "plan"), verb(tmp_path, "apply")] == [0, 2]
    said = capsys.readouterr()
    assert said.out.count("remove   data: tunnel at pool (is not in the slice any more)") == 2
    assert "nobody can be asked here: say --yes" in said.err
    assert not [one for one in manager.commands if "down" in one]
    assert applied(tmp_path) == 0
    assert manager.commands[-1][2:] == ["down", _TUNNEL.device]
    assert verb(tmp_path, "plan") == 0
    assert "nothing is to be done for 'dfw'" in capsys.readouterr().out


def test_a_hub_that_gives_no_key_is_not_believed(opened, manager):
    """A worker would be told nonsense."""
    manager.run = lambda _: "warning: something\n"
    with pytest.raises(InfrastructureError, match="gave no public key for the tunnel dfw/data"):
        opened().say(again=True)


def test_who_applies_from_elsewhere_cuts_nobody_off(monkeypatch, tmp_path, capsys, opened, manager):
    """The workers of a slice come through by what is known where they were ordered; here nothing is to be done."""
    cloud = applied_alone(monkeypatch, tmp_path, manager)
    one = opened(_ALONE)
    one.assign("w1", "data")
    one.admit("w1", _ONE)
    cloud.ghost(Tags("dfw", "workers", "t1", "radar:/srv/dfw"))
    capsys.readouterr()
    assert applied(tmp_path) == 2
    said = capsys.readouterr()
    assert "nothing is to be done for 'dfw'" in said.out
    assert "not ordered from here: 1 at far, from radar:/srv/dfw" in said.err
    assert peers(manager) == ["192.168.10.130/32"]


def test_tunnels_are_shown_with_who_comes_through(monkeypatch, tmp_path, capsys, opened, manager):
    """Before they are made, while workers come, and when the slice names them no more; no journal is made for it."""
    cloud = Cloud(clock=lambda: 1e9)
    monkeypatch.setattr(registry, "driver", lambda _: cloud_driver(cloud))
    (tmp_path / "s.yaml").write_text(_ALONE)
    journal = ("--workspace", str(tmp_path))
    assert verb(tmp_path, "show", *journal) == 0
    assert capsys.readouterr().out == "tunnel  data  cm.example.org:51820  not made  8 Mb/s\n"
    assert not (tmp_path / "journal.db").exists()
    one = opened(_ALONE)
    one.assign("w1", "data")
    one.assign("w2", "data")
    one.admit("w2", _TWO)
    assert verb(tmp_path, "show", *journal) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["tunnel", "data", "cm.example.org:51820", "made", "8", "Mb/s"],
        ["through", "w1", "data", "not", "joined", "192.168.10.130"],
        ["through", "w2", "data", "joined", "192.168.10.131"],
    ]
    (tmp_path / "s.yaml").write_text(without_tunnel(_ALONE) + "pool: {name: pool}\n")
    assert verb(tmp_path, "show", "--json", *journal) == 0
    (told,) = json.loads(capsys.readouterr().out)["tunnels"]
    assert (told["name"], told["hub"], told["state"], len(told["workers"])) == ("data", "", "leaving", 2)


def test_a_destroy_cuts_nobody_off_while_a_cloud_is_silent(monkeypatch, tmp_path, capsys, manager):
    """Nobody knows whose machines are there, and what is left of our own comes through the tunnel too."""
    cloud = applied_alone(monkeypatch, tmp_path, manager)
    cloud.ghost(Tags("dfw", "workers", "t1", "radar:/srv/dfw"))
    with cloud.down():
        assert verb(tmp_path, "destroy", "--yes", "--wait", "0") == 3
    assert "not known: far does not say what is there" in capsys.readouterr().err
    assert not [one for one in manager.commands if "down" in one]
    cloud.machines.clear()
    monkeypatch.setattr(destruction, "_PAUSE", 0.0)
    assert verb(tmp_path, "destroy", "--yes") == 0
    assert manager.commands[-1][2:] == ["down", _TUNNEL.device]


def applied_alone(monkeypatch, folder, manager):
    """Return the only cloud of the slice there, which has been applied."""
    cloud = Cloud(clock=lambda: 1e9)
    monkeypatch.setattr(registry, "driver", lambda _: cloud_driver(cloud))
    monkeypatch.setattr(tunnel_ends, "reach", lambda *_: reached_by(manager))
    (folder / "s.yaml").write_text(_ALONE)
    manager.shown = f"{_TUNNEL.device} 8Mbit\n"
    assert applied(folder) == 0
    return cloud


def applied(folder):
    """Return the exit code of applying the slice there."""
    return verb(folder, "apply", "--yes")


def verb(folder, *arguments):
    """Return the exit code of a verb for the slice there."""
    with pytest.raises(SystemExit) as end:
        main(["slice", arguments[0], str(folder / "s.yaml"), *arguments[1:]])
    return end.value.code


def without_tunnel(text):
    """Return a slice whose network has no tunnel any more."""
    lines = [line for line in text.splitlines() if "tunnel:" not in line]
    return "\n".join(lines).replace("8 Mb/s,", "8 Mb/s}") + "\n"


def test_a_fleet_that_begins_elsewhere_cuts_nobody_off(fleet, tmp_path, monkeypatch, manager):
    """It hears first whose the machines are; only where none are of others it tells the hub."""
    made, _, cloud = fleet
    (tmp_path / "s.yaml").write_text(_ALONE)
    monkeypatch.setattr(session, "reach", lambda *_: reached_by(manager))
    stranger = cloud.ghost(Tags("dfw", "workers", "t1", "radar:/srv/dfw"))
    with pytest.raises(UserError, match="not ordered from here: 1 at far"):
        made().run(threading.Event(), lambda _: True)
    with cloud.failing("list", UnavailableError("not now")):
        made().run(threading.Event(), lambda _: True)
    assert not manager.ups()
    cloud.lose(stranger.id)
    made().run(threading.Event(), lambda _: True)
    assert len(manager.ups()) == 1


def docker_with(*containers, error=None):
    """Return a Docker that has these containers, or fails."""

    def listed(**_):
        if error is not None:
            raise error
        return [SimpleNamespace(name=one) for one in containers]

    return SimpleNamespace(containers=SimpleNamespace(list=listed))


def closed():
    """Be a Docker that nobody reaches."""
    raise UserError("you may not use docker.sock")


@pytest.mark.parametrize(
    ("connect", "kept", "why"),
    [
        (docker_with, False, ""),
        (docker_with, True, "there is no pool 'pool' on this machine"),  # it is where Docker was asked before
        (lambda: docker_with("dynamo-pool-manager"), False, "there is no pool 'pool' on this machine"),
        (lambda: docker_with(error=docker.errors.APIError("500")), True, "Docker failed: 500"),
        (closed, False, "you may not use docker.sock"),
    ],
)
def test_a_tunnel_is_forgotten_only_where_its_pool_is_no_more(
    monkeypatch, tmp_path, opened, connect, kept, why
):
    """Whoever destroys a slice where Docker cannot be asked is told what is left, and may do so again."""
    text = _TEXT + "pool: {name: pool}\n"
    opened(text).say()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    if kept:
        PoolState("pool").write("condor_config", "")
    monkeypatch.setattr(place, "connect", connect)
    monkeypatch.setattr(tunnel_ends, "connect", connect)
    said = tunnel_ends.take_away(slice_of(text), tmp_path / "journal.db")
    assert why in said if why else not said
    with TunnelLedger(tmp_path / "journal.db", "dfw") as books:
        assert books.made() == (["dfw/data"] if why else [])


@pytest.mark.parametrize(
    "error", [docker.errors.APIError("409: it stands still"), requests.exceptions.ReadTimeout("too late")]
)
def test_what_docker_fails_by_is_no_fault_of_ours(error):
    """A manager that stands still, one that does not answer."""

    def fail(*_, **__):
        raise error

    manager = SimpleNamespace(name="dynamo-pool-manager", exec_run=fail, put_archive=fail)
    client = SimpleNamespace(containers=SimpleNamespace(list=lambda **_: [manager]))
    told = PoolManager(Pool(client, "pool"))
    for ask in (lambda: told.run(["true"]), lambda: told.write("/tmp/x", "")):
        with pytest.raises(InfrastructureError, match=r"Docker failed: (409: it stands still|too late)"):
            ask()


@pytest.mark.parametrize(
    ("wanted", "shown"), [("33.3 Mb/s", "33300Kbit"), ("1.2345678 Gb/s", "1235Mbit"), ("100 b/s", "1Kbit")]
)
def test_a_bandwidth_is_one_that_the_kernel_tells_again_as_it_is(
    monkeypatch, tmp_path, manager, wanted, shown
):
    """Else applying it twice would change it for ever."""
    monkeypatch.setattr(tunnel_ends, "reach", lambda *_: reached_by(manager))
    manager.shown = f"{_TUNNEL.device} {shown}\n"
    slice_ = slice_of(_TEXT.replace("8 Mb/s", wanted))
    (step,) = tunnel_ends.with_tunnels(Plan("dfw"), slice_, tmp_path / "journal.db").steps
    assert step.action == "keep", step


def test_who_is_let_go_while_the_hub_is_told_of_others_is_told_before_the_end(opened, manager):
    """A fleet that ends then leaves nobody in."""
    one = opened()
    one.assign("w1", "data")
    one.admit("w1", _ONE)
    assert peers(manager) == ["192.168.10.130/32"]
    begun, go_on, run = threading.Event(), threading.Event(), manager.run

    def slow(command):
        if "up" in command:
            begun.set()
            assert go_on.wait(30)
        return run(command)

    manager.run = slow
    one.follow(slice_of(_TEXT.replace("8 Mb/s", "9 Mb/s")))
    one.turn()
    assert begun.wait(30)
    one.let_go(["w1"])
    closing = threading.Thread(target=one.close)
    closing.start()
    go_on.set()
    closing.join(30)
    assert peers(manager) == []


def test_where_a_worker_finds_the_hub_is_read_while_nobody_writes_it(opened):
    """Several ask at a time, and a new tunnel may be said meanwhile."""

    class Guarded(dict):
        def values(self):
            assert one._lock.locked()
            return super().values()

    one = opened()
    one.assign("w1", "data")
    one.say()
    one.say = lambda: None
    one._said = Guarded(one._said)
    assert one.place("w1", _PLACE, _ONE)[0].central_manager == "192.168.10.129:9618"
