"""Whether one task must run, and why, in one sentence. Pure: everything known is passed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dynamo.graph.digest import canonical
from dynamo.graph.model import Task
from dynamo.journal.records import Parts, Result

__all__ = ["Decision", "decide", "why_changed"]


@dataclass(frozen=True, slots=True)
class Decision:
    """Run or reuse, and the reason.

    ``leave`` is a task that a selection leaves out. ``key`` is None where an input is not made yet.
    """

    action: Literal["run", "reuse", "leave"]
    reason: str
    key: str | None = None
    result: Result | None = None


def decide(
    task: Task,
    key: str,
    parts: Parts,
    *,
    result: Result | None,
    damage: str,
    previous: tuple[str, Parts] | None,
    forced: bool = False,
) -> Decision:
    """Decide for a task whose inputs all exist.

    Parameters
    ----------
    result
        What the journal holds for `key`.
    damage
        What is wrong with that result's files in the store; empty where nothing is.
    previous
        The key and parts of this task's last run in this workflow.
    forced
        Whether the user asked for it to run.
    """
    if forced:
        return Decision("run", "asked for by --force", key)
    if result is not None and not damage:
        return Decision("reuse", f"reused from run {result.run}", key, result)
    if result is not None:
        return Decision("run", damage, key)
    if previous is None:
        return Decision("run", "never run before", key)
    if previous[0] == key:
        return Decision("run", "its earlier result was removed", key)
    return Decision("run", why_changed(task, previous[1], parts), key)


def why_changed(task: Task, before: Parts, now: Parts) -> str:
    """Name the first difference between two sets of parts."""
    if before.code != now.code:
        return f"code of {task.call.rpartition(':')[2]} changed"
    for name in sorted(set(before.params) | set(now.params)):
        if _told(before.params, name) != _told(now.params, name):
            return f"parameter {name} changed from {_short(before.params.get(name))} to {_short(now.params.get(name))}"
    for name, digest in now.inputs.items():
        if name not in before.inputs:
            return f"input {name!r} is new"
        if before.inputs[name] != digest:
            return f"input {name!r} changed"
    for name in before.inputs:
        if name not in now.inputs:
            return f"input {name!r} is no longer used"
    if before.outputs != now.outputs:
        return f"outputs are now named {', '.join(now.outputs)}"
    return "its inputs are bound to other parameters"


def _told(params: Mapping[str, Any], name: str) -> bytes:
    """The parameter as the key sees it: 1 and 1.0 differ, and so do null and nothing."""
    return canonical(params[name]) if name in params else b""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
