"""How the inputs, parameters and tasks of a run file are told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynamo.graph import Graph
    from dynamo.runfile.model import InputRule

__all__ = ["files_text", "shown", "tasks_text"]


def tasks_text(graph: Graph | None) -> str:
    """Count the tasks of each step."""
    if graph is None:
        return "not known before the first files are there"
    steps = ", ".join(f"{step} x {len(ids)}" if len(ids) > 1 else step for step, ids in graph.steps.items())
    return f"{len(graph.tasks)}: {steps}"


def files_text(paths: Sequence[Path], rule: InputRule | None) -> str:
    """Count the files of an input, and name the first and the last with their times."""
    from dynamo.graph.units import format_count
    from dynamo.runfile.times import find_time, reader_of

    read = reader_of(rule.time) if rule and rule.time else find_time

    def one(path: Path) -> str:
        time = read(path.name)
        return f"{path.name} ({time:%Y-%m-%d %H:%M:%S} UTC)" if time else path.name

    if not paths:
        return "no file"
    last = f" to {one(paths[-1])}" if len(paths) > 1 else ""
    return f"{format_count(len(paths), 'file')}: {one(paths[0])}{last}"


def shown(value: Any) -> Any:
    """Return a parameter as JSON would record it, or its text."""
    from dynamo.graph.digest import NotJSON, to_json

    try:
        return to_json(value, "")
    except NotJSON:
        return repr(value)
