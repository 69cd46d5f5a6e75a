"""How much memory this process needed at most, where the system can tell (Linux)."""

from __future__ import annotations

import sys

__all__ = ["peak_memory", "reset_peak"]


def reset_peak() -> None:
    """Forget the largest resident size so far (proc(5), clear_refs)."""
    if sys.platform == "linux":
        try:
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")
        except OSError:
            pass  # a container may forbid it: the peak is then that of the process


def peak_memory() -> int:
    """Return the largest resident size since `reset_peak`, in bytes; 0 where the system does not say."""
    if sys.platform == "linux":
        with open("/proc/self/status", "rb") as file:
            for line in file:
                if line.startswith(b"VmHWM"):
                    return int(line.split()[1]) * 1024
    return 0
