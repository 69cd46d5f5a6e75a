"""What a disk says of a path that may be on another machine, or away for a moment."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["above", "entries", "is_folder", "is_gone", "network", "notifier", "refused"]

#: File systems whose changes may be made on other machines, which inotify does not tell.
NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "afs", "davfs"}
)  # fmt: skip


def notifier() -> tuple[Any, str]:
    """Return what the kernel tells changes with, inotify; None, and why, where it does not."""
    if sys.platform == "linux":
        try:
            from inotify_simple import INotify  # type: ignore[import-untyped]

            return INotify(nonblocking=True), ""
        except (ImportError, OSError) as error:
            return None, f"no inotify: {error}"
    else:
        return None, "this system has no inotify"


def network(folder: str) -> str:
    """Return the kind of file system that a folder is on where others may change it; empty where not, or not known."""
    import psutil

    inside = [
        p for p in psutil.disk_partitions(all=True) if f"{folder}/".startswith(p.mountpoint.rstrip("/") + "/")
    ]
    kind = max(inside, key=lambda p: len(p.mountpoint)).fstype if inside else ""
    return kind if kind in NETWORK or kind.startswith("fuse.") else ""


def above(path: str) -> Iterator[tuple[str, str]]:
    """Yield the nearest folder above a path that is there, and the name in it on the way; again where that came now."""
    while True:
        nearest = path
        while not os.path.isdir(os.path.dirname(nearest)):  # noqa: PTH112, PTH120
            nearest = os.path.dirname(nearest)  # noqa: PTH120
        yield os.path.split(nearest)
        if nearest == path or not os.path.isdir(nearest):  # noqa: PTH112
            return


def entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield what is in a folder; `OSError` also where it may be listed and nothing in it be looked at."""
    with os.scandir(folder) as found:
        os.stat(os.path.join(folder, "."))  # noqa: PTH116, PTH118
        yield from found


def refused(folder: str) -> str:
    """Return why a folder may not be looked into; empty where it may, or cannot be reached for a moment."""
    try:
        next(entries(folder), None)
    except PermissionError as error:
        return error.strerror or str(error)
    except OSError:
        return ""
    return ""


def is_folder(item: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one, that we may look at."""
    try:
        return item.is_dir()
    except OSError:  # a link to where we may not look
        return False


def is_gone(path: str) -> bool:
    """Whether there is no such file; not where a disk cannot be reached for a moment."""
    try:
        os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
