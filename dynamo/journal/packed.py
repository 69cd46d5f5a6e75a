"""A graph as the journal holds it: JSON, deflated."""

from __future__ import annotations

import zlib

import orjson

from dynamo.graph.model import Graph

__all__ = ["packed", "unpacked"]


def packed(graph: Graph) -> bytes:
    """Return the bytes that hold `graph`."""
    return zlib.compress(orjson.dumps(graph.to_json()), 1)


def unpacked(data: bytes) -> Graph:
    """Read back what `packed` returned.

    Raises `WorkflowError`, `zlib.error` or `orjson.JSONDecodeError` where another dynamo wrote it, in another form.
    """
    return Graph.from_json(orjson.loads(zlib.decompress(data)))
