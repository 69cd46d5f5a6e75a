"""``dynamo slice apply`` and ``destroy``: bring about what a document says, and take all of it away."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynamo.cli.slice_options import confirm, file_, journal_of, made, workspace_, yes_
from dynamo.errors import UserError

if TYPE_CHECKING:
    from dynamo.fleet.controller import Controller
    from dynamo.fleet.ledger import Ledger
    from dynamo.fleet.provider import Provider
    from dynamo.fleet.slice import Slice
    from dynamo.fleet.slice_steps import Plan
    from dynamo.fleet.slice_world import World
    from dynamo.journal.workspace import Workspace

__all__ = ["apply", "destroy", "looked"]

#: Seconds that destroy takes at most by default: a cloud may take minutes for one machine.
_PATIENCE = 600.0


@click.command("apply")
@file_
@workspace_
@yes_
@click.option(
    "--wait", default=1800.0, show_default=True, metavar="SECONDS", help="How long to wait for machines."
)
def apply(file: Path, workspace: Path | None, *, yes: bool, wait: float) -> int:
    """Bring about what FILE says: its networks, and the least of each node group; more come with `dynamo fleet run`.

    What is there and fits stays; twice changes nothing. Where a provider does not answer nothing is done. The exit code
    is 3 where something is lacking in the end.
    """
    from dynamo.fleet.slice_plan import plan
    from dynamo.fleet.slice_words import plan_words
    from dynamo.fleet.tunnel_ends import with_tunnels

    slice_, world = looked(file)
    journal = journal_of(file, workspace)
    found = with_tunnels(plan(slice_, world), slice_, journal)
    print(plan_words(found, slice_))
    if world.code:
        print("nothing was done: first all providers must answer")
        return world.code
    if not found.changes:
        _tunnel(file, workspace, slice_, world)
        return 0
    _refuse(found)
    _refuse_others(file, workspace, slice_, world)
    confirm("do this?", yes=yes)
    settled = True
    if any(one.kind != "tunnel" for one in found.changes):
        settled = _carry_out(file, workspace, slice_, found, wait)
    _tunnel(file, workspace, slice_, world)
    slice_, world = looked(file)
    left = with_tunnels(plan(slice_, world), slice_, journal)
    print(plan_words(left, slice_))
    if not settled:
        print(f"not all machines have joined the pool in {wait:.0f} s", file=sys.stderr)
    return 3 if left.changes or world.code or not settled else 0


def _refuse(found: Plan) -> None:
    """Refuse what would take away what machines stand on."""
    for step in found.steps:
        if (
            step.kind == "network"
            and step.action == "change"
            and step.why != "was made in part only, and is completed"
        ):
            raise UserError(
                f"the network {step.group!r} at {step.provider!r} {step.why}, and the slice says {step.size}: one that "
                "machines are on cannot be changed; dynamo slice destroy first, or give the new one another name"
            )


def _refuse_others(file: Path, workspace: Path | None, slice_: Slice, world: World) -> None:
    """Refuse to do anything beside machines and networks that were ordered from elsewhere."""
    from dynamo.fleet.ledger import Ledger
    from dynamo.fleet.owner import Owner, refuse_foreign

    place = made(file, workspace)
    with Ledger(place.journal, slice_.name) as ledger:
        refuse_foreign(slice_.name, Owner(place.root, ledger).foreign(world.listed))


def _carry_out(file: Path, workspace: Path | None, slice_: Slice, found: Plan, wait: float) -> bool:
    """Do what was planned; return whether all machines have joined in time."""
    from dynamo.fleet.ledger import Ledger
    from dynamo.fleet.lock import lock_slice
    from dynamo.fleet.owner import Owner, refuse_foreign
    from dynamo.fleet.place import reach
    from dynamo.fleet.wiring import wire

    place = made(file, workspace)
    machines = any(one.kind == "machine" for one in found.changes)
    with lock_slice(place.root / "fleet", slice_.name):
        if machines:
            reach(slice_.pool, slice_.name)  # nothing is made where none could join
        providers = {name: connect() for name, connect in _connectors(slice_).items()}
        with Ledger(place.journal, slice_.name) as ledger:
            owner = Owner(place.root, ledger)
            wired = wire(slice_, providers, owner.name)
            owner.remember(network for _, network in wired)
            # Somebody may have been as quick.
            there = {name: [one for at, one in wired if at == name] for name in providers}
            refuse_foreign(slice_.name, owner.foreign(there))
        for name, network in wired:
            print(f"network {network.tags.group} at {name}: {network.cidr}", flush=True)
        settled = not machines or _settle(file, place, slice_, found, wait)
        for step in found.changes:
            if step.kind == "network" and step.action == "remove":
                _remove_network(providers[step.provider], step.id)
    return settled


def _settle(file: Path, place: Workspace, slice_: Slice, found: Plan, wait: float) -> bool:
    """Have machines until each node group has its least, and none that is not in the slice is left.

    Returns whether it came to that in `wait` s.
    """
    from dynamo.fleet.decision import Release
    from dynamo.fleet.session import Fleet

    leaving = {step.id: step.why for step in found.changes if step.kind == "machine" and step.id}
    stop = threading.Event()
    timer = threading.Timer(wait, stop.set)
    timer.daemon = True

    def settled(controller: Controller) -> bool:
        live = controller.roster.live
        going = [one for one in live if one.machine in leaving]
        controller.roster.release(
            [Release(one.token, leaving[one.machine]) for one in going], controller.now()
        )
        here = [one for one in live if one.stage == "joined" and one.machine not in leaving]
        enough = all(
            sum(one.group == name for one in here) >= group.fewest for name, group in slice_.nodes.items()
        )
        return enough and not going and all(one.stage == "joined" for one in live)

    timer.start()
    try:
        Fleet(file, place, "least", 3.0, lambda line: print(line, flush=True), obeys=False).run(stop, settled)
    finally:
        timer.cancel()
    return not stop.is_set()


def _tunnel(file: Path, workspace: Path | None, slice_: Slice, world: World) -> None:
    """Have the tunnels as the slice says, unless a fleet is at work: it reads the slice again by itself.

    Where machines are those of others, so is who comes through: nothing is done then.
    """
    from dynamo.fleet.lock import controller_of, lock_slice
    from dynamo.fleet.tunnel_ends import any_tunnel, bring_about

    place = made(file, workspace)
    if not any_tunnel(slice_, place.journal):
        return
    if controller_of(place.root / "fleet", slice_.name):
        print("a fleet is at work, which reads the slice again by itself")
        return
    _refuse_others(file, workspace, slice_, world)
    with lock_slice(place.root / "fleet", slice_.name):
        bring_about(slice_, place.journal, print)


def _remove_network(provider: Provider, id_: str) -> None:
    from dynamo.fleet.provider import NetworkProvider

    if isinstance(provider, NetworkProvider):
        provider.destroy_network(id_)


@click.command("destroy")
@file_
@workspace_
@yes_
@click.option("--wait", default=_PATIENCE, show_default=True, metavar="SECONDS", help="How long to try.")
def destroy(file: Path, workspace: Path | None, *, yes: bool, wait: float) -> int:
    """Take all machines and networks of FILE away, and list until nothing is left. Jobs on them run again elsewhere.

    The exit code is 3 where something is left, or a provider does not say what is.
    """
    from dynamo.fleet.destruction import destroy as end
    from dynamo.fleet.ledger import Ledger
    from dynamo.fleet.lock import lock_slice
    from dynamo.fleet.owner import Owner
    from dynamo.fleet.slice_checks import load
    from dynamo.fleet.telling import undisturbed
    from dynamo.fleet.tunnel_ends import take_away

    slice_ = load(file)
    place = made(file, workspace)
    points = any(one.role == "submit" for one in slice_.nodes.values())
    lost = ", and what is in the queues of its access points" if points else ""
    confirm(f"take all machines and networks of {slice_.name!r} away{lost}?", yes=yes)
    providers = _connectors(slice_)
    with lock_slice(place.root / "fleet", slice_.name), Ledger(place.journal, slice_.name) as ledger:
        owner = Owner(place.root, ledger)
        left = end(slice_.name, providers, ledger, undisturbed(print), patience=wait, owner=owner)
        # Who is there still, or may be at a cloud that is silent, comes to the pool through them.
        tunnel = take_away(slice_, place.journal) if not left else ""
        _revoke(place, ledger, slice_)
    if tunnel:
        print(f"left: the tunnels at the central manager: {tunnel}", file=sys.stderr)
    if not (left or tunnel):
        print(
            f"nothing is left of {slice_.name!r}: {', '.join(providers)} list no machine and no network of it"
        )
        return 0
    for what in (*left.machines, *(f"network {one}" for one in left.networks)):
        print(f"left: {what}", file=sys.stderr)
    for name, why in left.silent.items():
        print(f"not known: {name} does not say what is there: {why}", file=sys.stderr)
    return 3


def _revoke(place: Workspace, ledger: Ledger, slice_: Slice) -> None:
    """Have the workers that are gone believed no more, and say so where the central manager could not be told."""
    from dynamo.fleet.destruction import disbelieve
    from dynamo.fleet.join_ledger import JoinLedger
    from dynamo.fleet.place import reach

    with JoinLedger(place.journal) as tickets:
        wrong = disbelieve(ledger, tickets, lambda: reach(slice_.pool, slice_.name).trust)
    if wrong:
        print(
            f"not told: the central manager still believes the tokens of {wrong}; dynamo fleet run tells it when it "
            "is started next",
            file=sys.stderr,
        )


def _connectors(slice_: Slice) -> dict[str, Callable[[], Provider]]:
    """Return what makes each provider; raises `UserError` where its driver or credentials are missing."""
    from dynamo.fleet import registry

    def connector(name: str) -> Callable[[], Provider]:
        rule = slice_.providers[name]
        driver, settings = registry.driver(rule.driver), rule.settings(name)
        return lambda: driver.connect(settings)

    return {name: connector(name) for name in slice_.providers}


def looked(file: Path) -> tuple[Slice, World]:
    """Return a slice without faults, and what its clouds say."""
    from dynamo.cli import slice as cli

    return cli.looked(str(file), costs=True)
