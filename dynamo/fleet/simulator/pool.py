"""The pool of a simulation: which job runs on which machine, as HTCondor would have it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

from dynamo.fleet.simulator.machine import Machine
from dynamo.fleet.simulator.queue import Queue, Shape
from dynamo.fleet.view import Offer

__all__ = ["Pool"]


class Pool:
    """Slots of machines, filled depth first: the machine with the least room that does, of the fastest kind first.

    Parameters
    ----------
    queue
        Where the jobs wait.
    offers
        Of the scenario.
    started
        Called with the number of a job and the machine that it starts on.
    """

    __slots__ = ("_heaps", "_machines", "_order", "_queue", "_started", "on")

    def __init__(
        self, queue: Queue, offers: Sequence[Offer], started: Callable[[int, Machine], None]
    ) -> None:
        self._queue = queue
        self._started = started
        self._order = sorted(range(len(offers)), key=lambda place: -offers[place].speed)
        #: For each offer and each number of free cores, the machines, the oldest first; some have changed since.
        self._heaps: list[list[list[int]]] = [[[] for _ in range(offer.cores + 1)] for offer in offers]
        self._machines: dict[int, Machine] = {}
        self.on: dict[int, Machine] = {}  # number of a job that runs -> its machine

    def join(self, machine: Machine) -> None:
        """Take in a machine that is ready."""
        self._machines[machine.number] = machine
        self._offer(machine)

    def leave(self, machine: Machine) -> list[int]:
        """Forget a machine that is gone; return the jobs that ran on it and must run again."""
        self._machines.pop(machine.number, None)
        lost = list(machine.jobs)
        for number in lost:
            del self.on[number]
            self._queue.add(number)
        machine.jobs.clear()
        return lost

    def match(self) -> None:
        """Give jobs that wait to slots that are free, in the order of the queue."""
        shapes = self._queue.shapes()
        while shapes:
            shape = shapes[0] if len(shapes) == 1 else min(shapes, key=_head)
            machine = self._find(shape)
            if machine is None:
                shapes.remove(shape)
                continue
            self._start(shape, machine)
            self._offer(machine)
            if not shape.heap:
                shapes.remove(shape)

    def done(self, number: int) -> Machine:
        """Take note that a job is done; its slot takes the next job at once, unless its machine drains."""
        machine = self.on.pop(number)
        width = machine.jobs.pop(number)
        machine.free += width
        if machine.state == "ready":
            while width and (shape := self._queue.first(width, machine.place)):
                width -= self._start(shape, machine)
            self._offer(machine)
        return machine

    def _start(self, shape: Shape, machine: Machine) -> int:
        number = self._queue.take(shape)
        width = shape.widths[machine.place]
        machine.free -= width
        machine.jobs[number] = width
        machine.idle_since = None
        self.on[number] = machine
        self._started(number, machine)
        return width

    def _offer(self, machine: Machine) -> None:
        if machine.free:
            heapq.heappush(self._heaps[machine.place][machine.free], machine.number)

    def _find(self, shape: Shape) -> Machine | None:
        for place in self._order:
            width = shape.widths[place]
            if not width:
                continue
            for free, heap in enumerate(self._heaps[place][width:], width):
                while heap:
                    machine = self._machines.get(heap[0])
                    heapq.heappop(heap)
                    if machine is not None and machine.free == free and machine.state == "ready":
                        return machine
        return None


def _head(shape: Shape) -> tuple[float, float, int]:
    return shape.heap[0]
