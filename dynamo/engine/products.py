"""Products: outputs that are published in a folder of the user's, each whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from dynamo.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Products"]


@dataclass(frozen=True, slots=True)
class Products:
    """Where the outputs of a run are published, and which.

    Parameters
    ----------
    folder
        Absolute path; empty publishes nothing.
    only
        Patterns of output names; none means all.
    """

    folder: str = ""
    only: tuple[str, ...] = ()

    def wants(self, name: str) -> bool:
        """Whether the output `name` is a product."""
        return bool(self.folder) and (not self.only or any(fnmatchcase(name, p) for p in self.only))

    def unused(self, published: Sequence[str]) -> list[str]:
        """Return the patterns that none of the published paths was wanted for."""
        names = [path.removeprefix(f"{self.folder}/") for path in published]
        return [p for p in self.only if self.folder and not any(fnmatchcase(name, p) for name in names)]

    def publish(self, name: str, stored: str) -> str:
        """Put the stored file into the folder under `name`, and return its path.

        A hard link where the file system allows it, else a copy; what stood there is replaced in one step.
        Raises `UserError` where the folder cannot be written.
        """
        target = f"{self.folder}/{name}"
        try:
            if _same(stored, target):
                return target
            # Of this thread's own, for another may publish the same name at this moment; and without that name,
            # which may be as long as one can be.
            part = f"{os.path.dirname(target)}/.{os.getpid()}-{threading.get_ident():x}.part"
            _remove(part)
            try:
                os.link(stored, part)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                _link_or_copy(stored, part)
            except OSError:
                _link_or_copy(stored, part)
            os.replace(part, target)
            # It stays where another run has just published the same file: a rename of links is void.
            _remove(part)
        except OSError as error:
            raise UserError(
                f"cannot publish {target}: {error.strerror}; choose another folder with `products:`"
            ) from error
        return target


def _link_or_copy(stored: str, part: str) -> None:
    try:
        os.link(stored, part)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copyfile(stored, part)


def _same(stored: str, target: str) -> bool:
    try:
        return os.path.samefile(stored, target)
    except FileNotFoundError:
        return False


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
