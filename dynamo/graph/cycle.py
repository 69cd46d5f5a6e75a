"""Say which tasks wait for each other, and where each was described."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dynamo.errors import WorkflowError

if TYPE_CHECKING:
    from dynamo.graph.model import Task

__all__ = ["cycle_error"]

#: Of a longer cycle only both ends are told.
_TOLD = 8


def cycle_error(stuck: Sequence[Task]) -> WorkflowError:
    """Return what to raise for tasks each of which reads a file of another of them: it names one cycle."""
    loop = _loop(stuck)
    makers = [*loop[1:], loop[0]]
    if len(loop) == 1:
        return WorkflowError(f"{loop[0].place}: {loop[0].id} reads its own output {_link(*loop, *loop)!r}")
    links = [
        f"reads {_link(task, maker)!r} of {maker.id}{_beside(maker, loop[0])}"
        for task, maker in zip(loop, makers, strict=True)
    ]
    path = ", which ".join(links)
    if len(links) > _TOLD:
        first, last = ", which ".join(links[:2]), ", which ".join(links[-2:])
        path = f"{first}, ... {len(links) - 4} more ..., which {last}"
    return WorkflowError(f"{loop[0].place}: these tasks wait for each other: {loop[0].id} {path}")


def _loop(stuck: Sequence[Task]) -> list[Task]:
    """Walk up from the first task until one comes again: that is the cycle."""
    maker = {name: task for task in stuck for name in task.output_names}
    up = stuck[0]
    seen: dict[str, Task] = {}
    while up.id not in seen:
        seen[up.id] = up
        up = next(maker[name] for name in up.input_names if name in maker)
    walked = list(seen.values())
    return walked[walked.index(up) :]


def _link(task: Task, maker: Task) -> str:
    """Return the first file that `task` reads of `maker`."""
    made = set(maker.output_names)
    return next(name for name in task.input_names if name in made)


def _beside(task: Task, told: Task) -> str:
    """Return where `task` was described, in brackets, as short as it can be said after the place of `told`."""
    file, _, line = task.place.rpartition(":")
    if not line or task is told:
        return ""
    return f" (line {line})" if file == told.place.rpartition(":")[0] else f" ({task.place})"
