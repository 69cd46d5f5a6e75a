"""A fleet at work shows itself: the session opens the port first, writes each turn down, and closes it at the end."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from contextlib import ExitStack

import pytest

from dynamo.errors import UserError
from dynamo.fleet.asked import ask
from dynamo.fleet.controller import Controller
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.machine import Tags
from dynamo.fleet.policies.keda import Keda
from dynamo.fleet.refusals import UnavailableError
from dynamo.fleet.session import Fleet


def test_each_turn_is_shown_and_written_down(fleet, tmp_path):
    """The same at the port and in the journal; afterwards nobody listens any more."""
    made, told, _ = fleet
    answers = {}

    def look(_) -> bool:
        (line,) = [one for one in told if one.startswith("metrics at ")]
        for path in ("metrics", "healthz"):
            with urllib.request.urlopen(f"{address_in(line)}/{path}", timeout=30) as answer:
                answers[path] = answer.read().decode()
        return True

    made(metrics="127.0.0.1:0").run(threading.Event(), look)
    assert json.loads(answers["healthz"]) == {"ok": True, "slice": "dfw", "troubles": []}
    ordered = 'dynamo_fleet_machines_ordered_total{offer="workers/c/two/on-demand",slice="dfw"} '
    (line,) = [one for one in answers["metrics"].splitlines() if one.startswith(ordered)]
    with Ledger(tmp_path / ".dynamo" / "journal.db", "dfw") as ledger:
        workers, data, (row,) = ledger.workers(), ledger.learned("status"), ledger.history()
    assert float(line.removeprefix(ordered)) == len(workers) == 1
    assert f'dynamo_fleet_cost_usd_per_hour{{slice="dfw"}} {data["usd_per_hour"]}' in answers["metrics"]
    assert {"at", "demand", "supply", "usd_per_hour"} <= row.keys()
    assert "s3cr3t" not in answers["metrics"] + json.dumps(data)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address_in(told[0]) + "/healthz", timeout=30)


def address_in(line: str) -> str:
    return line.removeprefix("metrics at ").partition("/metrics")[0]


def test_without_metrics_no_port_is_opened(fleet):
    """By default."""
    made, told, _ = fleet
    made().run(threading.Event(), lambda _: True)
    assert not [one for one in told if "http" in one]


def test_a_port_that_is_taken_is_told_before_anything_is_asked(fleet):
    """No cloud, and no pool."""
    made, told, cloud = fleet
    look = threading.Event()

    def asked() -> list[str]:
        return [one for one in cloud.calls if one != "create"]  # of the first, which is under way

    def second(_) -> bool:
        port = address_in(told[0]).rpartition(":")[2]
        before = asked()
        with pytest.raises(UserError, match="cannot listen on"):
            made(metrics=f"127.0.0.1:{port}").run(look)
        assert asked() == before
        look.set()
        return True

    made(metrics="127.0.0.1:0").run(threading.Event(), second)
    assert look.is_set()


def test_a_policy_on_trial_stays_where_another_decides(fleet, monkeypatch):
    """Its fault is told once, not in each turn; and who decides is changed beside it."""
    made, told, _ = fleet
    seen = []

    def fail(*_):
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr(Keda, "decide", fail)

    def look(controller) -> bool:
        seen.append((controller.policy.name, controller.decision.history["shadow"]["name"]))
        if len(seen) == 2:
            ask(controller.ledger, policy="queue_depth")
        return len(seen) == 4

    made(shadow="keda:queue_length=2").run(threading.Event(), look)
    assert seen == [(name, "keda:queue_length=2") for name in ("work", "work", "queue_depth", "queue_depth")]
    (line,) = [one for one in told if "on trial" in one]
    assert line.startswith("the policy on trial failed (ZeroDivisionError: by nought)")


def test_a_policy_has_its_settings_after_a_restart_too(fleet, tmp_path):
    """Those that somebody asked for last, with what it had in mind under others; the status says which."""
    made, told, _ = fleet
    seen = []

    def look(controller) -> bool:
        policy = controller.policy
        seen.append((policy.name, policy.margin, policy.terms.tail))
        if len(seen) == 1:
            ask(controller.ledger, policy="work:margin=1.3,tail=0.4")
        return len(seen) != 1

    made(policy="work:margin=1.1").run(threading.Event(), look)
    made().run(threading.Event(), look)
    assert seen == [("work:margin=1.1", 1.1, 0.0), *[("work:margin=1.3,tail=0.4", 1.3, 0.4)] * 2]
    assert "the policy is work:margin=1.3,tail=0.4 now" in told
    with Ledger(tmp_path / ".dynamo" / "journal.db", "dfw") as ledger:
        assert (
            ledger.learned("status")["policy"] == ledger.decisions()[0].policy == "work:margin=1.3,tail=0.4"
        )
        assert ledger.in_mind("work")
        kept = ledger._db.execute("SELECT name FROM fleet_memory WHERE name LIKE 'policy/%'").fetchall()
    assert kept == [("policy/work",)]


def test_machines_of_another_workspace_are_left_alone(fleet, tmp_path):
    """Who comes second buys nothing and is told whose they are; the first goes on beside a stranger, and says so."""
    made, _, cloud = fleet
    made().run(threading.Event(), lambda _: cloud.there())
    (first,) = cloud.there()
    with pytest.raises(UserError, match=r"not ordered from here: 1 at c, from .*/\.dynamo\. Look after"):
        made("second").run(threading.Event(), lambda _: len(cloud.calls) > 100)
    assert cloud.there() == [first]
    stranger = cloud.ghost(Tags("dfw", "workers", "theirs", "radar:/srv/dfw"))
    made().run(threading.Event(), lambda controller: bool(controller.clouds.foreign))
    assert {one.id for one in cloud.there()} == {first.id, stranger.id}
    with Ledger(tmp_path / ".dynamo" / "journal.db", "dfw") as ledger:
        assert "1 at c, from radar:/srv/dfw" in ledger.learned("status")["troubles"]["c (machines of others)"]


def test_nothing_is_bought_where_nobody_knows_what_there_is(fleet):
    """A cloud that says what it sells, but not what there is."""
    made, _, cloud = fleet
    with cloud.failing("list", UnavailableError("not now")):
        made().run(threading.Event(), lambda _: cloud.calls.count("list") > 3)
    assert "offerings" in cloud.calls
    assert not cloud.there()


def test_what_is_wrong_is_told_once_and_when_it_is_over(fleet):
    """A cloud that does not answer for some turns."""
    made, told, cloud = fleet
    with ExitStack() as wrong:
        wrong.enter_context(cloud.failing("list", UnavailableError("not now")))

        def over(_) -> bool:
            if cloud.calls.count("list") > 5 and "c: list: not now" in told:
                wrong.close()
            return "c: that is over" in told

        made().run(threading.Event(), over)
    assert [one for one in told if one.startswith("c: ")] == ["c: list: not now", "c: that is over"]


def test_a_turn_that_fails_by_a_fault_of_ours_does_not_end_the_fleet(fleet, monkeypatch):
    """What runs must be looked after; it is said, with the place."""
    made, told, cloud = fleet
    turn = Controller.turn

    def broken(controller):
        monkeypatch.setattr(Controller, "turn", turn)
        raise KeyError("workers/c/nine")

    monkeypatch.setattr(Controller, "turn", broken)
    made().run(threading.Event(), lambda _: cloud.there())
    (line,) = [one for one in told if "this turn failed" in one]
    assert "KeyError: 'workers/c/nine' (test_session.py:" in line
    assert cloud.there()


def test_a_fleet_that_cannot_tell_goes_on(fleet):
    """Its log is on a full disk, or nobody reads the pipe any more."""
    made, _, cloud = fleet

    def full(_) -> None:
        raise OSError(28, "No space left on device")

    one = made()
    Fleet(one.path, one.workspace, interval=one.interval, tell=full).run(
        threading.Event(), lambda _: cloud.there()
    )
    assert cloud.there()
