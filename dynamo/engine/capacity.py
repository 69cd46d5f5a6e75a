"""How much what runs side by side may need together: cores and memory, declared by tasks, of one machine."""

from __future__ import annotations

from dynamo.errors import UserError
from dynamo.graph.model import Graph
from dynamo.graph.units import format_bytes
from dynamo.worker.machine import available_cores, available_memory, total_memory

__all__ = ["Capacity"]

#: Share of the machine's free memory that declared needs of tasks side by side may add up to.
MEMORY_SHARE = 0.9


class Capacity:
    """The bounds of one engine.

    Parameters
    ----------
    cores, memory
        As `dynamo.engine.LocalEngine` takes them; None for what the machine has.
    """

    def __init__(self, cores: int | None, memory: int | None) -> None:
        self.cores = cores or available_cores()
        self._given = memory
        self.look()

    def look(self) -> None:
        """Find out how much memory (bytes) is free now, unless it was given."""
        self.memory = self._given or int(available_memory() * MEMORY_SHARE)

    def check(self, graph: Graph) -> None:
        """Raise `UserError` where a task asks for more than this engine could ever have."""
        most_memory = self._given or total_memory()
        for task in graph.tasks.values():
            if task.needs.cores > self.cores or task.needs.memory > most_memory:
                wants = f"{task.needs.cores} cores"
                if task.needs.memory:
                    wants += f" and {format_bytes(task.needs.memory)}"
                raise UserError(
                    f"{task.place}: {task.id} needs {wants}; this engine has {self.cores} cores and "
                    f"{format_bytes(most_memory)}"
                )
