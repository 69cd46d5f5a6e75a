"""Which image a task runs in: the name that it gives, looked up in the table of the run file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dynamo.errors import WorkflowError, nearest
from dynamo.graph.model import Graph, Task

__all__ = ["DEFAULT", "Image", "check_images", "image_of"]

#: The image of tasks that name none.
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Image:
    """What one name of the table stands for.

    Parameters
    ----------
    name
        The name that tasks give.
    docker
        What Docker knows it by, as ``name:tag`` or ``name@sha256:...``; empty where there is none.
    apptainer
        Absolute path of a ``.sif`` file or of a folder for Apptainer; empty where there is none.
    network
        Whether its tasks may use the network.
    """

    name: str
    docker: str = ""
    apptainer: str = ""
    network: bool = False


def image_of(task: Task, images: Mapping[str, Image]) -> Image | None:
    """Return the image that a task runs in: the one it names, else `DEFAULT`; None for none.

    Raises `WorkflowError` where the table has not the name, with the line of the task and the nearest name.
    """
    name = task.needs.image or DEFAULT
    found = images.get(name)
    if found is None and task.needs.image:
        named = f"; known are {', '.join(images)}" if images else ""
        raise WorkflowError(
            f"{task.place}: {task.id} runs in the image {name!r}, which the table `images` of the run file "
            f"has not{nearest(name, images) or named}"
        )
    return found


def check_images(graph: Graph, images: Mapping[str, Image]) -> None:
    """Raise `WorkflowError` where a task of `graph` names an image that the table has not."""
    for task in graph.tasks.values():
        image_of(task, images)
