"""Regions of radial velocity, joined to each other so that no border of theirs is a fold; in compiled loops.

Folded velocities enter, rays in order around the circle; how many times each gate was folded leaves, relative to the
other gates of its component. Gates with like velocities make a region. At the border of two regions each pair of gates
says by how many folds they differ, and the more surely the less it would have to jump. Of all pairs of regions those
that agree best are joined first, and what borders on both is then weighed anew: the region based method of Py-ART
(Helmus and Collis 2016, Journal of Open Research Software 4, e25), with votes in place of mean velocities. Nothing can
go wrong with a two-dimensional array and a positive Nyquist velocity.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.compiled import compiled, kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["join"]

#: So many intervals the velocities are cut into: within a region they differ by less than a third of all there are.
SPLITS = 3
#: Over so many rays or gates, empty but for the last, a border reaches at most.
RAYS, GATES = 20, 60
#: What leads by so large a share of what was enough in the last round is joined in this one: few rounds for mere noise.
PATIENCE = 0.7
#: Folds between two regions, from -SPAN to SPAN - 1.
SPAN = 32


@compiled
def _root(parent: Any, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@compiled
def _intervals(v: Any, nyquist: float) -> Any:
    """Return in which interval of velocities each gate is, ``(nray, ngate)``; -1 where there is no value."""
    interval = np.full(v.size, -1, dtype=np.int8)
    values = v.ravel()
    for g in range(v.size):
        if not math.isnan(values[g]):
            part = int((values[g] / nyquist + 1) / 2 * SPLITS)
            interval[g] = min(max(part, 0), SPLITS - 1)
    return interval.reshape(v.shape)


@compiled
def _label(v: Any, nyquist: float) -> Any:
    """Return the region of each gate, ``(nray, ngate)``, -1 where there is no value, and how many there are."""
    nray, ngate = v.shape
    interval = _intervals(v, nyquist)
    parent = np.arange(nray * ngate, dtype=np.int32)
    for i in range(nray):
        after = (i + 1) % nray
        for j in range(ngate):
            if interval[i, j] < 0:
                continue
            here = i * ngate + j
            if j + 1 < ngate and interval[i, j + 1] == interval[i, j]:
                parent[_root(parent, here)] = _root(parent, here + 1)
            if interval[after, j] == interval[i, j]:
                parent[_root(parent, here)] = _root(parent, after * ngate + j)
    number, count = np.full(nray * ngate, -1, dtype=np.int32), 0
    label, part = np.full(nray * ngate, -1, dtype=np.int32), interval.ravel()
    for g in range(nray * ngate):
        if part[g] >= 0:
            root = _root(parent, g)
            if number[root] < 0:
                number[root], count = count, count + 1
            label[g] = number[root]
    return label.reshape(v.shape), count


@compiled
def _vote(v: Any, label: Any, nyquist: float, votes: Any, at: int, here: Any, there: Any, gap: int) -> int:
    """Write down what a pair of gates says, if it is of two regions; return how many votes there are."""
    a, b = label[here], label[there]
    if a == b:
        return at
    jump = v[there] - v[here]
    weight = math.cos(math.pi * jump / nyquist) / gap
    if weight <= 0:
        return at
    votes[0][at], votes[1][at], votes[3][at] = a, b, weight
    votes[2][at] = -round(jump / (2 * nyquist))
    return at + 1


@compiled
def _along(v: Any, label: Any, nyquist: float, votes: Any) -> int:
    """Write down the votes of neighbours along each ray; return how many they are."""
    at = 0
    for i in range(v.shape[0]):
        last = -1
        for j in range(v.shape[1]):
            if label[i, j] >= 0:
                if last >= 0 and j - last <= GATES:
                    at = _vote(v, label, nyquist, votes, at, (i, last), (i, j), j - last)
                last = j
    return at


@compiled
def _across(v: Any, label: Any, nyquist: float, votes: Any, at: int) -> int:
    """Write down the votes of neighbours along each circle, after those there are; return how many they are."""
    nray = v.shape[0]
    for j in range(v.shape[1]):
        last = -1
        for turned in range(2 * nray):  # the second turn joins the last ray to the first
            i = turned % nray
            if label[i, j] < 0:
                continue
            if last >= 0 and turned - last <= RAYS:
                at = _vote(v, label, nyquist, votes, at, (last, j), (i, j), turned - last)
            if turned >= nray:
                break
            last = turned
    return at


@compiled
def _borders(v: Any, label: Any, nyquist: float) -> Any:
    """Return the votes of all borders: region, other region, folds of the other beyond the one, weight."""
    most = 2 * (label >= 0).sum()
    regions = np.empty((3, most), dtype=np.int64)
    votes = (regions[0], regions[1], regions[2], np.empty(most))
    at = _across(v, label, nyquist, votes, _along(v, label, nyquist, votes))
    return votes[0][:at], votes[1][:at], votes[2][:at], votes[3][:at]


@compiled
def _settle(parent: Any, offset: Any, region: int) -> int:
    """Return the root of a region; `offset` of the region is then relative to it, and that of a root is 0."""
    root, total = region, 0
    while parent[root] != root:
        total += offset[root]
        root = parent[root]
    while parent[region] != root and region != root:
        up, rest = parent[region], total - offset[region]
        parent[region], offset[region] = root, total
        region, total = up, rest
    return root


@compiled
def _gather(parent: Any, offset: Any, a: Any, b: Any, folds: Any, weight: Any) -> Any:
    """Return the votes between what is joined by now, summed, in order of their regions and folds."""
    n, left = a.size, 0
    key = np.empty(n, dtype=np.int64)
    for e in range(n):
        ra, rb = _settle(parent, offset, a[e]), _settle(parent, offset, b[e])
        if ra == rb:
            continue
        more = folds[e] - offset[b[e]] + offset[a[e]]
        if ra > rb:
            ra, rb, more = rb, ra, -more
        more = min(max(more, -SPAN), SPAN - 1)
        key[left] = (ra * parent.size + rb) * (2 * SPAN) + more + SPAN
        weight[left] = weight[e]
        left += 1
    order = np.argsort(key[:left])
    out, last = -1, np.int64(-1)
    sums = np.empty(left)
    for e in order:
        if key[e] != last:
            out, last = out + 1, key[e]
            a[out], b[out] = key[e] // (2 * SPAN) // parent.size, key[e] // (2 * SPAN) % parent.size
            folds[out], sums[out] = key[e] % (2 * SPAN) - SPAN, 0.0
        sums[out] += weight[e]
    return a[: out + 1], b[: out + 1], folds[: out + 1], sums[: out + 1]


@compiled
def _decide(a: Any, b: Any, weight: Any) -> Any:
    """Return, of each pair of regions, the index of the strongest vote and by how much it leads."""
    n, pairs, e = a.size, 0, 0
    best, lead = np.empty(n, dtype=np.int64), np.empty(n)
    while e < n:
        first, second = e, 0.0
        last = e + 1
        while last < n and a[last] == a[e] and b[last] == b[e]:
            if weight[last] > weight[first]:
                first, second = last, weight[first]
            else:
                second = max(second, weight[last])
            last += 1
        best[pairs], lead[pairs] = first, weight[first] - second
        pairs, e = pairs + 1, last
    return best[:pairs], lead[:pairs]


@compiled
def _unite(parent: Any, offset: Any, votes: Any, best: Any, lead: Any, enough: float) -> None:
    """Join pairs of regions, the surest first, those whose best vote leads by `enough`."""
    a, b, folds = votes
    for p in np.argsort(-lead):
        if lead[p] < enough:
            break
        e = best[p]
        ra, rb = _settle(parent, offset, a[e]), _settle(parent, offset, b[e])
        if ra != rb:
            offset[rb] = folds[e] + offset[a[e]] - offset[b[e]]
            parent[rb] = ra


@kept
def join(v: NDArray[np.float32], nyquist: float) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
    """Return the component of each gate and how many folds it lies above others of the same one.

    Parameters
    ----------
    v
        ``(nray, ngate)`` folded radial velocity, m/s, NaN where there is none; rays in order of azimuth, all around.
    nyquist
        m/s.

    Returns
    -------
    component
        ``(nray, ngate)``; -1 where there is no value. No border joins two components.
    folds
        ``(nray, ngate)``: ``v + 2 * nyquist * folds`` has no folds within a component.
    """
    label, count = _label(v, nyquist)
    parent, offset = np.arange(count), np.zeros(count, dtype=np.int64)
    a, b, folds, weight = _borders(v, label, nyquist)
    enough = math.inf
    while True:
        a, b, folds, weight = _gather(parent, offset, a, b, folds, weight)
        best, lead = _decide(a, b, weight)
        if lead.size == 0 or lead.max() <= 1e-9:
            break
        enough = PATIENCE * min(enough, lead.max())
        _unite(parent, offset, (a, b, folds), best, lead, enough)
    component = np.full(v.shape, -1, dtype=np.int32)
    turns = np.zeros(v.shape, dtype=np.int16)
    for i in range(v.shape[0]):
        for j in range(v.shape[1]):
            if label[i, j] >= 0:
                component[i, j] = _settle(parent, offset, label[i, j])
                turns[i, j] = offset[label[i, j]]
    return component, turns
