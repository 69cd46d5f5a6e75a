"""Whether a running task has broken a limit, and what a lost worker means. Pure decisions."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Literal

from dynamo.graph.needs import Needs
from dynamo.graph.units import format_bytes, format_seconds

__all__ = ["RETRIES", "Breach", "Lost", "breach", "how_it_died"]

#: How often a task whose worker died is tried again.
RETRIES = 2


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that a task broke; its process group is then killed."""

    outcome: Literal["timeout", "memory", "lost"]
    error: str


@dataclass(frozen=True, slots=True)
class Lost:
    """How a worker ended: exit code of the process (negative: signal), and whether the kernel ran out of memory.

    ``unstarted`` says why its container could not be started, empty where it was; ``limit`` is that of the memory of
    its container, bytes, 0 for none.
    """

    returncode: int
    oom: bool
    unstarted: str = ""
    limit: int = 0


def breach(needs: Needs, seconds: float, grown: int) -> Breach | None:
    """Return the limit that a task broke which has run for `seconds` and added `grown` bytes to its worker."""
    if needs.timeout and seconds > needs.timeout:
        return Breach(
            "timeout",
            f"ran longer than its timeout of {format_seconds(needs.timeout)} and was killed; its log ends with "
            "where it was",
        )
    if needs.memory and grown > needs.memory:
        return Breach(
            "memory",
            f"needed {format_bytes(grown)} of memory, more than the {format_bytes(needs.memory)} it declares, and "
            "was killed; declare more with memory=, or use less",
        )
    return None


def how_it_died(lost: Lost) -> str:
    """Say in words how a worker ended that nobody asked to end."""
    if lost.unstarted:
        return f"the container of its worker could not be started: {lost.unstarted}"
    if lost.returncode >= 0:
        return f"the worker process ended by itself with exit code {lost.returncode} (did the task call os._exit?)"
    number = -lost.returncode
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "an unknown signal"
    cause = ""
    if number == signal.SIGKILL and lost.oom and lost.limit:
        cause = (
            f"; its container came upon its limit of {format_bytes(lost.limit)} of memory: declare more with memory=, "
            "or use less"
        )
    elif number == signal.SIGKILL:
        cause = (
            "; the machine ran out of memory"
            if lost.oom
            else "; somebody killed it, or the machine ran out of memory"
        )
    elif number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE):
        cause = "; a fault in compiled code that the task uses"
    return f"the worker process was killed by signal {number} ({name}){cause}"
