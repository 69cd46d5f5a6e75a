"""``dynamo fleet``: machines that come and go with the work. Errors are those of `dynamo.fleet`."""

from __future__ import annotations

import json
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynamo.cli.fleet_simulate import simulate_
from dynamo.cli.slice_options import file_, json_, made, root_of, workspace_
from dynamo.errors import UserError

if TYPE_CHECKING:
    from dynamo.fleet.ledger import Ledger
    from dynamo.journal.workspace import Workspace

__all__ = ["command"]

_NO_VIEW = "What it was made from is kept for a day."


@click.group("fleet", short_help="Buy workers when work comes, and let them go when it is done.")
def command() -> None:
    """Look after the workers of a slice: bought when work comes, let go when it is done, within the limits."""


command.add_command(simulate_)


@command.command("run")
@file_
@workspace_
@click.option(
    "--policy",
    metavar="NAME[:SETTING=VALUE,...]",
    default="work",
    show_default=True,
    help="What decides: see `dynamo fleet policies`.",
)
@click.option(
    "--interval",
    default=10.0,
    show_default=True,
    type=click.FloatRange(1, 300),
    help="Seconds between two turns.",
)
@click.option(
    "--metrics",
    metavar="HOST:PORT",
    default="",
    help="Answer /metrics for Prometheus and /healthz there; without it, no port is opened.",
)
@click.option(
    "--shadow",
    metavar="NAME[:SETTING=VALUE,...]",
    default="",
    help="Have this policy decide beside it on trial: `status` tells what it would have cost, nothing of it is done.",
)
def run(file: Path, workspace: Path | None, policy: str, interval: float, metrics: str, shadow: str) -> None:
    """Look after the workers of the slice FILE until Ctrl-C. They stay then: `dynamo slice destroy` takes them away."""
    import signal

    from dynamo.fleet.lock import lock_slice
    from dynamo.fleet.metrics_service import address
    from dynamo.fleet.policies.named import named
    from dynamo.fleet.policies.shadow import beside
    from dynamo.fleet.session import Fleet
    from dynamo.fleet.slice_checks import load

    if not 1 <= interval <= 300:  # nan is none of click's
        raise UserError(
            f"the time between two turns must be from 1 to 300 s, not {interval:g}: --interval 10"
        )
    slice_ = load(file)
    beside(named(policy), shadow)
    if metrics:
        address(metrics)
    place = made(file, workspace)
    stop = threading.Event()

    def end(*_: object) -> None:
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with lock_slice(place.root / "fleet", slice_.name):
            _tell(f"looking after {slice_.name}, every {interval:g} s, until Ctrl-C")
            Fleet(file, place, policy, interval, tell=_tell, metrics=metrics, shadow=shadow).run(stop)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    _tell(f"ended; what runs of {slice_.name} goes on, and ends by itself when it is not needed")


@command.command("policies")
def policies() -> None:
    """List the policies that can decide."""
    from inspect import getdoc

    from dynamo.fleet.policies.named import NAMES, by_name

    for name in NAMES:
        print(f"{name:12} {(getdoc(type(by_name(name))) or '').splitlines()[0]}")


@command.command("status")
@file_
@workspace_
@json_
def status(file: Path, workspace: Path | None, *, as_json: bool) -> int:
    """Show how the fleet of FILE stands; the exit code is 3 where something is wrong, or nobody looks after it."""
    from dynamo.fleet.lock import controller_of
    from dynamo.fleet.status_words import late, status_words

    place, ledger = _opened(file, workspace)
    with ledger:
        data = ledger.learned("status")
        if data is None:
            raise UserError(
                f"nobody has looked after the slice {ledger.slice!r} yet: dynamo fleet run {file}"
            )
        history = ledger.history(last=3600, since=data["at"] - 3600.0)
        who = controller_of(place.root / "fleet", ledger.slice)
        if as_json:
            workers = [_worker(one) for one in ledger.workers()]
            print(json.dumps({**data, "controller": who, "workers": workers}, indent=2))
        else:
            print(status_words(ledger.slice, data, who, ledger.workers(), history, time.time()))
    return 0 if who and not data["troubles"] and not data["out"] and not late(data, time.time()) else 3


@command.command("explain")
@file_
@workspace_
@click.option(
    "--last", default=1, show_default=True, type=click.IntRange(1, 1000), help="How many decisions."
)
def explain(file: Path, workspace: Path | None, last: int) -> None:
    """Say in words what was decided last, from what, and why."""
    from dynamo.fleet.asked import asked
    from dynamo.fleet.explain import explain as words
    from dynamo.fleet.view_json import decision_of, view_of

    _, ledger = _opened(file, workspace)
    with ledger:
        rows, paused = ledger.decisions(last=last), asked(ledger).paused
    if not rows:
        raise UserError(f"nothing was decided for the slice {ledger.slice!r} yet: dynamo fleet run {file}")
    for row in reversed(rows):
        at = datetime.fromtimestamp(row.at, UTC)
        print(f"{at:%Y-%m-%d %H:%M:%S} UTC, by the policy {row.policy}:")
        made = decision_of(row.decision)
        said = words(made, view_of(row.view)) if row.view else "\n".join((*made.reasons, _NO_VIEW))
        print("\n".join(f"  {line}" for line in said.splitlines()))
    if paused:
        print(f"Somebody has paused it: nothing is decided until dynamo fleet resume {file}")


