"""Who comes through the tunnels of a slice, in the journal: so that it is known after a restart too."""

from __future__ import annotations

from pathlib import Path

import orjson

from dynamo.fleet.tunnel import Peer
from dynamo.journal.database import Opened

__all__ = ["TunnelLedger"]

_PUT = "INSERT OR REPLACE INTO fleet_memory (slice, name, data) VALUES (?, ?, ?)"
_PEER, _MADE = "peer ", "tunnels"


class TunnelLedger(Opened):
    """The peers and tunnels of one slice; an object serves one thread."""

    def __init__(self, path: Path, slice_: str) -> None:
        super().__init__(path, (_PUT,))
        self._slice = slice_

    def put(self, peer: Peer) -> None:
        """Keep a worker with its address."""
        data = [peer.tunnel, peer.address, peer.public]
        self._db.write(_PUT, (self._slice, _PEER + peer.worker, orjson.dumps(data).decode()))

    def known(self, worker: str, public: str) -> bool:
        """Keep the public key of a worker; false where it was let go meanwhile."""
        done = self._db.execute(
            "UPDATE fleet_memory SET data = json_set(data, '$[2]', ?) WHERE slice = ? AND name = ?",
            (public, self._slice, _PEER + worker),
        )
        return done.rowcount == 1

    def peers(self) -> list[Peer]:
        """Return all workers that have an address, also those that have not joined yet."""
        rows = self._db.execute(
            "SELECT name, data FROM fleet_memory WHERE slice = ? AND substr(name, 1, ?) = ? ORDER BY name",
            (self._slice, len(_PEER), _PEER),
        )
        return [Peer(name.removeprefix(_PEER), *orjson.loads(data)) for name, data in rows]

    def remove(self, worker: str) -> None:
        """Forget a worker; one that is not known is no error."""
        self._db.execute(
            "DELETE FROM fleet_memory WHERE slice = ? AND name = ?", (self._slice, _PEER + worker)
        )

    def clear(self) -> None:
        """Forget all workers and tunnels."""
        for one in self.peers():
            self.remove(one.worker)
        self.make([])

    def made(self) -> list[str]:
        """Return the names of the tunnels that the hub may have."""
        row = self._db.execute(
            "SELECT data FROM fleet_memory WHERE slice = ? AND name = ?", (self._slice, _MADE)
        ).fetchone()
        return list(orjson.loads(row[0])) if row else []

    def make(self, names: list[str]) -> None:
        """Keep which tunnels the hub may have: before they are made, and when they are gone."""
        self._db.write(_PUT, (self._slice, _MADE, orjson.dumps(names).decode()))
