"""What an image says of the dynamo in it: its version, and a digest of all of its code that runs tasks."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import import_module
from pathlib import Path

__all__ = ["CODE", "VERSION", "code_here", "version_here"]

VERSION = "dynamo.version"
CODE = "dynamo.code"

#: What a task, or what runs it, may import of dynamo.
_RUNS = ("errors.py", "compiled.py", "graph", "worker", "radar")


def version_here() -> str:
    """Return the version of dynamo here."""
    return str(import_module("dynamo").__version__)


@cache
def code_here() -> str:
    """Return a digest (hex, 16 digits) over the sources of dynamo that run tasks, as they are here."""
    dynamo, workflows = (Path(import_module(name).__path__[0]) for name in ("dynamo", "dynamo.workflows"))
    files = {f"dynamo/{path.relative_to(dynamo)}": path for name in _RUNS for path in _sources(dynamo / name)}
    files |= {f"dynamo/workflows/{path.relative_to(workflows)}": path for path in _sources(workflows)}
    found = hashlib.sha256()
    for name, path in sorted(files.items()):
        found.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()[:16]


def _sources(path: Path) -> list[Path]:
    return list(path.rglob("*.py")) if path.is_dir() else [path]
