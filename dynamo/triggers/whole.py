"""Whether a file is whole: its name, and whether some process still writes to it.

Paths enter, as something about them changed; files that are whole leave, each once as long as it stays as it is, and
paths that are no more. Nothing goes wrong: a file that cannot be looked at is not there.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
import signal
import stat
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import translate

from dynamo.triggers.arrival import Seen

__all__ = ["TEMPORARY", "Changes", "Files", "is_open_for_writing", "temporary"]

log = logging.getLogger(__name__)

#: Names of files that somebody is still writing, as editors, browsers and transfer programs call them. Names that
#: start with a dot, as rsync's, are always taken for such.
TEMPORARY = ("*.tmp", "*.part", "*.partial", "*.filepart", "*.crdownload", "*~", "*.swp")
#: Seconds without a change after which a file counts as whole, where nothing says whether it is being written.
SETTLE = 2.0
#: Seconds until a file is looked at again that is not whole.
AGAIN = 0.2

_Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Changes:
    """Files that are whole and new or rewritten, and paths that are no more."""

    seen: tuple[Seen, ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(slots=True)
class _Doubt:
    """A file that may still be written: as it was seen last, since when, and when to look again."""

    inputs: frozenset[str]
    stamp: _Stamp
    since: float
    look: float


class Files:
    """The files of a watch: those that were told, and those that are not whole yet. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[frozenset[str], _Stamp]] = {}
        self._doubts: dict[str, _Doubt] = {}
        self._seen: dict[tuple[str, str], Seen] = {}
        self._gone: dict[str, None] = {}
        self._odd: set[str] = set()

    @property
    def paths(self) -> set[str]:
        """Paths of all files, whole or not."""
        return {*self._known, *self._doubts}

    @property
    def due(self) -> float:
        """When to `review`; infinite where there is nothing in doubt."""
        return min((doubt.look for doubt in self._doubts.values()), default=float("inf"))

    def take(self) -> Changes:
        """Return what changed since the last time."""
        changes = Changes(tuple(self._seen.values()), tuple(self._gone))
        self._seen, self._gone = {}, {}
        return changes

    def review(self, now: float) -> None:
        """Look again at the files in doubt whose time has come."""
        for path, doubt in list(self._doubts.items()):
            if now >= doubt.look:
                self.check(path, doubt.inputs, now)

    def check(self, path: str, inputs: frozenset[str], now: float, *, closed: bool = False) -> None:
        """Look at a file of these inputs; `closed` where its writer is known to be ready. No empty file is whole."""
        if path in self._odd or not self._is_text(path):
            return
        try:
            state = os.stat(path)  # noqa: PTH116 - thousands
        except OSError:
            self._doubts.pop(path, None)
            return
        stamp = (state.st_size, state.st_mtime_ns)
        told = self._told(path, stamp)
        if not stat.S_ISREG(state.st_mode) or inputs <= told:
            return
        doubt = self._doubts.get(path)
        if doubt is None or doubt.stamp != stamp:
            doubt = _Doubt(inputs, stamp, now, now)
        is_open = False if closed else is_open_for_writing(path)
        if state.st_size and (is_open is False or (is_open is None and _is_quiet(state, now - doubt.since))):
            self._doubts.pop(path, None)
            self._known[path] = (inputs | told, stamp)
            self._seen |= {(name, path): Seen(name, path, *stamp) for name in sorted(inputs - told)}
        else:
            doubt.inputs |= inputs
            doubt.look = now + AGAIN
            self._doubts[path] = doubt

    def _told(self, path: str, stamp: _Stamp) -> frozenset[str]:
        """Return the inputs for which a file was told as it is."""
        inputs, known = self._known.get(path, (frozenset(), None))
        return inputs if known == stamp else frozenset()

    def _is_text(self, path: str) -> bool:
        """Whether a path can be recorded and printed; tell it once where not."""
        try:
            path.encode()
        except UnicodeEncodeError:
            self._odd.add(path)
            log.warning("%a is left out: its name is not UTF-8", path)
            return False
        return True

    def lose(self, path: str) -> None:
        """Note that a file is no more under this path."""
        self._doubts.pop(path, None)
        if path in self._known:
            self._seen = {key: seen for key, seen in self._seen.items() if key[1] != path}
            del self._known[path]
            self._gone[path] = None


def _is_quiet(state: os.stat_result, unchanged: float) -> bool:
    # The time of the last change of any kind (ctime) cannot be set, unlike that of the content.
    return unchanged >= SETTLE or time.time() - state.st_ctime > SETTLE


def temporary(patterns: Iterable[str] = TEMPORARY) -> re.Pattern[str]:
    """Return one pattern that matches all these names, and names that start with a dot."""
    return re.compile("|".join([r"\..*\Z", *map(translate, patterns)]), re.DOTALL)


def is_open_for_writing(path: str) -> bool | None:
    """Whether some process has the file open for writing; None where the system does not tell.

    Linux gives a read lease only on a file that nobody writes to, and only to its owner or the superuser, on local
    file systems (fcntl(2)). It is given back at once. Who opens the file in that moment waits for that, and we get
    a signal, which is set to one that is ignored.
    """
    if sys.platform != "linux":
        return None
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    else:
        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False
    finally:
        os.close(fd)