@command.command("chart")
@file_
@workspace_
@click.option(
    "-o", "--output", default="fleet.svg", show_default=True, type=click.Path(path_type=Path), help="Where."
)
@click.option(
    "--hours", default=24.0, show_default=True, type=click.FloatRange(0.01, 336), help="How far back."
)
def chart(file: Path, workspace: Path | None, output: Path, hours: float) -> None:
    """Draw what was needed, what was there and what it cost over time, as SVG, PNG or PDF."""
    from dynamo.fleet.chart import draw

    _, ledger = _opened(file, workspace)
    with ledger:
        rows = ledger.history(last=1_000_000, since=time.time() - hours * 3600)
    draw(ledger.slice, rows, output)
    print(output)


@command.command("pause")
@file_
@workspace_
def pause(file: Path, workspace: Path | None) -> None:
    """Have nothing bought or let go until `resume`. What fails, or is over, is still looked after."""
    _ask(file, workspace, paused=True)


@command.command("resume")
@file_
@workspace_
@click.option("--group", help="Only bring this node group back into service, with all its offers.")
def resume(file: Path, workspace: Path | None, group: str | None) -> None:
    """Go on after `pause`; or bring a node group back into service."""
    if group is None:
        _ask(file, workspace, paused=False)
        return
    from dynamo.errors import nearest
    from dynamo.fleet.slice_checks import load

    known = load(file).nodes
    if group not in known:
        raise UserError(f"the slice has no node group {group!r}{nearest(group, known)}")
    _ask(file, workspace, restore=((group, time.time()),))


@command.command("policy")
@file_
@click.argument("policy", metavar="NAME[:SETTING=VALUE,...]")
@workspace_
def policy_(file: Path, policy: str, workspace: Path | None) -> None:
    """Have another policy decide from now on, as `queue_depth`, or the same with other settings, as `work:hold=60`."""
    from dynamo.fleet.policies.named import named

    named(policy)
    _ask(file, workspace, policy=policy)


@command.command("drain")
@file_
@click.argument("workers", nargs=-1)
@workspace_
@click.option(
    "--all", "everybody", is_flag=True, help="All workers that there are now; pause it too, or more come."
)
def drain(file: Path, workers: tuple[str, ...], workspace: Path | None, *, everybody: bool) -> None:
    """Let WORKERS go, named as `status` does: their jobs end, they take no more, and are gone."""
    if bool(workers) == everybody:
        raise UserError("name workers, or say --all")
    from dynamo.fleet.asked import asked

    _, ledger = _opened(file, workspace)
    with ledger:
        live = [one.token for one in ledger.workers()]
        # Who was named a moment ago, and was not seen to yet, is to go too.
        tokens = {*_named(ledger, workers), *asked(ledger).drain} if workers else set(live)
    _ask(file, workspace, drain=tuple(token for token in live if token in tokens))


def _named(ledger: Ledger, workers: tuple[str, ...]) -> list[str]:
    from dynamo.errors import nearest

    known = {one.name: one.token for one in ledger.workers()}
    for name in workers:
        if name not in known:
            raise UserError(f"there is no worker {name!r}{nearest(name, known)}")
    return [known[name] for name in workers]


def _ask(file: Path, workspace: Path | None, **changes: object) -> None:
    """Write down what is asked, and say whether anybody will do it."""
    from dynamo.fleet.asked import ask
    from dynamo.fleet.lock import controller_of

    place, ledger = _opened(file, workspace)
    with ledger:
        ask(ledger, **changes)
        who = controller_of(place.root / "fleet", ledger.slice)
    print(f"asked: {who} does it in its next turn" if who else f"kept: nobody looks after {ledger.slice} now")


def _tell(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def _worker(one: object) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(one)  # type: ignore[call-overload, no-any-return]


def _opened(file: Path, workspace: Path | None) -> tuple[Workspace, Ledger]:
    """Open what was kept of the slice, also of one that is faulty now where a fleet is at work by what was before."""
    from dynamo.fleet.ledger import Ledger
    from dynamo.fleet.lock import controller_of
    from dynamo.fleet.slice_checks import is_name, load
    from dynamo.fleet.slice_file import FaultySliceError, read
    from dynamo.journal.workspace import Workspace

    place = Workspace(root_of(file, workspace).absolute())
    try:
        name = load(file).name
    except FaultySliceError as error:
        name = str(read(file).root.data().get("slice", ""))
        if not (is_name(name) and controller_of(place.root / "fleet", name)):
            raise
        print(f"the fleet at work goes on by what was there before:\n{error.message}", file=sys.stderr)
    if not place.journal.is_file():
        raise UserError(
            f"nobody has looked after the slice {name!r} from here, for there is no workspace {place.root}; "
            f"name one with --workspace, or begin: dynamo fleet run {file}"
        )
    return place, Ledger(place.journal, name)
