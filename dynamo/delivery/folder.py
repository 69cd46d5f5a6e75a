"""Folder: one file an alert, for programs that watch a folder.

An alert enters, a file appears, whole or not at all; its name begins with the time and holds the id of the
delivery, so a repeated delivery makes no second file while the first is there. Goes wrong: the disk, which may be
better at the next try. A process killed while it writes leaves a hidden file that ends in ``.part``; the next one of
this name removes it, known by the lock that nobody holds any more.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import tempfile
import threading
from contextlib import suppress
from datetime import UTC
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

from dynamo.alerts.alert import Alert
from dynamo.alerts.forms import Form, Message, write
from dynamo.delivery.channel import Outcome

__all__ = ["Folder"]


class Folder:
    """A channel that drops files.

    Parameters
    ----------
    name
        What the run file calls it.
    folder
        Where; made when the first alert comes.
    form
        What is in the files; as ``cloudevents-binary`` that is GeoJSON.
    """

    def __init__(self, name: str, folder: Path, form: Form = "geojson") -> None:
        self.name = name
        self.folder = folder
        self.form = form
        self._mark = f".{blake2b(name.encode(), digest_size=4).hexdigest()}-"
        self._is_tidy = False
        self._tidying = threading.Lock()

    async def send(self, alert: Alert, delivery: str) -> Outcome:
        """Write the file, unless it is there."""
        try:
            message = write(alert, self.form)
            at = f"{alert.sent.astimezone(UTC):%Y%m%dT%H%M%SZ}"
            file = self.folder / f"{at}-{quote(delivery, safe='')}{message.suffix}"
            return await asyncio.to_thread(self._drop, file, message)
        except OSError as error:
            return Outcome("again", f"{error.filename or self.folder}: {error.strerror or error}")

    async def close(self) -> None:
        """Nothing is kept open."""

    def _drop(self, file: Path, message: Message) -> Outcome:
        with self._tidying:  # before any is begun: one that is not locked yet looks like one that is left
            # What was being written when a process was killed is sent again, so this comes soon.
            if not self._is_tidy:
                _tidy(file.parent, self._mark)
                self._is_tidy = True
        if file.exists():
            return Outcome("sent", f"{file.name} was there already")
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(suffix=".part", prefix=self._mark, dir=file.parent)
        try:
            with os.fdopen(descriptor, "wb") as target:
                with suppress(OSError):  # a file system without locks: nothing is tidied there, either
                    fcntl.flock(target, fcntl.LOCK_EX | fcntl.LOCK_NB)
                target.write(message.body)
                target.flush()
                os.fchmod(target.fileno(), 0o644)  # others read it: a temporary file is its owner's alone
                os.fsync(target.fileno())
                Path(part).replace(file)
        except BaseException:  # also Ctrl-C: nothing half made is left behind
            with suppress(OSError):
                Path(part).unlink()
            raise
        _sync(file.parent)
        return Outcome("sent", file.name)


def _tidy(folder: Path, mark: str) -> None:
    """Remove what writers left that were killed; one that is still at it holds a lock."""
    for part in folder.glob(f"{mark}*.part"):
        with suppress(OSError), part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()


def _sync(folder: Path) -> None:
    """Make the name of a file last, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
