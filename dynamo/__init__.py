"""Weather-radar processing chains, written once in Python and run anywhere.

The names below are the whole public interface for writing and running workflows; the science is in
`dynamo.radar`. They are imported on first use, so that ``import dynamo`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynamo.api import plan, run
    from dynamo.engine import LocalEngine, Summary
    from dynamo.graph import File, Graph, Input, Output, Task, command, fuse, task, tell, workflow
    from dynamo.planning import Plan, Selection

__version__ = "0.1.0"

__all__ = [
    "File",
    "Graph",
    "Input",
    "LocalEngine",
    "Output",
    "Plan",
    "Selection",
    "Summary",
    "Task",
    "command",
    "fuse",
    "plan",
    "run",
    "task",
    "tell",
    "workflow",
]

_HOME = {
    **dict.fromkeys(("plan", "run"), "dynamo.api"),
    **dict.fromkeys(("LocalEngine", "Summary"), "dynamo.engine"),
    **dict.fromkeys(("Plan", "Selection"), "dynamo.planning"),
    **dict.fromkeys(
        ("File", "Graph", "Input", "Output", "Task", "command", "fuse", "task", "tell", "workflow"),
        "dynamo.graph",
    ),
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'dynamo' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
