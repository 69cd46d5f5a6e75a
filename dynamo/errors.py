"""The whole error tree; every message says who must act.

::

    DynamoError
    ├── UserError              your workflow, run file, data or arguments       exit code 2
    │   ├── WorkflowError      the graph a workflow describes is not legal
    │   ├── RunFileError       the run file cannot be read or does not fit
    │   └── DataError          an input file is not what it should be
    ├── InfrastructureError    a machine, network or cloud                      exit code 3
    │   └── WorkspaceError     the journal or store cannot be used
    └── InternalError          our bug                                          exit code 4

An interrupted run ends with exit code 130 and can be resumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "DataError",
    "DynamoError",
    "InfrastructureError",
    "InternalError",
    "Place",
    "RunFileError",
    "UserError",
    "WorkflowError",
    "WorkspaceError",
    "nearest",
]

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a user's file a fault lies: file, and line and column from 1 (0 = unknown)."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        parts = [self.file]
        if self.line:
            parts.append(str(self.line))
            if self.column:
                parts.append(str(self.column))
        return ":".join(parts)


class DynamoError(Exception):
    """The root: a message, and the place of the fault where one is known."""

    exit_code: ClassVar[int] = 4

    def __init__(self, message: str, *, place: Place | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.place = place

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class UserError(DynamoError):
    """Your workflow, run file, data or arguments are not right; you must act."""

    exit_code = 2


class WorkflowError(UserError):
    """A workflow describes a graph that is not legal."""


class RunFileError(UserError):
    """A run file cannot be read, or something in it does not fit."""


class DataError(UserError):
    """An input file is missing, damaged, or does not hold what was asked of it."""


class InfrastructureError(DynamoError):
    """A machine, network or cloud failed; retried where that is safe."""

    exit_code = 3


class WorkspaceError(InfrastructureError):
    """The workspace (journal, store, sandboxes) cannot be used."""


class InternalError(DynamoError):
    """A fault of dynamo itself; please report it with the traceback."""

    exit_code = 4


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known word closest to `word`, in whatever case, or an empty string."""
    from difflib import get_close_matches

    known = list(known)
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if not close:
        alike = {one.casefold(): one for one in reversed(known)}
        close = [alike[one] for one in get_close_matches(word.casefold(), alike, n=1, cutoff=0.6)]
    return f" (did you mean {close[0]!r}?)" if close else ""
