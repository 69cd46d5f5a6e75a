"""What a task asks of the machine that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Needs"]


@dataclass(frozen=True, slots=True)
class Needs:
    """What a task asks of the machine that runs it.

    Parameters
    ----------
    cores
        CPU cores.
    memory
        Bytes; ``memory=0`` lets the engine assume a share of the machine and not enforce it.
    timeout
        Seconds after which the task's whole process group is killed; 0 is never.
    image
        Name of the container image, where the engine uses containers.
    priority
        Among tasks that are ready, higher runs first.
    deadline
        Seconds after the start of the run by which the task should be done; earlier runs first within
        a priority; 0 is none.
    retries
        How often a failure of the task itself (not of the machine) is tried again.
    """

    cores: int = 1
    memory: int = 0
    timeout: float = 0.0
    image: str = ""
    priority: int = 0
    deadline: float = 0.0
    retries: int = 0

    @classmethod
    def most(cls, needs: Sequence[Needs]) -> Needs:
        """Return what a job needs whose tasks run one after another: the most that any of them does.

        Time-outs and retries stay with the tasks.
        """
        if len(needs) == 1:
            return needs[0]
        return cls(
            cores=max(n.cores for n in needs),
            memory=max(n.memory for n in needs),
            image=needs[0].image,
            priority=max(n.priority for n in needs),
            deadline=min((n.deadline for n in needs if n.deadline), default=0.0),
        )
