"""Watching folders: files are told once they are whole, and when they are deleted.

Enter: globs of inputs. Leave: `Seen` files and deleted paths. On Linux the kernel tells when a writer closed a file or
renamed it into place (inotify); elsewhere, and on file systems of a network, folders are looked at twice a second.
A scan of everything now and then finds what was missed. Goes wrong: a folder that cannot be read (`UserError` at the
start, told as `blind` later).
"""

from __future__ import annotations

import logging
import math
import os
import select
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

from dynamo.errors import UserError
from dynamo.triggers.disk import above, entries, is_folder, is_gone, network, notifier, refused
from dynamo.triggers.tree import Glob, Place, entry
from dynamo.triggers.whole import TEMPORARY, Changes, Files, temporary

__all__ = ["Changes", "Watcher"]

log = logging.getLogger(__name__)

#: Seconds between scans of everything: where the kernel tells of changes, and where it does not.
SCAN = 60.0
POLL = 0.5


class Watcher:
    """Watch all files that some globs match; one thread.

    Parameters
    ----------
    globs
        Patterns by input, relative ones starting at the working directory, ``~`` the home.
    skip
        Names of files that are still being written, in addition to names with a dot in front.
    poll
        Whether to look at the folders twice a second instead of being told; by default where it must be so.
    scan_every
        Seconds between scans of everything.

    Attributes
    ----------
    blind
        Folders that cannot be looked into now, and why: those of globs, and those that were looked into before.

    Raises
    ------
    UserError
        The folder of a glob cannot be read.
    """

    def __init__(
        self,
        globs: Mapping[str, Sequence[str]],
        *,
        skip: Sequence[str] = TEMPORARY,
        poll: bool = False,
        scan_every: float = SCAN,
    ) -> None:
        self._globs = [
            Glob.parse(name, os.path.abspath(os.path.expanduser(pattern)))  # noqa: PTH100, PTH111 - no links
            for name, patterns in globs.items()
            for pattern in patterns
        ]
        self._skip = temporary(skip)
        self._scan_every = scan_every
        self._files = Files()
        self._found: set[str] = set()  # by the scan
        self.blind: dict[str, str] = {}
        self._looked: set[str] = set()  # folders of globs, and those that could be looked into
        self._folders: dict[str, set[Place]] = {}
        self._watches: dict[int, str] = {}
        self._above: dict[int, set[str]] = {}
        self._told: set[str] = set()
        self._polled = poll
        self._inotify: Any
        self._inotify, why_not = (None, "") if poll else notifier()
        if why_not:
            self._poll(why_not)
        self._next_scan = -float("inf")
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        for glob in self._globs:
            if why := refused(glob.base):
                self.close()
                for_ = f"which is to be watched for {glob.input!r}"
                raise UserError(f"cannot read the folder {glob.base}, {for_}: {why}")

    def _poll(self, reason: str) -> None:
        self._polled = True
        self._tell(f"folders are looked at every {POLL:g} s for new files: {reason}")

    def _tell(self, text: str) -> None:
        """Log something once."""
        if text not in self._told:
            self._told.add(text)
            log.warning(text)

    def close(self) -> None:
        """Stop watching."""
        if self._inotify is not None:
            self._inotify.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def descriptors(self) -> list[int]:
        """What becomes readable when there is something to look at, for `select` or an event loop."""
        return [self._wake_read] + ([self._inotify.fileno()] if self._inotify is not None else [])

    @property
    def due(self) -> float:
        """The monotonic time at which to look, also if nothing is told."""
        return min(self._next_scan, self._files.due)

    def wait(self, until: float) -> None:
        """Sleep until something happens, `wake` is called, or the monotonic time `until` or `due` is there."""
        timeout = max(0.0, min(until, self.due) - time.monotonic())
        poll = select.poll()
        for descriptor in self.descriptors:
            poll.register(descriptor, select.POLLIN)
        if self._wake_read in dict(poll.poll(math.ceil(timeout * 1000))):
            os.read(self._wake_read, 4096)

    def wake(self) -> None:
        """End a `wait`; from any thread or signal handler."""
        with suppress(BlockingIOError):  # it is full: there is a wake-up waiting
            os.write(self._wake_write, b"x")

    def look(self) -> Changes:
        """Return what changed since the last time; the first time all that is there. Does not wait."""
        now = time.monotonic()
        if self._inotify is not None:
            self._read(now)
        if now >= self._next_scan:
            self._scan(now)
        self._files.review(now)
        return self._files.take()

    # What the kernel tells

    def _read(self, now: float) -> None:
        from inotify_simple import flags  # type: ignore[import-untyped]

        for wd, mask, _, name in self._inotify.read(timeout=0):
            if mask & flags.Q_OVERFLOW:
                log.warning("more files changed at once than the system tells of; looking at all folders")
                self._next_scan = now
            elif mask & flags.IGNORED:
                self._forget(wd)
            elif mask & flags.MOVE_SELF:
                self._remove(wd)
                self._next_scan = now
            elif name in self._above.get(wd, ()) or mask & (flags.DELETE_SELF | flags.UNMOUNT):
                self._next_scan = now
            elif mask & flags.ATTRIB:  # who may look into a folder may be others now
                if mask & flags.ISDIR:
                    self._next_scan = now
            elif wd in self._watches:
                self._event(self._watches[wd], name, mask, now)

    def _forget(self, wd: int) -> None:
        self._above.pop(wd, None)
        folder = self._watches.pop(wd, None)
        if folder is not None and folder not in self._watches.values():  # it may have been made again
            self._folders.pop(folder, None)

    def _event(self, folder: str, name: str, mask: int, now: float) -> None:
        from inotify_simple import flags

        path = os.path.join(folder, name)  # noqa: PTH118 - for each event
        inputs, below = entry(self._folders.get(folder, ()), name)
        if mask & flags.ISDIR:
            if mask & (flags.DELETE | flags.MOVED_FROM):
                self._next_scan = now  # what was below it is found missing
            elif below:
                self._enter(path, below, now)
        elif below and os.path.islink(path):  # noqa: PTH114
            self._next_scan = now
        elif inputs and not self._skip.match(name):
            if mask & (flags.DELETE | flags.MOVED_FROM):
                self._files.lose(path)
            else:  # a link is whole when it is made, or open under its other name
                closed = bool(mask & (flags.CLOSE_WRITE | flags.MOVED_TO))
                self._files.check(path, frozenset(inputs), now, closed=closed)

    # Scanning

    def _scan(self, now: float) -> None:
        """Look at all folders, and watch those that are not watched yet."""
        before = self._files.paths
        self._looked = (self._looked & self._folders.keys()) | {
            os.path.realpath(glob.base) for glob in self._globs
        }
        self._found, self._folders, self.blind = set(), {}, {}
        for glob in self._globs:
            self._watch_above(glob.base)
            if is_gone(glob.base):
                self._tell(f"there is no folder {glob.base} yet; waiting for it")
            self._enter(os.path.realpath(glob.base), {Place(glob)}, now)
        for wd in [wd for wd, folder in self._watches.items() if folder not in self._folders]:
            self._remove(wd)
        for path in before - self._found:
            if is_gone(path):
                self._files.lose(path)
        self._next_scan = now + (POLL if self._polled else self._scan_every)

    def _remove(self, wd: int) -> None:
        if wd in self._above:
            self._watches.pop(wd, None)
            return
        with suppress(OSError):  # the folder is gone, and its watch with it
            self._inotify.rm_watch(wd)
        self._forget(wd)

    def _enter(self, folder: str, places: set[Place], now: float) -> None:
        """Watch a folder and what is below it, and look at what is there already."""
        todo = [(folder, places)]
        while todo:
            folder, places = todo.pop()
            known = self._folders.setdefault(folder, set())
            if places <= known:
                continue
            known |= places
            self._watch(folder)  # before it is looked at, so that nothing falls between
            try:
                for item in entries(folder):
                    todo += self._item(item, known, now)
                self._looked.add(folder)
            except FileNotFoundError:
                self._folders.pop(folder, None)
            except OSError as error:
                if folder in self._looked:
                    self.blind[folder] = error.strerror or str(error)
                else:  # nobody's, such as lost+found
                    self._tell(f"cannot look into {folder}: {error.strerror or error}")

    def _item(
        self, item: os.DirEntry[str], places: Iterable[Place], now: float
    ) -> list[tuple[str, set[Place]]]:
        inputs, below = entry(places, item.name)
        if below and is_folder(item):
            if not item.is_symlink():
                return [(item.path, below)]
            # Links are followed where a name asks for it; with ** they might go round in circles.
            named = {place for place in below if place.glob.parts[place.used - 1] != "**" and place.used}
            return [(os.path.realpath(item.path), named)] if named else []
        if inputs and not self._skip.match(item.name):
            self._found.add(item.path)
            self._files.check(item.path, frozenset(inputs), now)
        return []

    def _watch_above(self, base: str) -> None:
        """Be told when the folder of a glob is made, or made again: watch the nearest one above it."""
        if self._inotify is None:
            return
        from inotify_simple import flags

        mask = (
            flags.CREATE | flags.MOVED_TO | flags.DELETE | flags.MOVED_FROM | flags.ONLYDIR | flags.MASK_ADD
        )
        for folder, name in above(base):
            with suppress(OSError):  # it may not be readable; the scan finds what it does not tell
                self._above.setdefault(self._inotify.add_watch(folder, mask), set()).add(name)

    def _watch(self, folder: str) -> None:
        if self._inotify is None:
            return
        from inotify_simple import flags

        mask = (
            flags.CLOSE_WRITE | flags.MOVED_TO | flags.MOVED_FROM | flags.CREATE | flags.DELETE | flags.DELETE_SELF
            | flags.MOVE_SELF | flags.ATTRIB | flags.ONLYDIR | flags.MASK_ADD
        )  # fmt: skip
        try:
            wd = self._inotify.add_watch(folder, mask)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return  # what may not be looked into is told by who looks
        except OSError as error:
            self._poll(f"cannot watch {folder}: {error.strerror}")
            return
        is_new = self._watches.get(wd) != folder
        self._watches[wd] = folder
        if is_new and (kind := network(folder)):
            self._poll(f"{folder} is on {kind}")
