"""``dynamo slice``: check, plan, show, convert, schema; what is printed, and the exit codes."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest

from dynamo.cli import main, slice_apply
from dynamo.fleet import place, registry, session
from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.network import NetworkSpec
from dynamo.fleet.offering import Offering
from dynamo.fleet.refusals import AuthError
from dynamo.fleet.slice import machine_name
from dynamo.fleet.slice_checks import load
from dynamo.fleet.slice_file import schema_text
from dynamo.fleet.wiring import network_specs
from dynamo.testing.cloud import Cloud, cloud_driver

TEXT = """\
slice: dfw
providers: {a: {driver: one}, b: {driver: two}}
networks: {data: {cidr: 10.0.0.0/24, spans: [a, b]}}
nodes:
  submit: {provider: a, count: 1, role: submit, size: small, networks: data}
  workers:
    max: 5
    warm: 2
    offers: [{provider: b, size: big, purchase: spot, max_price: 0.4}, {provider: a, size: big}]
limits: {usd_per_hour: 3, usd_per_day: 50}
"""
SIZES = (
    Offering("big", 16, 2**35, "spot", usd_per_hour=0.3),
    Offering("big", 16, 2**35, usd_per_hour=0.7),
    Offering("small", 2, 2**32, usd_per_hour=0.1),
)


@pytest.fixture
def clouds(tmp_path, monkeypatch):
    """Two clouds in memory, and a slice of both in ``s.yaml`` of the current folder."""
    made = {"one": Cloud(SIZES, clock=lambda: 1e9), "two": Cloud(SIZES, clock=lambda: 1e9)}
    monkeypatch.setattr(registry, "driver", lambda name: cloud_driver(made[name]))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(TEXT)
    return made


def call(capsys, *arguments):
    """Run the verb; return exit code, output and errors."""
    with pytest.raises(SystemExit) as end:
        main(["slice", *arguments])
    said = capsys.readouterr()
    return end.value.code, said.out, said.err


@pytest.mark.usefixtures("clouds")
def test_check_says_what_is_asked_for(capsys):
    """Groups with their bounds and offers, networks with the part of each cloud; no cloud is asked."""
    code, out, _ = call(capsys, "check", "s.yaml")
    assert code == 0
    assert out.splitlines() == [
        "dfw:",
        "  submit: 1, submit, by small (on-demand) at a",
        "  workers: 2 to 5, worker, by big (spot) at b; big (on-demand) at a",
        "  network data: 10.0.0.0/25 at a, 10.0.0.128/25 at b",
    ]
    code, out, _ = call(capsys, "check", "s.yaml", "--json")
    told = json.loads(out)
    assert (code, told["ok"], told["nodes"]["workers"]) == (0, True, {"least": 2, "most": 5})


def test_check_tells_all_faults_with_their_places(capsys, tmp_path, clouds):
    """As text and as JSON; a file that is not there is one too."""
    (tmp_path / "s.yaml").write_text(TEXT.replace("warm: 2", "warm: 6").replace("data}", "dta}"))
    code, _, err = call(capsys, "check", "s.yaml")
    assert code == 2
    assert "s.yaml:8:11: warm: is 6, and `max` is 5" in err
    assert "s.yaml:5:72: networks: unknown network 'dta' (did you mean 'data'?)" in err
    code, out, _ = call(capsys, "check", "s.yaml", "--json")
    assert (code, [(one["line"], one["column"]) for one in json.loads(out)["faults"]]) == (
        2,
        [(5, 72), (8, 11)],
    )
    code, out, _ = call(capsys, "check", "t.yaml", "--json")
    assert code == 2
    assert "no such slice file" in json.loads(out)["faults"][0]["message"]
    assert not clouds["one"].calls


def test_plan_costs_what_it_would_make_and_makes_nothing(capsys, clouds):
    """In words and as JSON."""
    code, out, _ = call(capsys, "plan", "s.yaml")
    assert code == 0
    assert out.splitlines() == [
        "make     data: network at a, 10.0.0.0/25",
        "make     data: network at b, 10.0.0.128/25",
        "make     submit: 1 machine at a, small on-demand, 0.10 USD/h",
        "make     workers: 2 machines at b, big spot, 0.30 USD/h each",
        "cost     0.00 USD/h now, 0.70 USD/h after, 3.00 USD/h at most, and 50.00 USD a day",
        "cores    0 now, 34 after",
    ]
    _, out, _ = call(capsys, "plan", "s.yaml", "--json")
    told = json.loads(out)
    assert (told["changes"], told["complete"], told["usd_after"]) == (4, True, pytest.approx(0.7))
    assert told["steps"][-1]["offer"] == "workers/b/big/spot"
    for cloud in clouds.values():
        assert not cloud.machines
        assert not cloud.networks


def test_a_cloud_that_does_not_answer_makes_a_plan_partial(capsys, clouds):
    """Exit code 3, and nothing is made that it may have; 2 where the credentials are refused."""
    with clouds["two"].down():
        code, out, _ = call(capsys, "plan", "s.yaml")
        assert code == 3
        assert "make     submit: 1 machine at a" in out
        assert "lacking  workers: 2 more may be lacking, but b may have them, and did not answer" in out
        assert (
            "silent   b did not answer, so nothing is known of what is there: the cloud does not answer"
            in out
        )
        code, out, _ = call(capsys, "plan", "s.yaml", "--json")
        assert (code, json.loads(out)["complete"]) == (3, False)
        code, out, _ = call(capsys, "show", "s.yaml")
        assert code == 3
        assert "silent   b did not answer" in out
    with clouds["two"].failing("list", AuthError("the key is not valid")):
        assert call(capsys, "show", "s.yaml")[0] == 2


def test_plan_refuses_what_no_cloud_sells(capsys, tmp_path, clouds):
    """Before anything is bought, at its place."""
    (tmp_path / "s.yaml").write_text(TEXT.replace("size: small", "size: smll"))
    code, out, err = call(capsys, "plan", "s.yaml")
    assert (code, out) == (2, "")
    assert "s.yaml:5:55: size: 'a' has no size 'smll' (did you mean 'small'?)" in err
    assert not clouds["one"].machines


def test_show_lists_what_there_is(capsys, clouds, monkeypatch):
    """Machines with their age and price, networks; also what the slice does not know."""
    monkeypatch.setattr("time.time", lambda: 1e9 + 75)
    code, out, _ = call(capsys, "show", "s.yaml")
    assert (code, out) == (0, "there is nothing of 'dfw'\n")
    clouds["two"].provider().create(
        MachineSpec(Tags("dfw", "workers", "1"), "dfw-workers-1", "big", purchase="spot")
    )
    clouds["one"].provider().create_network(NetworkSpec(Tags("dfw", "data", "2"), "10.0.0.0/25"))
    clouds["one"].ghost(Tags("dfw", "oldies", "3"))
    code, out, _ = call(capsys, "show", "s.yaml")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0].startswith("oldies ghost-3 a running on-demand of unknown price 1 min 15 s 10.")
    assert lines[1].startswith("workers dfw-workers-1 b running big spot 0.30 USD/h 1 min 15 s 10.")
    assert lines[2:] == ["network data a 10.0.0.0/25", "2 machines, 17 cores, 0.30 USD/h"]
    _, out, _ = call(capsys, "show", "s.yaml", "--json")
    told = json.loads(out)
    assert [(one["group"], one["provider"], one["usd_per_hour"]) for one in told["machines"]] == [
        ("oldies", "a", None), ("workers", "b", 0.3)
    ]  # fmt: skip
    code, out, _ = call(capsys, "plan", "s.yaml")
    assert "remove   oldies: ghost-3 at a, of unknown price (its group is not in the slice any more)" in out


def test_convert_prints_a_slice_and_what_was_lost(capsys, tmp_path):
    """The slice to standard output, so that it can go into a file; the rest to standard error."""
    old = {
        "site": "AWS:us-east-2",
        "cpus": "2",
        "hostNamePrefix": "worker",
        "forceflavor": "c7i.large",
        "stitchTag": "5",
    }
    (tmp_path / "casa.json").write_text(json.dumps([old, json.dumps(old)]))
    code, out, err = call(capsys, "convert", str(tmp_path / "casa.json"))
    assert code == 0
    assert out.startswith("slice: casa\nproviders:\n  aws-us-east-2:\n    driver: ec2\n")
    assert "    count: 2\n    size: c7i.large\n" in out
    assert "not carried over: request 1: stitchTag: a VLAN of a stitchport, which is not made" in err
    _, out, _ = call(capsys, "convert", str(tmp_path / "casa.json"), "--form", "json", "--name", "dfw")
    assert json.loads(out)["slice"] == "dfw"
    _, out, err = call(capsys, "convert", str(tmp_path / "casa.json"), "--json")
    assert json.loads(out)["slice"]["nodes"]["worker"]["count"] == 2
    assert "stitchTag" in {one["field"] for one in json.loads(out)["lost"]}
    assert not err


def test_schema_prints_what_is_published(capsys):
    """For an editor."""
    assert call(capsys, "schema")[1] == schema_text()


def test_machines_of_another_workspace_are_adopted_only_where_somebody_says_so(capsys, clouds):
    """Before, they are not taken away, and nothing is made beside them; afterwards they are ours."""
    clouds["one"].ghost(Tags("dfw", "workers", "t1", "radar:/srv/dfw/.dynamo"))
    for verb in ("apply", "destroy"):
        code, _, err = call(capsys, verb, "s.yaml", "--yes")
        assert (code, "1 at a, from radar:/srv/dfw/.dynamo" in err) == (2, True), err
        assert "dynamo slice adopt makes them yours" in err
    assert len(clouds["one"].there()) == 1
    assert not clouds["two"].there()
    code, out, err = call(capsys, "adopt", "s.yaml")
    assert (code, "say --yes" in err) == (2, True)
    code, out, _ = call(capsys, "adopt", "s.yaml", "--yes")
    assert (code, out.splitlines()[-1]) == (0, "they are ours now")
    code, out, _ = call(capsys, "adopt", "s.yaml", "--yes")
    assert (code, "all of 'dfw' are looked after from here" in out) == (0, True)
    code, out, err = call(capsys, "destroy", "s.yaml", "--yes")
    assert (code, "nothing is left of 'dfw'" in out) == (0, True), err
    assert not clouds["one"].there()


def test_nothing_is_made_where_no_pool_can_be_reached(capsys, clouds):
    """Networks without machines would be left, and cost money at some clouds."""
    code, _, err = call(capsys, "apply", "s.yaml", "--yes")
    assert (code, "pool" in err) == (2, True), err
    assert not clouds["one"].networks
    assert not clouds["one"].there()


def test_machines_that_do_not_join_in_time_are_no_success(capsys, clouds, monkeypatch):
    """They are there, so that nothing is left to be made; who goes on after `apply` counts on them."""

    class Slow:
        def __init__(self, *_, **__) -> None:
            """Order three that boot for ever."""
            slice_ = load("s.yaml")
            for group, cloud, size, purchase in (
                ("submit", "one", "small", "on-demand"),
                *2 * (("workers", "two", "big", "spot"),),
            ):
                tags = Tags("dfw", group, f"t{len(clouds['one'].there() + clouds['two'].there())}")
                (net,) = clouds[cloud].provider().list_networks("dfw")
                name = machine_name(slice_.name, group, tags.token)
                spec = MachineSpec(tags, name, size, purchase=purchase, networks=(net.id,))
                clouds[cloud].provider().create(spec)

        def run(self, stop, _) -> None:
            """Wait for them."""
            assert stop.wait(60)

    monkeypatch.setattr(session, "Fleet", Slow)
    monkeypatch.setattr(place, "reach", lambda *_: None)
    code, out, err = call(capsys, "apply", "s.yaml", "--yes", "--wait", "0")
    assert "nothing is to be done" in out
    assert (code, err) == (3, "not all machines have joined the pool in 0 s\n")


def test_who_was_quicker_keeps_what_is_his(capsys, clouds, monkeypatch):
    """While somebody is asked whether to apply a slice, another applies it elsewhere: his machines are not ours."""
    theirs = "radar:/srv/dfw/.dynamo"
    more = "spans: [a, b]}, more: {cidr: 10.0.1.0/24, spans: [a]}}"
    Path("s.yaml").write_text(TEXT.replace("spans: [a, b]}}", more))

    def meanwhile(*_, **__):
        for provider, spec in network_specs(load("s.yaml")):
            if spec.tags.group == "more":
                continue  # he has not come to it yet: it is ours, and hides his no more
            named = replace(spec, tags=replace(spec.tags, owner=theirs))
            clouds[{"a": "one", "b": "two"}[provider]].provider().create_network(named)

    monkeypatch.setattr(slice_apply, "confirm", meanwhile)
    monkeypatch.setattr(place, "reach", lambda *_: None)
    code, _, err = call(capsys, "apply", "s.yaml")
    assert (code, f"not ordered from here: 1 at a and 1 at b, from {theirs}" in err) == (2, True), err
    assert not clouds["one"].there()
    code, _, err = call(capsys, "destroy", "s.yaml", "--yes")
    assert (code, "dynamo slice adopt makes them yours" in err) == (2, True), err
    assert clouds["one"].networks


def test_a_destroy_goes_on_where_what_it_says_gets_nowhere(capsys, monkeypatch, clouds):
    """Its log is on a disk that is full for a while."""
    for n in range(3):
        clouds["one"].provider().create(MachineSpec(Tags("dfw", "workers", f"t{n}"), f"dfw-workers-t{n}"))

    say = print

    def full(line, **options):
        if line.startswith("taking"):
            raise OSError(errno.ENOSPC, "No space left on device")
        say(line, **options)

    monkeypatch.setattr("builtins.print", full)
    assert call(capsys, "destroy", "s.yaml", "--yes")[0] == 0
    assert not clouds["one"].there()


def test_adopt_names_who_did_not_answer_and_whose_queue_is_not_read(capsys, clouds):
    """A cloud that is silent may have machines of others: nothing is done before it answers."""
    clouds["two"].ghost(Tags("dfw", "workers", "t1", "radar:/srv/dfw/.dynamo"))
    clouds["one"].ghost(Tags("dfw", "submit", "t2", "radar:/srv/dfw/.dynamo"))
    with clouds["two"].down():
        code, out, _ = call(capsys, "adopt", "s.yaml", "--yes")
    assert (code, out.splitlines()) == (
        3,
        [
            "not known: b does not say what is there: the cloud does not answer",
            "nothing was done: first all providers must answer",
        ],
    )
    code, out, _ = call(capsys, "adopt", "s.yaml", "--yes")
    assert code == 0
    assert "no worker is bought for the jobs of ghost-t2. Drain them" in " ".join(out.split())


def test_a_network_of_another_workspace_is_adopted_too(capsys, clouds):
    """It is not taken away before."""
    theirs = Tags("dfw", "data", "t1", "radar:/srv/dfw/.dynamo")
    clouds["one"].provider().create_network(NetworkSpec(theirs, "10.0.0.0/25"))
    for verb in ("apply", "destroy"):
        code, _, err = call(capsys, verb, "s.yaml", "--yes")
        assert (code, "1 at a, from radar:/srv/dfw/.dynamo" in err) == (2, True), err
    assert len(clouds["one"].networks) == 1
    code, out, _ = call(capsys, "adopt", "s.yaml", "--yes")
    assert (code, out.splitlines()[-1]) == (0, "they are ours now")
    assert call(capsys, "destroy", "s.yaml", "--yes")[0] == 0
    assert not clouds["one"].networks
