"""Paths as a run file writes them."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["under"]


def under(base: Path, text: str) -> Path:
    """Return `text` as a path, relative ones starting at `base`, ``~`` as the home it stands for.

    ``~name`` of somebody who is not known here stays as it is; such a file will not be found.
    """
    return base / os.path.expanduser(text)  # noqa: PTH111 - Path.expanduser raises where nobody has that name
