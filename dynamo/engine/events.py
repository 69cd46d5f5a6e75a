"""What the engine tells those who watch a run, and what it says at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Event", "Failure", "Kind", "Summary"]

#: ``started``, ``done``, ``reused``, ``failed``, ``blocked``, ``retried`` (a lost worker), ``waiting`` (again, since
#: its job ended before it began), ``left`` (not selected), ``added`` (a run-time workflow described more), ``warned``;
#: ``told``: what should be known of the run as a whole, until the next of these.
Kind: TypeAlias = Literal[
    "started", "done", "reused", "failed", "blocked", "retried", "waiting", "left", "added", "warned", "told"
]


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a task; `at` is Unix time, `seconds` how long it ran. Of the run, it names no task."""

    kind: Kind
    run: str
    task: str
    step: str
    at: float
    text: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that failed: by whom, why, and where to look.

    Parameters
    ----------
    task, step, place
        Which, and ``file:line`` of its call.
    error
        What went wrong.
    infrastructure
        Whether the machine failed and not the task.
    log
        Path of the full log; empty where nothing was written.
    tail
        The last lines of the log.
    sandbox
        Folder in which the task ran, kept to look at.
    blocked
        Ids of the tasks that could not run because of it.
    """

    task: str
    step: str
    place: str
    error: str
    infrastructure: bool
    log: str
    tail: str
    sandbox: str
    blocked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended; `unpublished` says of each product that could not be put in its place why.

    `missing` names the products that were not made, or not put in their place. None where nobody knows which those are:
    a run-time workflow failed, or could not run. `interrupted` where somebody ended it before all was done.
    """

    run: str
    workflow: str
    ran: int
    reused: int
    failures: tuple[Failure, ...]
    blocked: int
    left: int
    products: tuple[str, ...]
    folder: str
    seconds: float
    first: float
    warnings: tuple[str, ...] = ()
    unpublished: tuple[str, ...] = ()
    missing: tuple[str, ...] | None = ()
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Whether all that should run did, and all products are in their place."""
        return not (self.failures or self.blocked or self.unpublished or self.interrupted)
