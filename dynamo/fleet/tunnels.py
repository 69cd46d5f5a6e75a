"""The tunnels of a slice while its fleet is at work: who gets which address, who is let through, and who no more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dynamo.errors import DynamoError
from dynamo.fleet.calls import Call, Calls
from dynamo.fleet.join import JoinRefusedError
from dynamo.fleet.slice import Slice
from dynamo.fleet.tunnel import PUBLIC_KEY, Peer, Tunnel, device_of, free_address, tunnels, worker_lines
from dynamo.fleet.tunnel_hub import Hub
from dynamo.fleet.tunnel_ledger import TunnelLedger
from dynamo.fleet.worker_config import PoolPlace

__all__ = ["Tunnels"]

#: Seconds after which the hub is told again: it may have been made anew.
_AGAIN = 60.0


@dataclass(frozen=True, slots=True)
class _Said:
    """What the hub was told of a tunnel last, and the public key that it told."""

    tunnel: Tunnel
    peers: tuple[Peer, ...]
    public: str


class Tunnels:
    """All tunnels of one slice; may be used from several threads.

    Parameters
    ----------
    journal
        Where it is kept who comes through.
    slice_
        Whose tunnels.
    hub
        Their other end.
    pool
        Networks of the pool that every tunnel leads to, as CIDRs.
    tell
        Is told what goes wrong, in lines.
    """

    def __init__(
        self, journal: Path, slice_: Slice, hub: Hub, pool: Sequence[str], tell: Callable[[str], None]
    ) -> None:
        self._journal, self._name, self._hub, self._pool, self._tell = journal, slice_.name, hub, pool, tell
        self._tunnels = dict(tunnels(slice_, pool))
        self._said: dict[str, _Said] = {}
        self._lock = threading.Lock()
        self._calls = Calls("the hub of tunnels", lambda: self, threads=1)
        self._saying: Call | None = None
        self._due, self._at = False, time.monotonic()

    def begin(self, ours: Callable[[], bool]) -> None:
        """Tell the hub all, where there is a tunnel, or was, and the machines of the slice are `ours`.

        Who comes through is known where machines were ordered: anybody else would cut them all off. Where nobody knows
        whose they are, the hub is told with the next order. Raises `InfrastructureError`, and what `ours` raises.
        """
        with self._books() as books:
            any_ = bool(self._tunnels) or bool(books.made())
        if any_ and ours():
            self.say(again=True)

    def follow(self, slice_: Slice) -> None:
        """Have them as the slice says now; what is changed is told in the next turn."""
        wanted = dict(tunnels(slice_, self._pool))
        if wanted != self._tunnels:
            self._tunnels, self._due = wanted, True

    def assign(self, worker: str, network: str) -> None:
        """Give a worker an address, which it keeps; raises `UserError` where none is left."""
        tunnel = self._tunnels[network]
        with self._books() as books:
            peers = books.peers()
            if not any(one.worker == worker and one.tunnel == tunnel.name for one in peers):
                address = free_address(tunnel, {one.address for one in peers if one.tunnel == tunnel.name})
                books.put(Peer(worker, tunnel.name, address))
        if network not in self._said:  # nobody knew whose it was
            self._due = True

    def place(self, worker: str, place: PoolPlace, public: str) -> tuple[PoolPlace, str]:
        """Return where a worker finds the pool, and what its configuration has besides; nothing where it needs none.

        Raises `JoinRefusedError` where it needs a tunnel and sent no key for it.
        """
        with self._books() as books:
            peer = next((one for one in books.peers() if one.worker == worker), None)
        if peer is None:
            return place, ""
        if not PUBLIC_KEY.fullmatch(public):
            raise JoinRefusedError("this worker comes through a tunnel, and sent no key for it", 400)
        self.say()
        with self._lock:  # another may be saying something
            said = next((one for one in self._said.values() if one.tunnel.name == peer.tunnel), None)
        if said is None:
            raise JoinRefusedError("the tunnel that this worker was to come through is not there any more")
        port = place.central_manager.rpartition(":")[2]
        there = replace(place, central_manager=f"{said.tunnel.hub}:{port if port.isdecimal() else 9618}")
        return there, worker_lines(said.tunnel, peer.address, said.public)

    def admit(self, worker: str, public: str) -> None:
        """Let a worker that has joined through; raises `InfrastructureError` where the hub cannot be told."""
        with self._books() as books:
            if not any(one.worker == worker for one in books.peers()):
                return
            if not books.known(worker, public):
                raise JoinRefusedError("this worker was let go")
        self.say()

    def let_go(self, workers: Sequence[str]) -> None:
        """Let these through no more; the hub is told in the next turn."""
        if not self._tunnels:
            return
        with self._books() as books:
            for one in workers:
                books.remove(one)
        self._due = True

    def say(self, *, again: bool = False) -> None:
        """Tell the hub what it does not know yet, or all `again`; raises `InfrastructureError`."""
        with self._lock, self._books() as books:
            wanted = dict(self._tunnels)
            names = sorted({one.name for one in wanted.values()})
            before = books.made()
            if set(names) - set(before):
                books.make(sorted({*names, *before}))
            peers = books.peers()
            for network, tunnel in wanted.items():
                mine = tuple(one for one in peers if one.tunnel == tunnel.name and one.public)
                said = self._said.get(network)
                if again or said is None or (said.tunnel, said.peers) != (tunnel, mine):
                    self._said[network] = _Said(tunnel, mine, self._hub.up(tunnel, mine))
            for name in set(before) - set(names):
                self._hub.down(device_of(name))
                for one in peers:
                    if one.tunnel == name:
                        books.remove(one.worker)
            self._said = {network: one for network, one in self._said.items() if network in wanted}
            if before != names:
                books.make(names)

    def turn(self) -> None:
        """Have the hub told what is new, and all of it from time to time; returns at once."""
        if self._saying is not None:
            if not self._saying.done:
                return
            try:
                self._saying.result()
            except DynamoError as error:
                self._tell(error.message)
                self._due = True
            self._saying = None
        late = bool(self._said) and time.monotonic() - self._at > _AGAIN
        if self._due or late:
            self._due, self._at = False, time.monotonic()
            self._saying = self._calls.call("say_again")

    def say_again(self) -> None:
        """Tell the hub all."""
        self.say(again=True)

    def end(self) -> None:
        """Take all tunnels away, and forget who came through; raises `InfrastructureError`."""
        with self._lock, self._books() as books:
            for name in {*books.made(), *(one.name for one in self._tunnels.values())}:
                self._hub.down(device_of(name))
            books.clear()
            self._said.clear()

    def close(self) -> None:
        """End its thread; the tunnels stay."""
        for _ in range(2):  # who was let go last, also while the hub was being told of others
            if self._due:
                self.turn()
            while self._saying is not None and not self._saying.done:
                self._saying.wait(1.0)
        self._calls.close()

    def _books(self) -> TunnelLedger:
        return TunnelLedger(self._journal, self._name)
