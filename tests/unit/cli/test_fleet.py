"""``dynamo fleet``: what a person says to a fleet and hears of it, and the exit codes."""

from __future__ import annotations

import json
import socket
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from dynamo.cli import main
from dynamo.fleet import registry, session
from dynamo.fleet.asked import Asked, ask, asked
from dynamo.fleet.decision import Buy, Decision
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.lock import lock_slice
from dynamo.fleet.offering import Offering
from dynamo.fleet.policies.named import NAMES
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.view import Load, View
from dynamo.fleet.view_json import decision_data, view_data
from dynamo.journal.workspace import Workspace
from dynamo.testing.cloud import Cloud, cloud_driver

TEXT = """\
slice: dfw
pool: {central_manager: "127.0.0.1:9618", trust_domain: casa, join: "127.0.0.1:0"}
providers: {c: {driver: memory}}
nodes:
  workers: {provider: c, max: 5, size: two}
  larger: {provider: c, max: 5, size: two}
"""
ONE = WorkerRecord(
    "a" * 32, "dfw", "workers", "c", "workers/c/two/on-demand", "dfw-workers-aaaaaaaa", "joined", 10.0, 5.0, 2, 1,
    machine="i-1", joined=10.0, why="the pool hears of it",
)  # fmt: skip
TWO = replace(ONE, token="b" * 32, name="dfw-workers-bbbbbbbb", stage="booting", joined=None)
STATUS = {
    "at": 1000.0, "policy": "work", "paused": False, "stages": {"joined": 1}, "cores": 4, "ready": 2, "busy": 1,
    "supply": 2.0, "target": 3.0, "demand": 2.5, "figures": {}, "waiting": 1, "running": 1, "overdue": 0,
    "work": 60.0, "usd_per_hour": 2.0, "usd_today": 1.0, "limits": {}, "pool": True, "lateness": {}, "jobs": {},
    "boots": {}, "troubles": {}, "out": {}, "rests": {}, "failed": 0, "failures": {}, "elasticity": {},
}  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a slice in ``s.yaml``, whose only cloud is in memory; no fleet was ever looked after."""
    cloud = Cloud((Offering("two", 2, 2**32, usd_per_hour=1.0),), clock=time.time)
    monkeypatch.setattr(registry, "driver", lambda _: cloud_driver(cloud))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(TEXT)
    return tmp_path


@pytest.fixture
def ledger(here):
    """What is written down of the fleet: two workers, and how it stood."""
    with Ledger(Workspace.open(here / ".dynamo").journal, "dfw") as opened:
        opened.put(ONE)
        opened.put(TWO)
        opened.learn("status", STATUS)
        yield opened


@contextmanager
def looked_after(here):
    """Be the one who looks after it."""
    with lock_slice(here / ".dynamo" / "fleet", "dfw"):
        yield


def call(capsys, *arguments):
    """Run the verb; return exit code, output and errors."""
    with pytest.raises(SystemExit) as end:
        main(["fleet", *map(str, arguments)])
    said = capsys.readouterr()
    return end.value.code, said.out, said.err


VERBS = [
    ("status",), ("explain",), ("pause",), ("resume",), ("resume", "--group", "workers"), ("policy", "queue_depth"),
    ("drain", "--all"),
]  # fmt: skip


def words(verb, file="s.yaml", *more) -> list:
    """Return a command line of a verb."""
    name, *rest = verb
    return [name, file, *rest, *more]


@pytest.mark.parametrize("verb", [*VERBS, ("run",)], ids=" ".join)
@pytest.mark.usefixtures("here")
def test_a_slice_that_is_not_there_is_told(capsys, verb):
    """As what the caller must mend, and no workspace is made for it."""
    code, out, err = call(capsys, *words(verb, "no.yaml"))
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert "no.yaml" in err


@pytest.mark.parametrize("verb", [*VERBS, ("run",)], ids=" ".join)
def test_a_faulty_slice_is_told_with_its_place(capsys, here, verb):
    """Before anything else."""
    (here / "s.yaml").write_text(TEXT.replace("max: 5", "maxx: 5"))
    code, _, err = call(capsys, *words(verb))
    assert code == 2
    assert "s.yaml:5" in err
    assert not (here / ".dynamo").exists()


@pytest.mark.parametrize("verb", [("status",), ("pause",), ("drain", "--all")], ids=" ".join)
@pytest.mark.usefixtures("ledger")
def test_a_fleet_at_work_is_asked_while_its_slice_is_faulty(capsys, here, verb):
    """It goes on by what was there before; somebody who is editing must be able to stop it."""
    (here / "s.yaml").write_text(TEXT.replace("max: 5", "maxx: 5"))
    with looked_after(here):
        _, out, err = call(capsys, *words(verb))
    assert out
    assert err.startswith("the fleet at work goes on by what was there before:\n2 faults\ns.yaml:5:")
    assert call(capsys, *words(verb))[0] == 2
    for name in ("../fleet/dfw", "d" * 300, "[dfw]"):  # of no fleet
        (here / "s.yaml").write_text(TEXT.replace("dfw", name))
        with looked_after(here):
            assert call(capsys, *words(verb))[:2] == (2, "")


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_without_a_workspace_nothing_is_known(capsys, here, verb):
    """It says which one it looked for, and makes none; another may be named."""
    code, out, err = call(capsys, *words(verb))
    assert (code, out) == (2, "")
    assert f"there is no workspace {here / '.dynamo'}; name one with --workspace, or begin: " in err
    assert not (here / ".dynamo").exists()
    assert call(capsys, *words(verb, "s.yaml", "--workspace", "elsewhere"))[0] == 2


def test_a_workspace_may_be_named(capsys, here):
    """That of another folder."""
    with Ledger(Workspace.open(here / "other").journal, "dfw") as other:
        code, out, _ = call(capsys, "pause", "s.yaml", "--workspace", here / "other")
        assert (code, out) == (0, "kept: nobody looks after dfw now\n")
        assert asked(other).paused


def test_status_before_anybody_looked_after_it(capsys, here):
    """What to do stands there."""
    Ledger(Workspace.open(here / ".dynamo").journal, "dfw").close()
    code, _, err = call(capsys, "status", "s.yaml")
    assert code == 2
    assert "nobody has looked after the slice 'dfw' yet: dynamo fleet run s.yaml" in err


@pytest.mark.usefixtures("ledger")
def test_status_where_nobody_looks_after_it(capsys):
    """All that is known, and 3."""
    code, out, _ = call(capsys, "status", "s.yaml")
    assert code == 3
    assert out.startswith("fleet dfw: NOBODY looks after it")
    assert "dfw-workers-aaaaaaaa  joined for" in out
    assert "dfw-workers-bbbbbbbb  booting for" in out


def test_status_where_all_is_well(capsys, here, ledger):
    """0, who looks after it, and the last hour in bars; not what was before that."""
    for at, demand in ((-4000.0, 9000.0), (500.0, 1.0), (1000.0, 2.0)):
        ledger.stands(at, {"at": at, "demand": demand, "supply": 2.0, "usd_per_hour": 1.0})
    with looked_after(here):
        code, out, _ = call(capsys, "status", "s.yaml")
    assert code == 0
    assert out.startswith("fleet dfw: process ")
    assert "  demand    ▅█ 1 to 2\n" in out


@pytest.mark.parametrize("wrong", [{"troubles": {"c": "list: no answer"}}, {"out": {"workers": "no key"}}])
def test_status_where_something_is_wrong(capsys, here, ledger, wrong):
    """3, with what; a fleet that does nothing wrong but is late, or rests, is none of that."""
    ledger.learn("status", STATUS | wrong)
    with looked_after(here):
        code, out, _ = call(capsys, "status", "s.yaml")
        assert code == 3
        assert "  ! " in out
        ledger.learn("status", STATUS | {"rests": {"o": [2000.0, "full"]}, "overdue": 3})
        assert call(capsys, "status", "s.yaml")[0] == 0
        ledger.learn("status", STATUS | {"interval": 10.0})
        assert call(capsys, "status", "s.yaml")[0] == 3, "no turn has ended for long"


def test_status_as_json(capsys, here, ledger):
    """All that was written down, with the workers and who looks after it."""
    code, out, _ = call(capsys, "status", "s.yaml", "--json")
    said = json.loads(out)
    assert (code, said["controller"]) == (3, "")
    assert [one["name"] for one in said["workers"]] == [ONE.name, TWO.name]
    assert {key: said[key] for key in STATUS} == STATUS
    with looked_after(here):
        code, out, _ = call(capsys, "status", "s.yaml", "--json")
    assert code == 0
    assert json.loads(out)["controller"].startswith("process ")


@pytest.mark.usefixtures("ledger")
def test_explain_before_anything_was_decided(capsys):
    """What to do stands there."""
    code, _, err = call(capsys, "explain", "s.yaml")
    assert code == 2
    assert "nothing was decided for the slice 'dfw' yet: dynamo fleet run s.yaml" in err


def test_explain_tells_the_last_decisions_in_order(capsys, ledger):
    """From what, what, and why; the latest stands last, where one looks."""
    for at, target in ((60.0, 2.0), (120.0, 4.0), (180.0, 6.0)):
        view = View(at, loads=[Load("lead", at + 60, 3, 0, 120.0, 150.0)])
        decision = Decision(
            (Buy("workers/c/two/on-demand", 1, "work waits"),), target=target, reasons=("so much",)
        )
        ledger.decided(at, "work", view_data(view), decision_data(decision))
    code, out, _ = call(capsys, "explain", "s.yaml")
    assert code == 0
    assert out.splitlines()[0] == "1970-01-01 00:03:00 UTC, by the policy work:"
    assert "  Wanted: 6 cores of speed 1." in out
    assert "  Buy 1 x workers/c/two/on-demand: work waits" in out
    assert "  Queue: lead: 3 waiting, 0 running, due in 60 s" in out
    _, out, _ = call(capsys, "explain", "s.yaml", "--last", 2)
    assert [line for line in out.splitlines() if "UTC" in line] == [
        f"1970-01-01 00:0{minute}:00 UTC, by the policy work:" for minute in (2, 3)
    ]
    assert call(capsys, "explain", "s.yaml", "--last", 0)[0] == 2
    ask(ledger, paused=True)
    _, out, _ = call(capsys, "explain", "s.yaml")
    assert out.endswith("Somebody has paused it: nothing is decided until dynamo fleet resume s.yaml\n")


def test_pause_and_resume_are_kept_until_somebody_does_them(capsys, here, ledger):
    """Whether anybody will is said; they are no change to what else was asked."""
    ask(ledger, policy="keda")
    assert call(capsys, "pause", "s.yaml")[:2] == (0, "kept: nobody looks after dfw now\n")
    assert asked(ledger) == Asked(paused=True, policy="keda")
    with looked_after(here):
        code, out, _ = call(capsys, "resume", "s.yaml")
    assert code == 0
    assert out.startswith("asked: process ")
    assert out.endswith(" does it in its next turn\n")
    assert asked(ledger) == Asked(policy="keda")


def test_a_group_is_brought_back_by_its_name(capsys, ledger):
    """The pause stays; a name that is misspelt is told with the nearest."""
    ask(ledger, paused=True)
    code, _, err = call(capsys, "resume", "s.yaml", "--group", "worker")
    assert code == 2
    assert "the slice has no node group 'worker' (did you mean 'workers'?)" in err
    assert asked(ledger) == Asked(paused=True)
    before = time.time()
    assert call(capsys, "resume", "s.yaml", "--group", "workers")[0] == 0
    new = asked(ledger)
    ((group, at),) = new.restore
    assert (group, new.paused) == ("workers", True)
    assert at >= before


def test_another_policy_may_decide(capsys, ledger):
    """One that there is: else the nearest is named, and all."""
    assert call(capsys, "policy", "s.yaml", "queue_depth")[0] == 0
    assert asked(ledger).policy == "queue_depth"
    code, _, err = call(capsys, "policy", "s.yaml", "queue_dept")
    assert code == 2
    assert "There is no policy 'queue_dept' (did you mean 'queue_depth'?). There are: work, " in err
    assert asked(ledger).policy == "queue_depth"
    assert call(capsys, "policy", "s.yaml", "work:margin=1.1,tail=0.45")[0] == 0
    code, _, err = call(capsys, "policy", "s.yaml", "work:margn=2")
    assert code == 2
    assert "The policy work has no setting 'margn' (did you mean 'margin'?)" in err
    assert asked(ledger).policy == "work:margin=1.1,tail=0.45"


def test_policies_are_listed_with_what_they_do(capsys):
    """Each on a line; the default is the first."""
    code, out, _ = call(capsys, "policies")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(NAMES)
    assert out.startswith("work ")
    assert all(len(line.split()) > 4 for line in out.splitlines())


def test_workers_are_drained_by_their_names(capsys, ledger):
    """As status shows them; all of them; and nobody where one is misspelt."""
    code, _, err = call(capsys, "drain", "s.yaml", ONE.name, "dfw-workers-bbbbbbbc")
    assert code == 2
    assert "there is no worker 'dfw-workers-bbbbbbbc' (did you mean 'dfw-workers-bbbbbbbb'?)" in err
    assert asked(ledger) == Asked()
    assert call(capsys, "drain", "s.yaml", TWO.name)[0] == 0
    assert asked(ledger).drain == (TWO.token,)
    assert call(capsys, "drain", "s.yaml", ONE.name)[0] == 0
    assert asked(ledger).drain == (ONE.token, TWO.token), "who was named before goes too"
    ask(ledger, drain=())
    assert call(capsys, "drain", "s.yaml", "--all")[0] == 0
    assert asked(ledger).drain == (ONE.token, TWO.token)


@pytest.mark.parametrize("who", [[], [ONE.name, "--all"]])
def test_who_is_drained_must_be_clear(capsys, ledger, who):
    """Nobody, or some and all, is a slip."""
    code, _, err = call(capsys, "drain", "s.yaml", *who)
    assert code == 2
    assert "name workers, or say --all" in err
    assert asked(ledger) == Asked()


@pytest.fixture
def nothing_is_asked(monkeypatch):
    """Fail where a pool or a cloud is as much as looked for."""

    def fail(*_):
        pytest.fail("a pool was reached")

    monkeypatch.setattr(session, "reach", fail)


@pytest.mark.usefixtures("nothing_is_asked")
def test_a_second_controller_is_told_who_the_first_is(capsys, here):
    """And does nothing."""
    with looked_after(here):
        code, _, err = call(capsys, "run", "s.yaml")
    assert code == 2
    assert "another process looks after the slice 'dfw' already (process " in err
    assert f" on {socket.gethostname()}): end it first" in err


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--policy", "wrok"], "There is no policy 'wrok' (did you mean 'work'?)"),
        (["--policy", "work:tial=0.45"], "The policy work has no setting 'tial' (did you mean 'tail'?)"),
        (["--policy", "work:hold=long"], "The setting hold of the policy work is a number of 0 or more"),
        (["--shadow", "kedda"], "There is no policy 'kedda' (did you mean 'keda'?)"),
        (["--shadow", "keda:speed=2"], "The policy keda has no setting 'speed'"),
        (["--metrics", "9619"], "--metrics takes HOST:PORT"),
        (["--interval", "0"], "0.0 is not in the range"),
    ],
)
@pytest.mark.usefixtures("nothing_is_asked")
def test_an_option_that_is_wrong_is_told_at_once(capsys, here, option, said):
    """No workspace is made, and nothing is asked."""
    code, _, err = call(capsys, "run", "s.yaml", *option)
    assert code == 2
    assert said in err
    assert not (here / ".dynamo").exists()


@pytest.mark.usefixtures("here", "nothing_is_asked")
def test_a_port_that_is_taken_ends_it_before_anything_is_bought(capsys):
    """With what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = call(capsys, "run", "s.yaml", "--metrics", f"127.0.0.1:{port}")
    assert code == 2
    assert f"cannot listen on http://127.0.0.1:{port}: " in err
    assert "choose another --metrics" in err
