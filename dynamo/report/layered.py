"""Put the nodes of any directed graph into columns, with few crossings and straight edges.

The method of Sugiyama, Tagawa and Toda (1981), IEEE Trans. SMC 11(2), 109-125: break cycles, rank by longest
path, order by barycentres, then place. Heights are placed by least squares under the order found (isotonic
regression, pool-adjacent-violators: Barlow et al. 1972). Iterative throughout, close to linear in the edges.
Our own because the library for graphs takes longer to import than a report may take to write.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

__all__ = ["Link", "Placed", "Point", "arrange"]

Key: TypeAlias = Hashable
Point: TypeAlias = tuple[float, float]

#: Pixels between columns, between nodes of a column, and between an edge that passes and its neighbours.
COLUMN_GAP, ROW_GAP, EDGE_GAP = 54.0, 14.0, 9.0
#: Most that a gap grows by where edges go far up or down.
STEEP = 160.0
#: How often columns are ordered, and then placed; odd, so that the last time runs from left to right.
ORDERINGS, PLACINGS = 8, 31


@dataclass(frozen=True, slots=True)
class Link:
    """An edge; where it leaves and enters is measured from the top of the node (None: its middle)."""

    tail: Key
    head: Key
    tail_at: float | None = None
    head_at: float | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Top left corner of each node, the points each link runs through, and the size of all."""

    corners: Mapping[Key, Point]
    routes: Sequence[list[Point]]
    width: float
    height: float


@dataclass(slots=True)
class _Node:
    """A node, or a place where an edge passes a column (no size)."""

    width: float
    height: float
    gap: float
    left: list[tuple[Key, float, float]] = field(default_factory=list)  # neighbour, its port, own port
    right: list[tuple[Key, float, float]] = field(default_factory=list)
    y: float = 0.0


def arrange(
    sizes: Mapping[Key, tuple[float, float]],
    links: Sequence[Link],
    *,
    first: Iterable[Key] = (),
    last: Iterable[Key] = (),
) -> Placed:
    """Place nodes of the given sizes (width, height) so that links run from left to right.

    Parameters
    ----------
    first, last
        Nodes that stand in a column of their own, left and right of all others.
    """
    forward = _forward(sizes, links)
    ranks = _ranks(sizes, links, forward, set(first), set(last))
    nodes = {key: _Node(w, h, ROW_GAP if w else EDGE_GAP) for key, (w, h) in sizes.items()}
    via = [_connect(nodes, ranks, link, ahead) for link, ahead in zip(links, forward, strict=True)]
    columns: list[list[Key]] = [[] for _ in range(max(ranks.values(), default=0) + 1)]
    for key in nodes:
        columns[ranks[key]].append(key)
    _order(columns, nodes)
    _place(columns, nodes)
    return _measure(columns, nodes, sizes, links, via)


def _forward(sizes: Mapping[Key, object], links: Sequence[Link]) -> list[bool]:
    """Say of each link whether it may be drawn as it is; the others close a cycle (depth-first search)."""
    out: dict[Key, list[int]] = {key: [] for key in sizes}
    for i, link in enumerate(links):
        out[link.tail].append(i)
    forward = [True] * len(links)
    state = dict.fromkeys(sizes, 0)  # 0 not seen, 1 on the path, 2 done
    entered = {link.head for link in links}
    for root in sorted(sizes, key=lambda key: key in entered):
        if state[root]:
            continue
        state[root] = 1
        path = [(root, iter(out[root]))]
        while path:
            key, rest = path[-1]
            i = next(rest, -1)
            if i < 0:
                state[key] = 2
                path.pop()
                continue
            head = links[i].head
            forward[i] = state[head] != 1
            if not state[head]:
                state[head] = 1
                path.append((head, iter(out[head])))
    return forward


