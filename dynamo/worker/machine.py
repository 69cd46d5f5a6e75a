"""What this machine has, and what processes on it hold: cores and memory (bytes)."""

from __future__ import annotations

import os
from contextlib import suppress

__all__ = ["available_cores", "available_memory", "descendants", "resident", "total_memory"]

_PAGE = os.sysconf("SC_PAGE_SIZE")


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def total_memory() -> int:
    """Return the memory of this machine, bytes, or the limit of a control group where that is lower."""
    total = _memory("MemTotal")
    try:
        with open("/sys/fs/cgroup/memory.max") as limit:
            return min(total, int(limit.read()))
    except (OSError, ValueError):  # no such file, or "max"
        return total


def available_memory() -> int:
    """Return the memory that is free for use, bytes, within the limit of a control group where there is one."""
    free = _memory("MemAvailable")
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


def _memory(row: str) -> int:
    """Return a row of Linux's ``/proc/meminfo`` (proc(5)) in bytes, or what psutil says where there is none."""
    try:
        with open("/proc/meminfo", "rb") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(row.encode() + b":"))
    except (OSError, StopIteration):
        import psutil  # 15 ms that the first task need not wait for elsewhere

        found = psutil.virtual_memory()
        return int(found.total if row == "MemTotal" else found.available)


def resident(pid: int) -> int:
    """Return the resident memory of a process and its descendants, bytes; 0 where there is none.

    Linux tells the children of a process, where it was built to, at a hundredth of what it costs to look at all
    processes of the machine, as psutil must.
    """
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
            total = int(file.read().split()[1]) * _PAGE
        children = _children(pid)
    except OSError:
        return _resident(pid)
    return total + sum(map(resident, children))


def descendants(pid: int) -> list[int]:
    """Return the ids of the children of a process, of theirs, and so on; empty where there is no such process."""
    try:
        children = _children(pid)
    except OSError:
        return _descendants(pid)
    return [*children, *(below for child in children for below in descendants(child))]


def _children(pid: int) -> list[int]:
    """Return the children of all threads of a process; raises `OSError` where the kernel does not tell."""
    found: list[int] = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as file:
            found += map(int, file.read().split())
    return found


def _descendants(pid: int) -> list[int]:
    import psutil

    with suppress(psutil.Error):
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return []


def _resident(pid: int) -> int:
    import psutil

    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for p in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += p.memory_info().rss
    return total
