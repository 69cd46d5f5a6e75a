"""A clean folder for each task: its inputs under their names, room for its outputs, nothing else.

One folder a worker, emptied between tasks, and its subfolders kept where the next task has the same: to make
and remove a folder costs more than a small task. The folder of a task that failed is moved away whole.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from dynamo.graph.model import Names, names_of
from dynamo.worker.job import Made, Order
from dynamo.worker.store import adopt

__all__ = ["Sandbox", "keep"]


class Sandbox:
    """The folder in which one worker runs its tasks.

    Parameters
    ----------
    folder
        Absolute path; on the same file system as the store.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._subfolders: frozenset[str] | None = None  # unknown: a worker that died may have left its own

    def prepare(self, order: Order, store: str, made: Mapping[str, str]) -> None:
        """Link each input into the empty folder, make the folders of the outputs, and go there.

        `made` maps the files that earlier tasks of the job made to their paths in `store`. Raises `OSError`.
        """
        names = (*order.paths, *names_of(order.outputs))
        subfolders = frozenset(name.rpartition("/")[0] for name in names if "/" in name)
        if subfolders != self._subfolders or not os.path.isdir(self.folder):
            shutil.rmtree(self.folder, ignore_errors=True)
            os.mkdir(self.folder)
            for name in subfolders:
                os.makedirs(f"{self.folder}/{name}", exist_ok=True)
            self._subfolders = subfolders
        for name, path in order.paths.items():
            _link(path or made[name], f"{self.folder}/{name}", store)
        os.chdir(self.folder)

    def bind(self, bound: Mapping[str, Names]) -> dict[str, Path | list[Path]]:
        """Return the paths that a Python task is called with."""
        folder = self.folder
        return {
            p: Path(f"{folder}/{names}") if isinstance(names, str) else [Path(f"{folder}/{n}") for n in names]
            for p, names in bound.items()
        }

    def missing_outputs(self, order: Order) -> list[str]:
        """Return the declared outputs that are not there as plain files."""
        return [name for name in names_of(order.outputs) if not _is_file(f"{self.folder}/{name}")]

    def found(self) -> list[str]:
        """Return the files that are there, by name."""
        walk = os.walk(self.folder)
        return sorted(os.path.relpath(f"{top}/{f}", self.folder) for top, _, files in walk for f in files)

    def collect(self, order: Order, store: str) -> dict[str, Made]:
        """Move the declared outputs into the store; raises `OSError`."""
        return {name: adopt(f"{self.folder}/{name}", store) for name in names_of(order.outputs)}

    def leave(self, target: str = "") -> None:
        """Empty the folder for the next task, or move it to `target` whole."""
        os.chdir("/")
        try:
            if target:
                keep(self.folder, target)
            else:
                self._empty(self.folder)
        except OSError:  # a file that cannot be removed: leave it behind, it goes with the engine's folder
            with suppress(OSError):
                os.rename(self.folder, f"{self.folder}.{os.urandom(4).hex()}")

    def _empty(self, folder: str) -> None:
        with os.scandir(folder) as entries:
            for entry in list(entries):
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.path)
                elif any(
                    f"{s}/".startswith(f"{entry.path[len(self.folder) + 1 :]}/")
                    for s in self._subfolders or ()
                ):
                    self._empty(entry.path)
                else:
                    shutil.rmtree(entry.path)


def _is_file(path: str) -> bool:
    """Whether a plain file is there, and no link to one."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _link(source: str, target: str, store: str) -> None:
    """Link to a file of the store, or by name to one from outside.

    On ext4 a symbolic link to a path of 60 characters or more takes a block of its own, and to remove it costs
    milliseconds on a busy disk; a hard link costs 5 microseconds.
    """
    if source.startswith(f"{store}/"):
        with suppress(OSError):  # a file system without hard links
            os.link(source, target)
            return
    os.symlink(source, target)


def keep(folder: str, target: str) -> None:
    """Move `folder` away whole, replacing what stands at `target`; raises `OSError`."""
    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    os.rename(folder, target)