def _ranks(
    sizes: Mapping[Key, object],
    links: Sequence[Link],
    forward: Sequence[bool],
    first: set[Key],
    last: set[Key],
) -> dict[Key, int]:
    """Return the column of each node: one more than the furthest before it; roots stand close to who reads them."""
    heads: dict[Key, list[Key]] = {key: [] for key in sizes}
    waiting = dict.fromkeys(sizes, 0)
    for link, ahead in zip(links, forward, strict=True):
        tail, head = (link.tail, link.head) if ahead else (link.head, link.tail)
        heads[tail].append(head)
        waiting[head] += 1
    roots = [key for key, n in waiting.items() if not n]
    ranks = dict.fromkeys(sizes, 0)
    ready = list(roots)
    for key in ready:  # grows while it is read
        for head in heads[key]:
            ranks[head] = max(ranks[head], ranks[key] + 1)
            waiting[head] -= 1
            if not waiting[head]:
                ready.append(head)
    for key in roots:
        if heads[key]:
            ranks[key] = min(ranks[head] for head in heads[key]) - 1
    free = [ranks[key] for key in sizes if key not in first and key not in last] or [0]
    start, end = min(free), max(free)
    for key in first:
        ranks[key] = start - 1
    for key in last:
        ranks[key] = end + 1
    zero = min(ranks.values(), default=0)
    return {key: rank - zero for key, rank in ranks.items()}


def _connect(nodes: dict[Key, _Node], ranks: dict[Key, int], link: Link, ahead: bool) -> list[Key]:
    """Join the ends of a link through every column between; links of one tail share their way."""
    start = (link.tail, link.tail_at) if ahead else (link.head, link.head_at)
    end = (link.head, link.head_at) if ahead else (link.tail, link.tail_at)
    way: list[Key] = [start[0]]
    for rank in range(ranks[start[0]] + 1, ranks[end[0]]):
        key = ("pass", start, rank)
        if key not in nodes:
            nodes[key] = _Node(0.0, 0.0, EDGE_GAP)
            ranks[key] = rank
        way.append(key)
    way.append(end[0])
    ports = [_port(nodes, *start), *(0.0 for _ in way[1:-1]), _port(nodes, *end)]
    for i in range(len(way) - 1):
        left, right = way[i], way[i + 1]
        there = (right, ports[i + 1], ports[i])
        if there not in nodes[left].right:
            nodes[left].right.append(there)
            nodes[right].left.append((left, ports[i], ports[i + 1]))
    return way


def _port(nodes: Mapping[Key, _Node], key: Key, at: float | None) -> float:
    return nodes[key].height / 2 if at is None else at


def _order(columns: list[list[Key]], nodes: Mapping[Key, _Node]) -> None:
    """Order every column by the mean place of its neighbours, and keep the best order seen."""
    best, fewest = [list(c) for c in columns], _crossings(columns, nodes)
    for sweep in range(ORDERINGS):
        if not fewest:
            break
        ahead = sweep % 2 == 0
        for i in range(1, len(columns)) if ahead else range(len(columns) - 2, -1, -1):
            place = {key: n for n, key in enumerate(columns[i - 1 if ahead else i + 1])}
            mean = {}
            for n, key in enumerate(columns[i]):
                near = nodes[key].left if ahead else nodes[key].right
                at = [place[other] + port / (nodes[other].height + 1) for other, port, _ in near]
                mean[key] = sum(at) / len(at) if at else float(n)
            columns[i].sort(key=mean.__getitem__)
        count = _crossings(columns, nodes)
        if count < fewest:
            best, fewest = [list(c) for c in columns], count
    columns[:] = best


def _crossings(columns: Sequence[Sequence[Key]], nodes: Mapping[Key, _Node]) -> int:
    """Count the pairs of edges between neighbouring columns that cross."""
    count = 0
    for left, right in pairwise(columns):
        place = {key: n for n, key in enumerate(right)}
        seen: list[tuple[int, float]] = []
        for key in left:
            ends = sorted((own, place[other], port) for other, port, own in nodes[key].right)
            for _, n, port in ends:
                count += len(seen) - bisect_left(seen, (n, port + 1e-9))
            for _, n, port in ends:
                insort(seen, (n, port))
    return count


