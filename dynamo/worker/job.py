"""What is asked of a worker and what it answers: `Job`, `Order`, `Report`; JSON both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from dynamo.graph.model import Kind, Names, Task

__all__ = ["Job", "Made", "Order", "Outcome", "Report", "found_name"]

#: ``ok``; ``failed``: the task did wrong; ``blocked``: an input that this job should have made is not there;
#: ``full``: its disk or the user's share of it is full; ``trouble``: the machine did wrong otherwise.
Outcome: TypeAlias = Literal["ok", "failed", "blocked", "full", "trouble"]


@dataclass(frozen=True, slots=True)
class Order:
    """One task of a job.

    ``paths`` maps each input file name to its path, or to ``""`` for a file that an earlier task of the same
    job makes. Its output is written to ``log``; should it fail, its sandbox is moved to ``keep``. ``container`` is
    what a command runs in by itself (`dynamo.images.command.Box`), None for none. The other fields are those of
    `dynamo.graph.Task`.
    """

    id: str
    kind: Kind
    call: str
    inputs: Mapping[str, Names]
    outputs: Mapping[str, Names]
    params: Mapping[str, Any]
    argv: tuple[str, ...]
    paths: Mapping[str, str]
    log: str
    keep: str
    container: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls,
        task: Task,
        paths: Mapping[str, str],
        log: str,
        keep: str,
        container: Mapping[str, Any] | None = None,
    ) -> Order:
        """Return the order to run `task`; a run-time workflow leaves what it describes in one hidden file."""
        outputs: Mapping[str, Names] = task.outputs
        params: Mapping[str, Any] = task.params
        if task.kind == "expand":
            params = {"outputs": dict(task.outputs), "params": dict(task.params)}
            outputs = {"found": found_name(task)}
        return cls(
            task.id,
            task.kind,
            task.call,
            task.inputs,
            outputs,
            params,
            task.argv,
            paths,
            log,
            keep,
            container,
        )


def found_name(task: Task) -> str:
    """Name of the hidden file in which a run-time workflow leaves what it described."""
    return f".{task.id}.graph.json"


@dataclass(frozen=True, slots=True)
class Job:
    """Tasks that one worker runs one after another in one process.

    Parameters
    ----------
    id
        Names the job among those under way.
    orders
        The tasks, each after those whose files it reads.
    store
        Folder of finished files, named by digest.
    """

    id: str
    orders: tuple[Order, ...]
    store: str

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Job:
        """Read back the JSON that ``orjson.dumps`` makes of it."""
        orders = tuple(Order(**{**o, "argv": tuple(o["argv"])}) for o in data["orders"])
        return cls(data["id"], orders, data["store"])


@dataclass(frozen=True, slots=True)
class Made:
    """One finished file: its digest (SHA-256, hex), size in bytes and time of change in the store (ns)."""

    digest: str
    size: int
    mtime: int


@dataclass(frozen=True, slots=True)
class Report:
    """How one task of a job went.

    Parameters
    ----------
    task
        The task's id.
    outcome
        See `Outcome`.
    started, ended
        Unix time, seconds.
    error
        One or two lines that say what went wrong, and empty where nothing did.
    exit_code
        Of a command; None where there was none.
    made
        Output file name to what was made.
    cpu
        Seconds of CPU, children included.
    peak
        Largest resident memory while it ran, bytes; 0 where the system cannot tell.
    logged
        Bytes that the task wrote to its log.
    facts
        What it told of what it made, see `dynamo.graph.facts`; only where it ended well.
    """

    task: str
    outcome: Outcome
    started: float
    ended: float
    error: str = ""
    exit_code: int | None = None
    made: Mapping[str, Made] = field(default_factory=dict)
    cpu: float = 0.0
    peak: int = 0
    logged: int = 0
    facts: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        """Read back the JSON that ``orjson.dumps`` makes of it."""
        return cls(**{**data, "made": {n: Made(**m) for n, m in data["made"].items()}})
