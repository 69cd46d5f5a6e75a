"""The tunnels of a slice where no fleet is at work: had as the slice says, and taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from dynamo.errors import DynamoError, UserError, WorkspaceError
from dynamo.fleet.older_values import bandwidth_text
from dynamo.fleet.place import reach
from dynamo.fleet.slice import Slice
from dynamo.fleet.slice_steps import Action, Plan, Step
from dynamo.fleet.tunnel import Peer, tunnels
from dynamo.fleet.tunnel_hub import Hub
from dynamo.fleet.tunnel_ledger import TunnelLedger
from dynamo.fleet.tunnels import Tunnels
from dynamo.pool.host import connect
from dynamo.pool.pool import Pool

__all__ = ["any_tunnel", "bring_about", "shown", "take_away", "with_tunnels"]


def bring_about(slice_: Slice, journal: Path, tell: Callable[[str], None]) -> None:
    """Have the tunnels as the slice says, also where it says of none any more; raises `InfrastructureError`."""
    with _opened(slice_, journal, tell) as opened:
        opened.say(again=True)
    for name, rule in slice_.networks.items():
        if rule.tunnel:
            tell(f"tunnel {name} at {rule.tunnel.hub}: {_words(rule.bandwidth)}")


def _steps(slice_: Slice) -> list[Step]:
    """Return what becomes of the tunnels of a slice: made, changed or kept; what is not told is to be made."""
    if not any(rule.tunnel for rule in slice_.networks.values()):
        return []
    try:
        reached = reach(slice_.pool, slice_.name)
        pool, rates, why = reached.networks, Hub(reached.manager).rates(), ""
    except DynamoError as error:
        pool, rates, why = (), {}, f"the hub does not tell what there is: {error.message}"
    found = []
    for network, one in tunnels(slice_, pool):
        rate, now = one.shape[0], rates.get(one.device)
        action: Action = "make" if now is None else "keep" if now == rate else "change"
        was = f"it is {_words(now)}" if now is not None and now != rate else why
        found.append(Step(action, "tunnel", network, one.place, size=_words(rate), why=was))
    return found


def shown(slice_: Slice, journal: Path) -> list[dict[str, Any]]:
    """Return the tunnels of a slice, and those that it names no more, with who comes through, as JSON values."""
    made, peers = _known(slice_, journal)
    wanted = {f"{slice_.name}/{name}": rule for name, rule in slice_.networks.items() if rule.tunnel}
    found = []
    for name in dict.fromkeys((*wanted, *made)):
        rule = wanted.get(name)
        found.append(
            {
                "name": name.partition("/")[2],
                "hub": rule.tunnel.hub if rule and rule.tunnel else "",
                "bandwidth": rule.bandwidth if rule else None,
                "state": "not made" if name not in made else "made" if rule else "leaving",
                "workers": [
                    {"name": one.worker, "address": one.address, "joined": bool(one.public)}
                    for one in peers
                    if one.tunnel == name
                ],
            }
        )
    return found


def _known(slice_: Slice, journal: Path) -> tuple[list[str], list[Peer]]:
    """Return the tunnels that the hub may have, as the journal knows, and who comes through them."""
    if not journal.is_file():  # who looks makes none
        return [], []
    try:
        with TunnelLedger(journal, slice_.name) as books:
            return books.made(), books.peers()
    except WorkspaceError:  # who may only look; who applies is told
        return [], []


def _leaving(slice_: Slice, journal: Path) -> list[Step]:
    """Return the tunnels that the hub has, as the journal knows, and the slice names no more."""
    wanted = {f"{slice_.name}/{name}" for name, rule in slice_.networks.items() if rule.tunnel}
    made = _known(slice_, journal)[0]
    hub = slice_.pool.name or slice_.pool.central_manager
    why = "is not in the slice any more"
    return [
        Step("remove", "tunnel", one.partition("/")[2], hub, why=why) for one in made if one not in wanted
    ]


def with_tunnels(found: Plan, slice_: Slice, journal: Path) -> Plan:
    """Return a plan with what becomes of the tunnels; `journal` may not be there yet."""
    return replace(found, steps=(*found.steps, *_steps(slice_), *_leaving(slice_, journal)))


def _words(rate: float | None) -> str:
    return bandwidth_text(rate) if rate else "without limit"


def take_away(slice_: Slice, journal: Path) -> str:
    """Take all tunnels of a slice away; return why that could not be done, or nothing."""
    if not any_tunnel(slice_, journal):
        return ""
    try:
        with _opened(slice_, journal, lambda _: None) as opened:
            opened.end()
    except UserError as error:
        if not (slice_.pool.name and _is_gone(slice_.pool.name)):
            return error.message
        # The pool is no more, and its central manager was the hub.
        with TunnelLedger(journal, slice_.name) as books:
            books.clear()
    except DynamoError as error:
        return error.message
    return ""


def _is_gone(pool: str) -> bool:
    """Whether a pool of this machine was taken down: Docker says that there is none, and nothing of it is kept here."""
    try:
        found = Pool(connect(), pool)
        return not (found.containers() or found.state.client_config.is_file())
    except DynamoError:
        return False


def any_tunnel(slice_: Slice, journal: Path) -> bool:
    """Whether the slice has tunnels, or had some."""
    with TunnelLedger(journal, slice_.name) as books:
        return bool(books.made()) or any(rule.tunnel for rule in slice_.networks.values())


@contextmanager
def _opened(slice_: Slice, journal: Path, tell: Callable[[str], None]) -> Iterator[Tunnels]:
    reached = reach(slice_.pool, slice_.name)
    opened = Tunnels(journal, slice_, Hub(reached.manager), reached.networks, tell)
    try:
        yield opened
    finally:
        opened.close()
