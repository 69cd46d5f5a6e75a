"""Whether the slots of a pool can have the tasks of a graph; what none can have would wait for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dynamo.condor.schedd import SIF, Slot
from dynamo.errors import UserError
from dynamo.graph.model import Graph
from dynamo.graph.units import format_bytes, format_count
from dynamo.images.image import Image, image_of

__all__ = ["check_fits"]


def check_fits(
    graph: Graph, slots: Sequence[Slot], container: str, images: Mapping[str, Image] | None = None
) -> None:
    """Raise `UserError` where a task asks for what none of `slots` has; where there are none, any may come.

    `container` is what containers are run by, empty for none, and `images` what the names of images stand for.
    """
    if container and slots and not any(container in slot.containers for slot in slots):
        raise UserError(
            f"`container: {container}`, but no machine of the pool has {container.capitalize()}: ask its "
            "administrator for it, or leave that out"
        )
    if container == "apptainer" and slots and not any(SIF in slot.containers for slot in slots):
        _check_folders(graph, images or {})
    for task in graph.tasks.values() if slots else ():
        needs = task.needs
        if not any(needs.cores <= slot.cores and needs.memory <= slot.memory for slot in slots):
            largest = max(slots, key=lambda slot: (slot.memory, slot.cores))
            raise UserError(
                f"{task.place}: {task.id} needs {format_count(needs.cores, 'core')} and "
                f"{format_bytes(needs.memory)}; no slot of the pool has that, the largest has "
                f"{format_count(largest.cores, 'core')} and {format_bytes(largest.memory)}: declare less, or ask "
                "the pool's administrator for larger workers"
            )


def _check_folders(graph: Graph, images: Mapping[str, Image]) -> None:
    """Raise `UserError` where a task runs in a ``.sif`` file."""
    for task in graph.tasks.values():
        image = image_of(task, images)
        if image and image.apptainer.endswith(".sif"):
            raise UserError(
                f"{task.place}: {task.id} runs in {image.apptainer}, and no machine of the pool can open a .sif file "
                "(`condor_status -constraint HasSIF`): give a folder made of it by `apptainer build --sandbox`, or ask "
                "the pool's administrator for squashfuse on the workers"
            )
