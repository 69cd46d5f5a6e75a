"""The folder that holds a workspace: journal, store, sandboxes, and one folder a run."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dynamo.errors import UserError, WorkspaceError

__all__ = ["Workspace"]


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
            raise UserError(f"no runs here: there is no workspace {workspace.root}; name one with --workspace")
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
        return f"{self.runs}/{run}/logs/{task}.{n}.log"

    @contextmanager
    def lock(self, run: str) -> Iterator[None]:
        """Hold the lock of a run: whoever holds it is its engine. Freed by the kernel when the process ends.

        Raises `UserError` where another process runs it.
        """
        folder = self.runs / run
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"run {run} is under way in another process") from None
            yield

    def is_live(self, run: str) -> bool:
        """Whether some process holds the lock of `run`."""
        try:
            with (self.runs / run / "lock").open("r") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False
