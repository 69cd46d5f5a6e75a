"""How the jobs of a DAG stand, as far as somebody should know of it: what waits for long, is held, or is not heard of.

Enters: events, in order. Leaves: words. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from dynamo.condor.log import Happened
from dynamo.graph.units import format_count, format_seconds

__all__ = ["Standing"]

#: Seconds for which a job may wait for a slot before it is told, and in steps of which it is told from then on.
PATIENCE = 15.0
State: TypeAlias = Literal["waits", "runs", "held", "silent"]
_STATES: dict[str, State] = {
    "submitted": "waits", "away": "waits", "released": "waits", "began": "runs", "back": "runs", "held": "held",
    "silent": "silent",
}  # fmt: skip


class Standing:
    """The state of each job that is in the queue; that of the DAG itself has an empty name."""

    def __init__(self) -> None:
        #: Job to its state, since when (Unix seconds), and why.
        self._jobs: dict[str, tuple[State, float, str]] = {}

    def take(self, what: Happened, now: float) -> None:
        """Take in one event, as it is read: times in a log are those of another machine."""
        state = _STATES.get(what.kind)
        if state is None or (not what.job and state != "held"):
            self._jobs.pop(what.job, None)
        else:
            self._jobs[what.job] = (state, now, what.text)

    def waiting(self, now: float) -> float:
        """Return for how many seconds the job that waits longest has waited for a slot, if others run or not."""
        return max((now - since for state, since, _ in self._jobs.values() if state == "waits"), default=0.0)

    def words(self, now: float) -> str:
        """Return what should be known; empty where all goes well."""
        return "; ".join(self._troubles(now))

    def _troubles(self, now: float) -> Iterator[str]:
        held = self._in("held")
        if held:
            job, _, why = held[0]
            yield f"{format_count(len(held), 'job')} held, {job or 'the DAG itself'}: {why}"
        for job, since, why in self._in("silent")[:1]:
            yield (
                f"the machine of {job} has not answered for {_steps(now - since)} ({why.strip()}); when its lease ends "
                "the job is begun again elsewhere"
            )
        longest = self.waiting(now)
        if longest >= PATIENCE:
            count = sum(now - since >= PATIENCE for _, since, _ in self._in("waits"))
            runs = len(self._in("runs"))
            yield (
                f"{format_count(count, 'job waits', 'jobs wait')} for a slot, for {_steps(longest)}"
                f"{f', while {runs} run' if runs > 1 else ', while one runs' if runs else ''}"
            )

    def _in(self, state: State) -> list[tuple[str, float, str]]:
        return [(job, since, why) for job, (is_, since, why) in self._jobs.items() if is_ == state]


def _steps(seconds: float) -> str:
    """Return a time in whole steps, so that it is not told anew each second; later in longer ones."""
    step = PATIENCE if seconds < 120 else 60.0
    return format_seconds(seconds // step * step)
