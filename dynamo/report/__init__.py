"""Looking at runs: drawings of graphs, and the report of a run as one HTML file.

Enters: a `Graph`, or the journal and the workspace of a run. Leaves: SVG, PNG, Mermaid, HTML; nothing in them
is fetched from elsewhere. Goes wrong: `UserError` where a file cannot be written or a run is not known.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynamo.report.drawing import draw, write_drawing
    from dynamo.report.page import write_report

__all__ = ["draw", "write_drawing", "write_report"]

# Who draws a graph needs no journal, and the other way round.
_HOME = {"draw": "drawing", "write_drawing": "drawing", "write_report": "page"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'dynamo.report' has no attribute {name!r}")
    value = getattr(import_module(f"dynamo.report.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
