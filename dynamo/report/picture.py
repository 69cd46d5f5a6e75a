"""What a drawing of a graph shows, before anything has a position.

Enters: a `Graph`. Leaves: `Picture`, boxes with arrows between them and frames around them. A fan-out is one box
with a count unless every task is asked for; nothing can go wrong that building the graph did not find.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dynamo.graph import Graph, Task

__all__ = ["Arrow", "Box", "BoxKind", "Frame", "Picture", "family", "picture"]

BoxKind: TypeAlias = Literal["source", "python", "command", "expand"]

_NUMBER = re.compile(r"\d+")
_NUMBERED = re.compile(r"-\d+(?=/)")


@dataclass(frozen=True, slots=True)
class Box:
    """Tasks of one step, or input files, that are drawn as one.

    Parameters
    ----------
    key
        Unique in the picture.
    label
        Name of the step, task or file.
    kind
        What the tasks are; ``source`` for files from outside.
    members
        Ids of the tasks, or names of the files.
    frame
        Key of the frame around it; empty where there is none.
    chained
        Whether some of its tasks read what others of them make.
    """

    key: str
    label: str
    kind: BoxKind
    members: tuple[str, ...]
    frame: str = ""
    chained: bool = False

    @property
    def count(self) -> str:
        """How many tasks or files it stands for, in words; empty for one."""
        n = len(self.members)
        noun = "files" if self.kind == "source" else "tasks"
        return "" if n == 1 else f"{n:,} {noun}{', one after another' if self.chained else ''}"


@dataclass(frozen=True, slots=True)
class Arrow:
    """Files that go from one box to another, or (``found``) tasks that a run-time workflow described."""

    tail: str
    head: str
    files: tuple[str, ...] = ()
    found: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """Boxes whose tasks share jobs, or come from one call of a workflow inside the workflow."""

    key: str
    label: str


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be drawn: boxes and frames by key, in the order of the graph, and arrows."""

    name: str
    boxes: Mapping[str, Box]
    arrows: tuple[Arrow, ...]
    frames: Mapping[str, Frame]


def family(step: str) -> str:
    """Return the one name of steps that come from several calls of the same workflow.

    >>> family("cell-03/track")
    'cell/track'
    """
    return _NUMBERED.sub("", step)


def picture(graph: Graph, *, expand: bool = False) -> Picture:
    """Return what to draw of `graph`; with `expand`, every task and every input file by itself."""
    frame_of, frames = _frames(graph, expand=expand)
    sources: dict[str, str] = {}  # file name to the key of its box
    owner: dict[str, str] = {}  # task id to the key of its box
    members: dict[str, list[str]] = {}
    for name in graph.sources:
        if name in graph.consumers:
            sources[name] = "file:" + (name if expand else name.split("/")[0])
            members.setdefault(sources[name], []).append(name)
    for task in graph.tasks.values():
        step = task.id if expand else family(task.step)
        owner[task.id] = f"task:{frame_of.get(task.id, '')}:{step}"
        members.setdefault(owner[task.id], []).append(task.id)
    arrows = _arrows(graph, sources, owner)
    chained = {a.tail for a in arrows if a.tail == a.head}
    boxes = {}
    for key, ids in members.items():
        if key.startswith("file:"):
            boxes[key] = Box(
                key, ids[0].rsplit("/", 1)[-1] if len(ids) == 1 else key[5:], "source", tuple(ids)
            )
        else:
            task = graph.tasks[ids[0]]
            label = task.id if expand or len(ids) == 1 else task.step
            frame = frame_of.get(task.id, "")
            boxes[key] = Box(key, label.rsplit("/", 1)[-1], task.kind, tuple(ids), frame, key in chained)
    return Picture(graph.name, boxes, tuple(a for a in arrows if a.tail != a.head), frames)


def _arrows(graph: Graph, sources: Mapping[str, str], owner: Mapping[str, str]) -> list[Arrow]:
    """Join the edges between two boxes to one arrow; a box may have one to itself."""
    files: dict[tuple[str, str], dict[str, None]] = {}
    for task in graph.tasks.values():
        for name in task.input_names:
            tail = owner.get(graph.producer.get(name, ""), sources.get(name))
            if tail:
                files.setdefault((tail, owner[task.id]), {})[name] = None
    arrows = {ends: Arrow(*ends, tuple(names)) for ends, names in files.items()}
    for task in graph.tasks.values():
        finder = _finder(graph, task)
        if finder and not any(_finder(graph, graph.tasks[p]) == finder for p in graph.parents(task)):
            ends = (owner[finder], owner[task.id])
            arrows[ends] = Arrow(*ends, found=True)
    return list(arrows.values())


def _finder(graph: Graph, task: Task) -> str:
    """Return the id of the run-time workflow that described `task`; empty where there is none."""
    parent = task.id.rpartition("/")[0]
    while parent and not (parent in graph.tasks and graph.tasks[parent].kind == "expand"):
        parent = parent.rpartition("/")[0]
    return parent


def _frames(graph: Graph, *, expand: bool) -> tuple[dict[str, str], dict[str, Frame]]:
    """Return the key of the frame of each task that has one, and the frames by key."""
    labels: dict[str, list[Task]] = {}
    for task in graph.tasks.values():
        label = task.fuse if task.fuse and task.kind != "expand" else task.step.rpartition("/")[0]
        if label:
            labels.setdefault(label, []).append(task)
    families: dict[str, list[str]] = {}
    for label in labels:
        families.setdefault(label if expand else _NUMBER.sub("#", label), []).append(label)
    alike: dict[object, list[str]] = {}
    for pattern, found in families.items():
        steps = frozenset(family(t.step) for label in found for t in labels[label])
        alike.setdefault(pattern if expand else (steps, labels[found[0]][0].fuse != ""), []).extend(found)
    frames: dict[str, Frame] = {}
    frame_of: dict[str, str] = {}
    for found in alike.values():
        if (
            not expand
            and all(len(labels[label]) == 1 for label in found)
            and len({labels[f][0].step for f in found}) == 1
        ):
            continue  # a frame around a single step says nothing that its count does not
        key = found[0]
        fused = any(t.fuse for t in labels[key])
        described = key in graph.tasks and graph.tasks[key].kind == "expand"
        noun = "jobs" if fused else "described at run time" if described else "calls"
        frames[key] = Frame(key, _frame_label(found, noun))
        frame_of.update((t.id, key) for label in found for t in labels[label])
    return frame_of, frames


def _frame_label(labels: Sequence[str], noun: str) -> str:
    if len(labels) > 1:
        return f"{labels[0]} to {labels[-1]} ({len(labels):,} {noun})"
    return f"{labels[0]} ({'one job' if noun == 'jobs' else noun})" if noun != "calls" else labels[0]
