"""The folder that holds a workspace: journal, store, sandboxes, and one folder a run."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dynamo.errors import UserError, WorkspaceError
from dynamo.journal.database import DiskFullError
from dynamo.journal.locks import held, opened, take, take_alone

__all__ = ["UnderWayError", "Workspace"]


class UnderWayError(UserError):
    """Another process has a run, which may be over in a moment."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where things lie below one folder, by default ``.dynamo``."""

    root: Path

    @classmethod
    def open(cls, root: str | os.PathLike[str]) -> Workspace:
        """Make the folder where it is missing; raise `WorkspaceError` where it cannot be written."""
        workspace = cls(Path(root).absolute())
        try:
            for folder in (workspace.store, workspace.sandboxes, workspace.runs):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, f"{os.strerror(errno.EACCES)}: whose is it?")
        except OSError as error:
            raise WorkspaceError(
                f"cannot use the workspace {workspace.root}: {error.strerror}; "
                "choose another with `workspace:` in the run file or --workspace"
            ) from error
        return workspace

    @classmethod
    def find(cls, root: str | os.PathLike[str]) -> Workspace:
        """Return a workspace that exists; raise `UserError` where there is none."""
        workspace = cls(Path(root).absolute())
        if not workspace.journal.is_file():
            raise UserError(
                f"no runs here: there is no workspace {workspace.root}; name one with --workspace"
            )
        return workspace

    @property
    def journal(self) -> Path:
        """The database file."""
        return self.root / "journal.db"

    @property
    def store(self) -> Path:
        """Finished files by digest."""
        return self.root / "store"

    @property
    def sandboxes(self) -> Path:
        """Where tasks run."""
        return self.root / "sandboxes"

    @property
    def runs(self) -> Path:
        """One folder for each run: logs, lock, report."""
        return self.root / "runs"

    def log(self, run: str, task: str, n: int) -> str:
        """Path of the log of attempt `n` of a task; task ids may hold ``/``."""
        return f"{self.root}/runs/{run}/logs/{task}.{n}.log"

    def kept(self, run: str, task: str) -> str:
        """Path to which the sandbox of a task is moved that failed."""
        return f"{self.root}/runs/{run}/failed/{task}"

    def engine_folder(self) -> tuple[Path, IO[bytes]]:
        """Make the folder in which one engine's workers run tasks, and remove those of engines that are no more.

        Returns it with its open lock file: the folder belongs to the engine for as long as that is open. Raises
        `WorkspaceError` where nothing can be written.
        """
        try:
            return self._engine_folder()
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> WorkspaceError:
        kind = DiskFullError if error.errno in {errno.ENOSPC, errno.EDQUOT} else WorkspaceError
        at = "" if error.filename is None else f" ({error.filename})"
        return kind(f"cannot write in the workspace {self.root}: {error.strerror}{at}")

    def _engine_folder(self) -> tuple[Path, IO[bytes]]:
        with opened(self.root / "sandboxes.lock", self.journal) as gate:
            take(gate, fcntl.LOCK_EX)  # so that no engine finds the folder of another without its lock
            for old in self.sandboxes.iterdir():
                with suppress(PermissionError):  # another user's, which is not ours to remove
                    if not held(old / "lock"):
                        shutil.rmtree(old, ignore_errors=True)
            folder = self.sandboxes / f"{os.getpid()}-{os.urandom(4).hex()}"
            folder.mkdir()
            mark = (folder / "lock").open("wb")
            take(mark, fcntl.LOCK_EX)
        return folder, mark

    @contextmanager
    def lock(self, run: str) -> Iterator[None]:
        """Hold the lock of a run: whoever holds it is its engine. Freed by the kernel when the process ends.

        Raises `UnderWayError` where another process runs it, `WorkspaceError` where nothing can be written or locked,
        which is a `DiskFullError` for want of room.
        """
        folder = self.runs / run
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / "lock").open("a+b")
        except OSError as error:
            raise self._unwritable(error) from error
        with file:
            if not take_alone(file):
                raise UnderWayError(f"run {run} is under way in another process")
            with suppress(OSError):  # a full disk: only `holder` cannot tell
                os.truncate(file.fileno(), 0)
                os.write(file.fileno(), f"{socket.gethostname()} {os.getpid()}\n".encode())
            yield

    def holder(self, run: str) -> tuple[str, int]:
        """Return the host and process that hold the lock of a run, or had it last; empty and 0 where nobody knows."""
        try:
            host, pid = (self.runs / run / "lock").read_text().split()
            return host, int(pid)
        except (OSError, ValueError):
            return "", 0

    def is_live(self, run: str) -> bool:
        """Whether some process holds the lock of `run`; raises `WorkspaceError` where that cannot be told."""
        path = self.runs / run / "lock"
        try:
            return held(path)
        except OSError as error:
            raise WorkspaceError(
                f"cannot tell whether run {run} is under way: cannot open {path}: {error.strerror}"
            ) from error
