"""Which dynamo this is, down to the last edited line: a compiled job is run by the same one that compiled it."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

__all__ = ["build"]


#: What runs at the far end: these modules and packages of dynamo, and the workflows that come with it.
_PARTS = ("__init__.py", "compiled.py", "errors.py", "graph", "radar", "worker")


@cache
def build() -> str:
    """Return the version and a digest over those sources that run tasks, like ``0.1.0+5f2c9a81d3e0``."""
    dynamo, found = import_module("dynamo"), hashlib.sha256()
    folder = Path(next(iter(dynamo.__path__)))
    files: dict[str, Path] = {}
    for part in _PARTS:
        files |= _sources(folder / part, f"dynamo/{part}")
    spec = find_spec("dynamo.workflows")  # in another folder where dynamo is installed for editing
    for place in (spec.submodule_search_locations or ()) if spec else ():
        files |= _sources(Path(place), "dynamo/workflows")
    for name, path in sorted(files.items()):
        found.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return f"{dynamo.__version__}+{found.hexdigest()[:12]}"


def _sources(path: Path, name: str) -> dict[str, Path]:
    if path.is_file():
        return {name: path}
    return {f"{name}/{inner.relative_to(path)}": inner for inner in path.rglob("*.py")}
