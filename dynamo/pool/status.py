"""How a pool stands, in words: what its containers do, its slots, its queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dynamo.errors import InfrastructureError
from dynamo.graph.units import format_count
from dynamo.pool.pool import Pool

__all__ = ["PoolStatus", "status", "words"]

#: JobStatus of HTCondor; those that are left out are on their way out.
_JOBS = {1: "waiting", 2: "running", 5: "held", 6: "running", 7: "suspended"}


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """How a pool stands.

    Parameters
    ----------
    name
        Of the pool.
    containers
        Name of each without the pool's prefix, and its state as Docker tells it (``running``, ``exited``).
    slots
        Worker's name to its numbers of busy and idle slots, as the central manager knows them.
    jobs
        State in words to number of jobs.
    silent
        What did not answer, and what it said; empty where all did.
    """

    name: str
    containers: dict[str, str]
    slots: dict[str, tuple[int, int]]
    jobs: dict[str, int]
    silent: str = ""

    @property
    def sound(self) -> bool:
        """Whether there is a pool, all its containers run, and both its queue and its slots answer."""
        return bool(self.containers) and set(self.containers.values()) == {"running"} and not self.silent


def status(pool: Pool) -> PoolStatus:
    """Ask how a pool stands; a part that does not answer is told, not raised."""
    containers = {one.name.removeprefix(f"{pool.prefix}-"): one.status for one in pool.containers()}
    slots: dict[str, tuple[int, int]] = {}
    jobs: dict[str, int] = {}
    silent = ""
    try:
        if containers.get("manager") == "running":
            slots = _slots(pool.ads())
        if containers.get("submit") == "running":
            jobs = _jobs(pool.jobs())
    except InfrastructureError as error:
        silent = error.message
    return PoolStatus(pool.name, containers, slots, jobs, silent)


def words(found: PoolStatus) -> str:
    """Return the lines that ``dynamo pool status`` prints."""
    if not found.containers:
        return f"there is no pool {found.name!r} on this machine: dynamo pool up makes one"
    still = [name for name, state in found.containers.items() if state != "running"]
    head = f"pool {found.name!r}: " + (
        "all its containers run" if not still else f"not running: {', '.join(still)}"
    )
    width = max(map(len, found.containers))
    lines = [f"  {name:{width}}  {state}{_offer(found, name)}" for name, state in found.containers.items()]
    return "\n".join([head, *lines, _queue(found.jobs), *([found.silent] if found.silent else [])])


def _offer(found: PoolStatus, name: str) -> str:
    if not name.startswith("worker-"):
        return ""
    if name not in found.slots:
        return ", no slots known"
    busy, idle = found.slots[name]
    return f", {format_count(busy + idle, 'slot')}: {busy} busy, {idle} idle"


def _queue(jobs: dict[str, int]) -> str:
    if not jobs:
        return "queue: empty"
    told = ", ".join(f"{count} {state}" for state, count in sorted(jobs.items()))
    return f"queue: {format_count(sum(jobs.values()), 'job')}: {told}"


def _slots(ads: Sequence[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """Count the busy and the idle slots of each machine."""
    busy: Counter[str] = Counter()
    idle: Counter[str] = Counter()
    for ad in ads:
        (busy if ad["State"] == "Claimed" and ad["Activity"] != "Idle" else idle)[
            ad["Machine"].split(".")[0]
        ] += 1
    return {name: (busy[name], idle[name]) for name in sorted(busy.keys() | idle.keys())}


def _jobs(ads: Sequence[dict[str, Any]]) -> dict[str, int]:
    return dict(Counter(_JOBS.get(ad["JobStatus"], "leaving") for ad in ads))
