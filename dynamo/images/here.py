"""The images of a run as Docker of this machine has them: what goes into keys, and what can run in which.

Enters: the table of a run file. Leaves: `Found`, by task. Goes wrong: an image that is not here, or has another dynamo
in it than runs here (`UserError`, told before anything runs), no Docker (`InfrastructureError`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dynamo.errors import UserError
from dynamo.graph.model import Graph, Task
from dynamo.images.client import connect
from dynamo.images.image import Image, image_of
from dynamo.images.labels import CODE, VERSION, code_here, version_here

__all__ = ["Found", "Here", "how_to_get"]


@dataclass(frozen=True, slots=True)
class Found:
    """An image that is here.

    ``id`` is its digest (``sha256:...``); ``version`` that of the dynamo in it, empty where there is none, and
    ``code`` the digest of that dynamo's code.
    """

    image: Image
    id: str
    version: str = ""
    code: str = ""


@dataclass(slots=True)
class Here:
    """Finds the images of one run, each once."""

    images: Mapping[str, Image]
    _found: dict[str, Found] = field(default_factory=dict)

    def of(self, task: Task) -> Found | None:
        """Return the image that `task` runs in, None for none.

        Raises `WorkflowError` where the table has not its name, `UserError` where the image is not here,
        `InfrastructureError` where Docker does not answer.
        """
        image = image_of(task, self.images) if self.images else None
        if image is None:
            return None
        if not self._found:
            self._look()
        found = self._found.get(image.name)
        if found is None:
            raise UserError(
                f"{task.place}: {task.id} runs in the image {image.name!r}, and {image.docker} is not on this "
                f"machine: {how_to_get(image)}"
            )
        return found

    def identity(self, task: Task) -> str:
        """Return what of its image goes into the key of a task: the image's digest; without containers, its name."""
        found = self.of(task)
        return found.id if found else task.needs.image

    def check(self, graph: Graph) -> None:
        """Raise, as `of` does, where a task of `graph` cannot run in its image."""
        checked: set[tuple[str, str]] = set()
        for task in graph.tasks.values() if self.images else ():
            if (task.needs.image, task.kind) in checked:
                continue
            checked.add((task.needs.image, task.kind))
            found = self.of(task)
            if found is not None and (found.version or task.kind != "command"):
                _check_dynamo(task, found)

    def _look(self) -> None:
        """Ask Docker for all images of the table: those of tasks that are added at run time too."""
        from docker.errors import ImageNotFound

        client = connect()
        try:
            for image in self.images.values():
                try:
                    there: Any = client.images.get(image.docker)
                except ImageNotFound:
                    continue
                labels = there.labels
                self._found[image.name] = Found(
                    image, there.id, labels.get(VERSION, ""), labels.get(CODE, "")
                )
        finally:
            client.close()


def how_to_get(image: Image) -> str:
    """Say who must do what to have an image here."""
    name = image.docker.partition("@")[0].rpartition("/")[2].partition(":")[0]
    if name in {"dynamo-algorithms", "dynamo-worker"}:
        return f"build it with `dynamo image build {name.removeprefix('dynamo-')}`"
    return f"build it (docker build --tag {image.docker} ...), or fetch it with `docker pull {image.docker}`"


def _check_dynamo(task: Task, found: Found) -> None:
    """Raise `UserError` where what is to run in the image is not the dynamo that runs here."""
    what = f"{task.place}: {task.id} runs in the image {found.image.name!r}, and {found.image.docker}"
    if not found.version:
        raise UserError(
            f"{what} has no dynamo in it, which a Python task needs: build it upon dynamo-worker:{version_here()}, "
            f"or make {task.step} a @command"
        )
    if (found.version, found.code) != (version_here(), code_here()):
        other = f"dynamo {found.version}" + ("" if found.version != version_here() else " with other code")
        raise UserError(
            f"{what} has {other} in it; here is {version_here()}: {how_to_get(found.image)}, or build what "
            "stands upon that anew"
        )
