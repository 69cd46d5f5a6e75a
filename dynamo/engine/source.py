"""Source: where an engine's runs come from while it works, a list or all that a day brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dynamo.engine.events import Summary
from dynamo.engine.request import Request
from dynamo.errors import UserError
from dynamo.journal.database import DiskFullError

__all__ = ["Given", "Source"]


class Source(Protocol):
    """Gives an engine its runs, and is told how each ended; all in the engine's own thread."""

    @property
    def outlasts(self) -> bool:
        """Whether a task that finds the disk full waits until there is room; else it is tried again at once."""

    def fileno(self) -> int:
        """Return what becomes readable when there may be something to take; -1 for nothing."""

    def take(self, running: Sequence[str]) -> Sequence[Request] | None:
        """Return what is to be begun now, beside the runs of these ids; None when the engine shall stop."""

    def ended(self, summary: Summary) -> None:
        """Be told how a run ended; the journal has it already."""

    def refused(self, request: Request, error: UserError) -> None:
        """Be told that a run could not begin; to raise is to end everything."""

    def full(self, error: DiskFullError) -> None:
        """Be told that the disk has no room for the journal; to raise is to end everything.

        Else what runs is ended, what it wrote is removed, and it is begun again once there is room. Called again and
        again until then.
        """

    def waits(self, error: DiskFullError | None) -> None:
        """Be told that runs wait for room on the disk, again and again, and with None that no run does any more."""


class Given:
    """A list of runs, all at once; one that cannot begin is an error of all."""

    outlasts = False  # somebody waits

    def __init__(self, requests: Sequence[Request]) -> None:
        self._requests = list(requests)
        self._left: list[Request] = list(requests)
        self._ended: dict[str, Summary] = {}

    def fileno(self) -> int:
        """Nobody calls."""
        return -1

    def take(self, running: Sequence[str]) -> Sequence[Request] | None:
        """Give all, then nothing, and no more once all have ended."""
        wanted, self._left = self._left, []
        return wanted if wanted or running else None

    def ended(self, summary: Summary) -> None:
        """Keep it."""
        self._ended[summary.run] = summary

    def refused(self, request: Request, error: UserError) -> None:  # noqa: ARG002 - the error says which
        """End everything."""
        raise error

    def full(self, error: DiskFullError) -> None:
        """End everything: somebody waits."""
        raise error

    def waits(self, error: DiskFullError | None) -> None:
        """Let it wait for what runs."""

    def summaries(self) -> list[Summary]:
        """Return how each ended, in the order in which they were given."""
        return [self._ended[request.run] for request in self._requests]
