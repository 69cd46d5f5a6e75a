"""The files of one run that exist: their digests, where they are, and whether they are still what they were."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress

from dynamo.engine.known import Facts
from dynamo.worker.job import Made
from dynamo.worker.store import digest_file, stored_path

__all__ = ["Files"]


class Files:
    """Files by their name in the graph: those from outside, and those in `store` that tasks have made."""

    def __init__(self, store: str, facts: Facts) -> None:
        self._store = store
        self._facts = facts
        self.digests: dict[str, str] = {}
        self.paths: dict[str, str] = {}
        #: Size and time of change (ns) when the digest was taken.
        self._states: dict[str, tuple[int, int]] = {}
        self._outside: set[str] = set()

    def bring_in(self, sources: Mapping[str, str]) -> None:
        """Take the digests of files from outside, name to path; raises `DataError` where one cannot be read."""
        digests = {name: self._facts.source(name, path) for name, path in sources.items()}
        self.digests.update(digests)
        self.paths.update((name, os.path.abspath(path)) for name, path in sources.items())
        self._states.update((name, self._facts.states[path]) for name, path in sources.items())
        self._outside.update(sources)

    def add(self, made: Mapping[str, Made]) -> None:
        """Note what a task has made."""
        for name, file in made.items():
            self.digests[name] = file.digest
            self.paths[name] = stored_path(self._store, file.digest)
            self._states[name] = (file.size, file.mtime)

    def size(self, name: str) -> int:
        """Return the bytes of a file that exists."""
        return self._states[name][0]

    def changed(self, names: Iterable[str]) -> str:
        """Return the first that is no longer what its digest was taken of: what was made of it has no key.

        A stored file is taken out of the store, so that nothing else reads it; the next run makes it anew.
        """
        for name in names:
            path, stored = self.paths[name], self._states[name]
            outside = name in self._outside
            try:
                state = os.stat(path)
                same = (state.st_size, state.st_mtime_ns) == stored or digest_file(path) == self.digests[name]
            except OSError:  # an outside file may be removed as soon as it was read
                same = outside
            if not same:
                if not outside:
                    with suppress(OSError):
                        os.unlink(path)
                return name
        return ""
