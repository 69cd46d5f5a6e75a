"""How the jobs of a DAG stand, as far as somebody should know of it: what waits for long, is held, or is not heard of.

Enters: events, in order. Leaves: words. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dynamo.condor.log import Happened
from dynamo.graph.units import format_count, format_seconds

__all__ = ["Standing"]

#: Seconds for which a job may wait for a slot before it is told, and in steps of which it is told from then on.
PATIENCE = 15.0
#: How often a job is given back before it begins, until that is told.
REFUSED = 3
State: TypeAlias = Literal["waits", "runs", "held", "silent"]
_STATES: dict[str, State] = {
    "submitted": "waits", "away": "waits", "released": "waits", "began": "runs", "back": "runs", "held": "held",
    "silent": "silent",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Job:
    """What is known of a job: its state, since when (Unix seconds), and why.

    And how often a machine gave it back since then before it began, which one last.
    """

    state: State
    since: float
    why: str
    refused: int = 0
    machine: str = ""


class Standing:
    """The state of each job that is in the queue; that of the DAG itself has an empty name."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}

    def take(self, what: Happened, now: float, *, counts: bool = True) -> None:
        """Take in one event, as it is read: times in a log are those of another machine.

        Of what does not count, the DAG itself, say, or its last node, only holds are told.
        """
        state, before = _STATES.get(what.kind), self._jobs.get(what.job)
        if state is None or not (counts or state == "held"):
            self._jobs.pop(what.job, None)
        elif before is None or before.state != state:
            self._jobs[what.job] = _Job(state, now, what.text)
        elif what.machine and state == "waits":
            self._jobs[what.job] = _Job(state, before.since, what.text, before.refused + 1, what.machine)

    def words(self, now: float) -> str:
        """Return what should be known; empty where all goes well."""
        return "; ".join(self._troubles(now))

    def _troubles(self, now: float) -> Iterator[str]:
        held = self._in("held")
        for name, job in held[:1]:
            yield f"{format_count(len(held), 'job')} held, {name or 'the DAG itself'}: {job.why}"
        for name, job in self._in("silent")[:1]:
            yield (
                f"the machine of {name} has not answered for {_steps(now - job.since)} ({job.why.strip()}); when its "
                "lease ends the job is begun again elsewhere"
            )
        waiting = self._in("waits")
        for name, job in [(name, job) for name, job in waiting if job.refused >= REFUSED][:1]:
            yield (
                f"{name} is given back by {job.machine} before it begins, again and again ({job.why}): ask the pool's "
                "administrator to look at that machine"
            )
        long = [now - job.since for _, job in waiting if now - job.since >= PATIENCE]
        if long:
            runs = len(self._in("runs"))
            beside = f", while {runs} run" if runs > 1 else ", while one runs" if runs else ""
            count = format_count(len(long), "job waits", "jobs wait")
            yield f"{count} for a slot, for {_steps(max(long))}{beside}"

    def _in(self, state: State) -> list[tuple[str, _Job]]:
        return [(name, job) for name, job in self._jobs.items() if job.state == state]


def _steps(seconds: float) -> str:
    """Return a time in whole steps, so that it is not told anew each second; later in longer ones."""
    step = PATIENCE if seconds < 120 else 60.0
    return format_seconds(seconds // step * step)
