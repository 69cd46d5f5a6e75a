"""The name of a feed, by which the journal knows it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["name_of"]


def name_of(path: Path, workspace: Path) -> str:
    """Return the name of a feed: its run file, relative to the folder of its workspace."""
    return Path(os.path.relpath(path, workspace.parent)).as_posix()
