"""The index of archived windows: which are done as they are asked for now, told at one look at each.

A window is done where its files, parameters and code are what they were, and all that it made stands as it was made.
What is not goes to the engine, where content keys decide. Kept in the journal; goes wrong: `WorkspaceError`.
"""
# A million products are looked at before anything runs; a pathlib object for each costs more than the look.
# ruff: noqa: PTH116, PTH118

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import orjson

from dynamo.journal.database import Opened

__all__ = ["Entry", "Index", "States"]

_BEGIN = "INSERT OR REPLACE INTO archived (feed, time, asked, run, at) VALUES (?, ?, ?, ?, ?)"
_END = (
    "UPDATE archived SET done = 1, folder = ?, files = ?, stamp = ?, wrote = ?, at = ?"
    " WHERE feed = ? AND time = ? AND run = ?"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one window; `asked` and `stamp` are digests, `wrote` what its tasks had to say."""

    asked: str
    run: str
    done: bool
    folder: str
    files: bytes
    stamp: str
    wrote: str

    def paths(self) -> list[str]:
        """Return the files that must be as they were: products, and what else it was made of."""
        named = orjson.loads(zlib.decompress(self.files)) if self.files else []
        return [os.path.join(self.folder, name) for name in named]


class States:
    """How files look: size and time of change, each asked of the disk once where it is `kept`."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def of(self, path: str, *, kept: bool = False) -> str:
        """Return how a file looks; empty where it is not there."""
        if path in self._kept:
            return self._kept[path]
        try:
            state = os.stat(path)
            found = f"{state.st_size} {state.st_mtime_ns}"
        except OSError:
            found = ""
        if kept:
            self._kept[path] = found
        return found

    def stamp(self, paths: Iterable[str]) -> str:
        """Return a digest of how these files look; empty where one is not there."""
        states = [self.of(path) for path in paths]
        if not all(states):
            return ""
        return blake2b("\n".join(states).encode(), digest_size=16).hexdigest()


class Index(Opened):
    """The windows of one feed; for one thread."""

    def __init__(self, path: Path, feed: str) -> None:
        super().__init__(path, (_BEGIN, _END))
        self._feed = feed

    def entries(self, first: float, last: float) -> dict[float, Entry]:
        """Return what is known of the windows of a range, by their times."""
        rows = self._db.execute(
            "SELECT time, asked, run, done, folder, files, stamp, wrote FROM archived"
            " WHERE feed = ? AND time BETWEEN ? AND ?",
            (self._feed, first, last),
        )
        return {at: Entry(asked, run, bool(done), *rest) for at, asked, run, done, *rest in rows}

    def begin(self, at: float, asked: str, run: str) -> None:
        """Record that a window is to be run, before its run begins."""
        with self.change():
            self._db.write(_BEGIN, (self._feed, at, asked, run, time.time()))

    def end(
        self, at: float, run: str, folder: str, products: Sequence[str], others: Sequence[str], wrote: str
    ) -> None:
        """Record that a window is done: what it made in `folder`, and the `others` that it was made of."""
        names = [os.path.relpath(path, folder) for path in products] + list(others)
        stamp = States().stamp([os.path.join(folder, name) for name in names])
        files = zlib.compress(orjson.dumps(names), 1)
        with self.change():
            self._db.write(_END, (folder, files, stamp, wrote, time.time(), self._feed, at, run))
