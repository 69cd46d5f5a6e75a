"""What this machine has, and what processes on it hold: cores and memory (bytes)."""

from __future__ import annotations

import os
from contextlib import suppress

import psutil

__all__ = ["available_cores", "available_memory", "resident", "total_memory"]

_PAGE = os.sysconf("SC_PAGE_SIZE")


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def total_memory() -> int:
    """Return the memory of this machine, bytes, or the limit of a control group where that is lower."""
    total = int(psutil.virtual_memory().total)
    try:
        with open("/sys/fs/cgroup/memory.max") as limit:
            return min(total, int(limit.read()))
    except (OSError, ValueError):  # no such file, or "max"
        return total


def available_memory() -> int:
    """Return the memory that is free for use, bytes, within the limit of a control group where there is one."""
    free = int(psutil.virtual_memory().available)
    try:
        with (
            open("/sys/fs/cgroup/memory.max") as limit,
            open("/sys/fs/cgroup/memory.current") as used,
            open("/sys/fs/cgroup/memory.stat") as stat,
        ):
            # What is used counts cached files too, which the kernel gives back when memory is asked for.
            cached = next((int(row.split()[1]) for row in stat if row.startswith("inactive_file ")), 0)
            return min(free, int(limit.read()) - int(used.read()) + cached)
    except (OSError, ValueError):
        return free


def resident(pid: int) -> int:
    """Return the resident memory of a process and its descendants, bytes; 0 where there is none.

    Linux tells the children of a process, where it was built to, at a hundredth of what it costs to look at all
    processes of the machine, as psutil must.
    """
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
            total = int(file.read().split()[1]) * _PAGE
        children = [child for thread in os.listdir(f"/proc/{pid}/task") for child in _children(pid, thread)]
    except OSError:
        return _resident(pid)
    return total + sum(map(resident, children))


def _children(pid: int, thread: str) -> list[int]:
    with open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as file:
        return [int(child) for child in file.read().split()]


def _resident(pid: int) -> int:
    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for p in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += p.memory_info().rss
    return total
