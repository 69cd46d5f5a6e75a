"""What the files of a chain are called that are made of one source each."""

from __future__ import annotations

from pathlib import PurePosixPath

from dynamo.graph import Input

__all__ = ["own_name"]


def own_name(source: Input) -> str:
    """Return the name of a source in this graph, in which no two are the same, below the parameter's folder."""
    name = PurePosixPath(source.name)
    return str(name.relative_to(name.parts[0]))
