"""What is compiled for Pegasus, and the names that its parts have there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from dynamo.errors import UserError
from dynamo.graph.model import Graph, Task
from dynamo.images.image import Image, image_of
from dynamo.targets.code import Carried
from dynamo.targets.names import safe_names

__all__ = ["CODE", "Names", "Work", "check", "node_id"]

#: The archive in which the user's own modules travel.
CODE = "code.tar"

_NODE = re.compile(r"[A-Za-z0-9_-]+")


def _all(name: str) -> bool:  # noqa: ARG001 - stands for any choice
    return True


@dataclass(frozen=True, slots=True)
class Work:
    """A graph, and what else there is to know to run it far away.

    Parameters
    ----------
    graph
        Its sources are absolute paths.
    code
        The user's own modules.
    wants
        Whether an output, by its name in the graph, is a product.
    images
        Image name to image; without any, all runs without containers.
    container
        ``docker`` or ``apptainer``, where one is preferred.
    digests
        Source name to its SHA-256 (hex), as far as known.
    seconds
        Step to how long one of its tasks took before, as far as known.
    began, sizes, facts
        When its run began, in Unix seconds, 0 for no run; bytes of its sources, as far as known; and what tasks told
        that ran before. See `dynamo.targets.attributes`.
    metadata
        What is kept with the workflow.
    build
        `dynamo.worker.build.build()`; the far end must have the same.
    reports
        Whether the reports of all jobs are brought home.
    """

    graph: Graph
    code: Carried
    wants: Callable[[str], bool] = _all
    images: Mapping[str, Image] = field(default_factory=dict)
    container: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    began: float = 0.0
    sizes: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    build: str = ""
    reports: bool = False

    def image(self, task: Task) -> Image | None:
        """Return the image of a task; raises `WorkflowError` where it names one that is not known."""
        return image_of(task, self.images) if self.images else None


def check(graph: Graph) -> None:
    """Raise `UserError` where the graph has what Pegasus cannot run soundly."""
    for task in graph.tasks.values():
        if task.kind == "expand":
            raise UserError(
                f"{task.place}: {task.id} describes more of the graph while the run goes on (runtime=True), and "
                "Pegasus must know every file before it plans: run this workflow with `engine: local` or "
                "`engine: htcondor`, or describe that part without runtime=True"
            )


def node_id(task: str) -> str:
    """Return a task's id as Pegasus takes it: letters, digits, ``_`` and ``-``.

    >>> node_id("contour-07"), node_id("storm/track.1")
    ('contour-07', 'storm_track_1-b62ae99f')
    """
    if _NODE.fullmatch(task):
        return task
    mark = hashlib.sha256(task.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', task)[:80]}-{mark}"


class Names:
    """The names that files have in Pegasus: no two alike, and none with a folder.

    Parameters
    ----------
    graph
        Its files keep their names where these are safe.
    """

    def __init__(self, graph: Graph) -> None:
        files = {**dict.fromkeys(graph.sources), **dict.fromkeys(graph.producer)}
        self._specs = {t: _free(f"{node_id(t)}.job.json", files) for t in graph.tasks}
        self._reports = {t: _free(f"{node_id(t)}.report.json", files) for t in graph.tasks}
        found = safe_names([CODE, *files, *self._specs.values(), *self._reports.values()])
        #: Name in the graph to the name in Pegasus.
        self.files: Mapping[str, str] = {name: found[name] for name in files}
        self._found = found

    @property
    def code(self) -> str:
        """The archive of modules."""
        return self._found[CODE]

    def spec(self, task: str) -> str:
        """The file that tells a job what to do."""
        return self._found[self._specs[task]]

    def report(self, task: str) -> str:
        """The file in which a job tells how it went."""
        return self._found[self._reports[task]]


def _free(name: str, taken: Iterable[str]) -> str:
    """Return `name`, or one made longer that no file of the graph has."""
    while name in taken:
        name = f"_{name}"
    return name
