"""What is known of files, code and results: the journal, the store and the file system behind one face."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

import orjson

from dynamo.errors import DataError
from dynamo.graph import Graph
from dynamo.images.here import Here
from dynamo.images.image import Image
from dynamo.journal import Journal, Parts, Result, Workspace
from dynamo.planning import CodeVersions
from dynamo.worker.store import digest_file, stored_path

__all__ = ["Facts"]


class _Sources:
    """What was found in source files: as the journal knows it, and what is new.

    Apart from `Facts`, which would else refer to itself: an engine that runs for weeks leaves no work to Python's
    garbage collector, which large graphs are made past.
    """

    def __init__(self, journal: Journal) -> None:
        self.parsed = journal.parsed
        self.new: list[tuple[str, str, bytes]] = []

    def keep_parsed(self, path: str, state: str, found: bytes) -> None:
        """Keep what was found in a source file, until it is written."""
        self.new.append((path, state, found))


class Facts:
    """Answers for `dynamo.planning.plan.Known`; a digest taken once is kept while the file looks unchanged.

    `modules` are the folders from which workers import first; `images` the table of images where tasks run in
    containers.
    """

    def __init__(
        self,
        workspace: Workspace,
        journal: Journal,
        modules: Iterable[str] = (),
        images: Mapping[str, Image] | None = None,
    ) -> None:
        self._store = str(workspace.store)
        self._journal = journal
        #: Path to the size and time of change (ns) of an outside file when its digest was taken.
        self.states: dict[str, tuple[int, int]] = {}
        self._taken: list[tuple[str, int, int, int, str]] = []
        self._sources = _Sources(journal)
        versions = CodeVersions(self._sources, modules)
        self.code: Callable[[str], str] = versions.of
        self.unchanged: Callable[[str], bool] = versions.unchanged
        self.code_states = versions.states
        self.here = Here(images or {})
        self.image = self.here.identity
        self.result = journal.result
        self.latest: Callable[[str, str], tuple[str, Parts] | None] = journal.latest

    def source(self, name: str, path: str) -> str:
        """Return the digest of a file from outside; raise `DataError` where it is not a readable file."""
        try:
            state = os.stat(path)
            if not os.path.isfile(path):
                raise DataError(f"input {name!r}: {path} is a folder, not a file")
            known = self._journal.known_digest(path, state.st_size, state.st_mtime_ns, state.st_ino)
            if known is None:
                known = digest_file(path)
                self._taken.append((path, state.st_size, state.st_mtime_ns, state.st_ino, known))
            self.states[path] = (state.st_size, state.st_mtime_ns)
        except OSError as error:
            raise DataError(f"input {name!r}: cannot read {path}: {error.strerror}") from error
        return known

    def keep(self, patience: float = 0.0) -> None:
        """Write what was learnt of files since the last call into the journal; `patience` as its `change` has."""
        if self._taken or self._sources.new:
            with self._journal.change(patience):
                for row in self._taken:
                    self._journal.set_digest(*row)
                for source in self._sources.new:
                    self._journal.set_parsed(*source)
            self._taken, self._sources.new = [], []

    def described(self, result: Result) -> Graph:
        """Return what a run-time workflow described: its result is one hidden file."""
        (made,) = result.made.values()
        with open(stored_path(self._store, made.digest), "rb") as file:
            return Graph.from_json(orjson.loads(file.read()))

    def damage(self, result: Result) -> str:
        """Say which file of a result is missing from the store or was changed there."""
        for name, made in result.made.items():
            try:
                state = os.stat(stored_path(self._store, made.digest))
            except OSError:
                return f"output {name!r} is missing from the store"
            if state.st_size != made.size:
                return f"output {name!r} was damaged in the store"
            if (
                state.st_mtime_ns != made.mtime
                and digest_file(stored_path(self._store, made.digest)) != made.digest
            ):
                return f"output {name!r} was damaged in the store"
        return ""