def _place(columns: Sequence[Sequence[Key]], nodes: Mapping[Key, _Node]) -> None:
    """Set the height of every node, close to its neighbours, in the order of its column."""

    def near(node: _Node, links: Sequence[tuple[Key, float, float]]) -> float:
        at = [nodes[other].y + port - own for other, port, own in links]
        return sum(at) / len(at) if at else node.y

    stacks = [[nodes[key] for key in column] for column in columns]
    for stack in stacks:
        _settle(stack, [0.0] * len(stack))
    for sweep in range(PLACINGS):
        for stack in reversed(stacks) if sweep % 2 else stacks:
            if sweep < 2:
                _settle(stack, [near(n, n.right if sweep else n.left) for n in stack])
            else:
                _settle(stack, [near(n, n.left + n.right) for n in stack])
    for stack in reversed(stacks):  # what hangs on one side only follows last, so that its edge is straight
        _settle(stack, [n.y if n.left else near(n, n.right) for n in stack])
    for stack in stacks:
        _settle(stack, [n.y if n.right else near(n, n.left) for n in stack])
    top = min((node.y for node in nodes.values()), default=0.0)
    for node in nodes.values():
        node.y -= top


def _settle(column: Sequence[_Node], wanted: Sequence[float]) -> None:
    """Place the nodes of a column as near to `wanted` as their heights allow (least squares, order kept)."""
    offsets, at = [], 0.0
    for above, node in zip([None, *column], column, strict=False):
        if above is not None:
            at += above.height + min(above.gap, node.gap)
        offsets.append(at)
    blocks: list[tuple[float, int]] = []  # sum and number of what is pooled
    for want, offset in zip(wanted, offsets, strict=True):
        total, n = want - offset, 1
        while blocks and blocks[-1][0] / blocks[-1][1] >= total / n:
            total, n = total + blocks[-1][0], n + blocks[-1][1]
            blocks.pop()
        blocks.append((total, n))
    shifts = [total / n for total, n in blocks for _ in range(n)]
    for node, offset, shift in zip(column, offsets, shifts, strict=True):
        node.y = offset + shift


def _measure(
    columns: Sequence[Sequence[Key]],
    nodes: Mapping[Key, _Node],
    sizes: Mapping[Key, tuple[float, float]],
    links: Sequence[Link],
    via: Sequence[Sequence[Key]],
) -> Placed:
    """Set the columns side by side and lay the links."""
    spans: dict[Key, tuple[float, float]] = {}
    corners: dict[Key, Point] = {}
    x = before = 0.0
    for i, column in enumerate(columns):
        width = max((nodes[key].width for key in column), default=0.0)
        if i:  # ports and passing edges need less room than boxes
            steepest = max(
                (abs(nodes[k].y - nodes[o].y) for k in column for o, _, _ in nodes[k].left), default=0.0
            )
            x += COLUMN_GAP + min(steepest / 12, STEEP) if width and before else COLUMN_GAP / 3
        before = width
        for key in column:
            own = nodes[key].width
            spans[key] = (
                (x, x + width) if key not in sizes else (x + (width - own) / 2, x + (width + own) / 2)
            )
            if key in sizes:
                corners[key] = (spans[key][0], nodes[key].y)
        x += width
    routes = []
    for link, way in zip(links, via, strict=True):
        ends = {link.tail: link.tail_at, link.head: link.head_at}
        points: list[Point] = []
        for n, key in enumerate(way):
            y = nodes[key].y + _port(nodes, key, ends.get(key))
            left, right = spans[key]
            points += [(left, y)] if n else []
            points += [(right, y)] if n < len(way) - 1 else []
        routes.append(points if way[0] == link.tail else points[::-1])
    height = max((nodes[key].y + nodes[key].height for key in sizes), default=0.0)
    return Placed(corners, routes, max(x, 0.0), height)
