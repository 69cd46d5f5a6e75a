"""The tunnels of a slice where no fleet is at work: had as the slice says, and taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dynamo.errors import DynamoError, UserError
from dynamo.fleet.older_values import bandwidth_text
from dynamo.fleet.place import reach
from dynamo.fleet.slice import Slice
from dynamo.fleet.tunnel_hub import Hub
from dynamo.fleet.tunnel_ledger import TunnelLedger
from dynamo.fleet.tunnels import Tunnels

__all__ = ["bring_about", "take_away"]


def bring_about(slice_: Slice, journal: Path, tell: Callable[[str], None]) -> None:
    """Have the tunnels as the slice says, also where it says of none any more; raises `InfrastructureError`."""
    if not _any(slice_, journal):
        return
    with _opened(slice_, journal, tell) as tunnels:
        tunnels.say(again=True)
    for name, rule in slice_.networks.items():
        if rule.tunnel:
            rate = bandwidth_text(rule.bandwidth) if rule.bandwidth else "no limit"
            tell(f"tunnel {name}: hub {rule.tunnel.hub}, {rate}")


def take_away(slice_: Slice, journal: Path) -> str:
    """Take all tunnels of a slice away; return why that could not be done, or nothing."""
    if not _any(slice_, journal):
        return ""
    try:
        with _opened(slice_, journal, lambda _: None) as tunnels:
            tunnels.end()
    except UserError as error:
        if not slice_.pool.name:
            return error.message
        # The pool is not on this machine any more, and its central manager was the hub.
        with TunnelLedger(journal, slice_.name) as books:
            books.clear()
    except DynamoError as error:
        return error.message
    return ""


def _any(slice_: Slice, journal: Path) -> bool:
    """Whether the slice has tunnels, or had some."""
    with TunnelLedger(journal, slice_.name) as books:
        return bool(books.made()) or any(rule.tunnel for rule in slice_.networks.values())


@contextmanager
def _opened(slice_: Slice, journal: Path, tell: Callable[[str], None]) -> Iterator[Tunnels]:
    reached = reach(slice_.pool, slice_.name)
    tunnels = Tunnels(journal, slice_, Hub(reached.manager), reached.networks, tell)
    try:
        yield tunnels
    finally:
        tunnels.close()
