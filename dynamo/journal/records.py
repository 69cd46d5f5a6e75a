"""What the journal holds, as frozen rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from dynamo.worker.job import Made

__all__ = ["Attempt", "AttemptOutcome", "Parts", "Result", "RunRecord", "RunState", "TaskRecord", "TaskState"]

RunState: TypeAlias = Literal["running", "done", "failed", "interrupted"]
TaskState: TypeAlias = Literal["running", "done", "reused", "failed", "blocked"]
AttemptOutcome: TypeAlias = Literal["running", "ok", "failed", "blocked", "lost", "timeout", "memory"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the key of a task is made of, so that a change can be named."""

    code: str
    params: Mapping[str, Any]
    inputs: Mapping[str, str]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What a task made: for a key, the outputs by name, and the run it was made in."""

    key: str
    run: str
    task: str
    made: Mapping[str, Made]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: its id, state, times (Unix seconds) and settings. The graph is read apart."""

    id: str
    workflow: str
    state: RunState
    created: float
    ended: float | None
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """How a task of a run stands; a task that waits has no record."""

    task: str
    step: str
    state: TaskState
    reason: str
    key: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one task; times are Unix seconds, memory and log bytes."""

    task: str
    n: int
    worker: str
    started: float
    ended: float | None
    outcome: AttemptOutcome
    error: str
    exit: int | None
    cpu: float
    peak: int
    logged: int
