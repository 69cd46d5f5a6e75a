"""Which tasks share a job on a pool, where each job costs seconds before it begins: about as many jobs as slots.

Pure. What the workflow's labels fuse stays together (`fuse`). Then, again and again: what only follows one other joins
it; at each depth of the graph, what may run side by side is dealt out to as many jobs as there are slots, but to fewer
where they would be shorter than the seconds that a job costs; and depths that are one job each become one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from dynamo.graph.model import Graph, Task
from dynamo.planning.fuse import units

__all__ = ["Packing", "pack"]

Unit = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Packing:
    """How tasks are packed into jobs.

    Parameters
    ----------
    slots
        How many jobs the pool runs side by side; 0 packs nothing but what labels fuse.
    overhead
        Seconds that a job costs on top of its tasks: no job shorter than this is split off for the sake of a slot.
    longest
        Seconds that a job may take, by prediction, where it could be two.
    default
        Seconds that a task takes of which nothing is known. A fan-out of such tasks gets all slots all the same: what
        may take minutes does not wait for its like.
    seconds
        Step to the seconds that one of its tasks took so far.
    """

    slots: int = 8
    overhead: float = 3.0
    longest: float = 300.0
    default: float = 1.0
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Block:
    """Tasks that share a job so far.

    ``kind`` is what those must have in common; ``wide``, of tasks whose seconds nobody knows, how many there are of
    their step.
    """

    tasks: list[str]
    kind: tuple[str, int, bool]
    seconds: float
    wide: int


def pack(graph: Graph, packing: Packing = Packing()) -> list[Unit]:
    """Return the task ids of each job, in an order in which jobs could run; inside a job too.

    Raises `WorkflowError` where labels fuse what cannot share a job.
    """
    found = [_block(graph, unit, packing) for unit in units(graph)]
    if packing.slots:
        before = len(found) + 1
        while len(found) < before:  # each round leaves fewer, or is the last
            before = len(found)
            found = _joined(graph, found)
            found = _dealt(graph, found, packing)
    rank = {task: n for n, task in enumerate(graph.order())}
    ordered = [tuple(sorted(block.tasks, key=rank.__getitem__)) for block in found]
    return [ordered[n] for n in _sorted(graph, ordered)]


def _block(graph: Graph, unit: Unit, packing: Packing) -> _Block:
    tasks = [graph.tasks[t] for t in unit]
    seconds = sum(packing.seconds.get(t.step, packing.default) for t in tasks)
    kind = (tasks[0].needs.image, max(t.needs.cores for t in tasks), _solitary(tasks[0]))
    wide = max(0 if t.step in packing.seconds else len(graph.steps[t.step]) for t in tasks)
    return _Block(list(unit), kind, seconds, wide)


def _solitary(task: Task) -> bool:
    """Whether a task is a job by itself: a run-time workflow, or a program that is run in its own image."""
    return task.kind == "expand" or (task.kind == "command" and bool(task.needs.image))


def _links(graph: Graph, blocks: Sequence[Sequence[str]]) -> tuple[list[set[int]], list[set[int]]]:
    """Return parents and children of each block."""
    owner = {task: n for n, block in enumerate(blocks) for task in block}
    parents: list[set[int]] = [set() for _ in blocks]
    children: list[set[int]] = [set() for _ in blocks]
    for task, here in owner.items():
        for parent in graph.parents(graph.tasks[task]):
            there = owner[parent]
            if there != here:
                parents[here].add(there)
                children[there].add(here)
    return parents, children


def _sorted(graph: Graph, blocks: Sequence[Sequence[str]]) -> list[int]:
    """Return the blocks so that each stands after its parents (Kahn's algorithm, stable)."""
    parents, children = _links(graph, blocks)
    waiting = [len(p) for p in parents]
    ready = [n for n, count in enumerate(waiting) if not count]
    for n in ready:  # grows while it is read
        for child in sorted(children[n]):
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    return ready


def _joined(graph: Graph, blocks: list[_Block]) -> list[_Block]:
    """Join each block whose only parent has no other child to that parent."""
    parents, children = _links(graph, [block.tasks for block in blocks])
    into = list(range(len(blocks)))
    for n in _sorted(graph, [block.tasks for block in blocks]):
        if len(parents[n]) != 1:
            continue
        (parent,) = parents[n]
        if len(children[parent]) == 1 and blocks[parent].kind == blocks[n].kind and not blocks[n].kind[2]:
            into[n] = into[parent]
    return _merged(blocks, into)


def _dealt(graph: Graph, blocks: list[_Block], packing: Packing) -> list[_Block]:
    """Deal out the blocks of each depth to jobs; depths next to each other that are one job each become one."""
    depth = _depths(graph, blocks)
    into = list(range(len(blocks)))
    single: tuple[int, int] | None = None
    for level, members in groupby(
        sorted(range(len(blocks)), key=lambda n: (depth[n], n)), key=depth.__getitem__
    ):
        found = list(members)
        for group in _groups(found, blocks, packing):
            for n in group:
                into[n] = group[0]
        heads = {into[n] for n in found}
        kinds = {blocks[n].kind for n in found}
        head = min(heads)
        if len(heads) == 1 and single and single[0] == level - 1 and kinds == {blocks[single[1]].kind}:
            for n in found:
                into[n] = single[1]
            head = single[1]
        single = (level, head) if len(heads) == 1 and not blocks[head].kind[2] else None
    return _merged(blocks, into)


def _depths(graph: Graph, blocks: list[_Block]) -> list[int]:
    parents, _ = _links(graph, [block.tasks for block in blocks])
    depth = [0] * len(blocks)
    for n in _sorted(graph, [block.tasks for block in blocks]):
        depth[n] = max((depth[p] + 1 for p in parents[n]), default=0)
    return depth


def _groups(level: Iterable[int], blocks: list[_Block], packing: Packing) -> list[list[int]]:
    """Deal out blocks of one depth: those of a kind, in order, into jobs of about the same predicted seconds."""
    kinds: dict[tuple[str, int, bool], list[int]] = {}
    for n in level:
        kinds.setdefault(blocks[n].kind, []).append(n)
    found: list[list[int]] = []
    for (_, cores, solitary), members in kinds.items():
        if solitary:
            found += [[n] for n in members]
            continue
        total = sum(blocks[n].seconds for n in members)
        worth = math.floor(total / packing.overhead) if packing.overhead else len(members)
        wide = max(blocks[n].wide for n in members)
        jobs = max(min(packing.slots // cores, max(worth, wide)), math.ceil(total / packing.longest), 1)
        parts: list[list[int]] = [[] for _ in range(min(jobs, len(members)))]
        before = 0.0
        for n in members:
            middle = before + blocks[n].seconds / 2
            before += blocks[n].seconds
            parts[min(int(middle / total * len(parts)) if total else 0, len(parts) - 1)].append(n)
        found += [part for part in parts if part]
    return found


def _merged(blocks: list[_Block], into: list[int]) -> list[_Block]:
    """Return the blocks with each joined to the one that `into` says."""
    found: dict[int, _Block] = {}
    for n, head in enumerate(into):
        block = blocks[n]
        if head in found:
            known = found[head]
            known.tasks += block.tasks
            known.seconds += block.seconds
            known.wide = max(known.wide, block.wide)
        else:
            found[head] = replace(block, tasks=list(block.tasks))
    return list(found.values())
