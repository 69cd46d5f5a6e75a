"""Chains: run files that wait for the weather in the products of others.

Enters: a run file as far as it can be understood. Leaves: what it waits for. Goes wrong: all that is wrong with that is
added to the faults of the run file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from dynamo.errors import DynamoError, UserError, WorkspaceError
from dynamo.graph.signature import Role
from dynamo.graph.units import format_seconds
from dynamo.journal import Journal, Workspace
from dynamo.runfile.draft import Draft, read
from dynamo.runfile.inputs import beside
from dynamo.runfile.params import read_params
from dynamo.runfile.paths import under
from dynamo.runfile.when import WhenRule
from dynamo.runfile.workflow import load_workflow
from dynamo.triggers.store import Store
from dynamo.watch.condition import Condition, condition_of
from dynamo.watch.sight import UnfitError, sight

__all__ = ["check_products", "find_condition", "waits_for"]

#: Seconds of a hold at most: what was seen is kept for a few times as long.
LONGEST = 43_200.0
_AT = ("trigger", "when")


def find_condition(draft: Draft) -> Condition | None:
    """Return what a run file waits for, None for nothing; add what is wrong with it to its faults."""
    rule = draft.runfile.trigger.when if draft.runfile and draft.runfile.trigger else None
    if rule is None:
        return None
    assert draft.runfile is not None
    base, before = draft.path.parent, len(draft.faults.found)
    if rule.hold > LONGEST:
        draft.tell((*_AT, "hold"), f"hold: more than {format_seconds(LONGEST)}, for which all seen is kept")
    _check_other(draft, rule)
    try:
        condition = condition_of(rule, base, under(base, draft.runfile.workspace))
    except UserError as error:
        where = f"{error.place}: " if error.place else ""
        draft.tell((*_AT, "of"), f"of: {where}{error.message}")
        return None
    return condition if len(draft.faults.found) == before else None


def _check_other(draft: Draft, rule: WhenRule) -> None:
    """Add why the other run file cannot tell this one anything."""
    at, path = (*_AT, "run"), under(draft.path.parent, rule.run)
    if not path.is_file():
        draft.tell(at, f"run: no run file {rule.run!r}{beside(path)}")
        return
    other = _draft(path)
    if other is None or other.runfile is None or other.faults:
        draft.tell(at, f"run: {rule.run} is faulty itself; see `dynamo check {rule.run}`")
        return
    assert draft.runfile is not None
    ours, theirs = (
        under(one.path.parent, one.runfile.workspace).resolve() for one in (draft, other) if one.runfile
    )
    if ours != theirs:
        said = f"run: {rule.run} has the workspace {theirs}, this one {ours}; give them the same `workspace:`"
        draft.tell(at, said)
    names = [rule.run]
    for after in _after(path):
        if after == draft.path.resolve():
            way = f", which waits for {names[-1]}" if len(names) > 1 else ""
            draft.tell(at, f"run: waits for itself: {names[0]}{way} waits for {draft.path.name}")
            return
        names.append(after.name)


def _after(path: Path) -> Iterator[Path]:
    """Yield a run file and those that it waits for, one after the other, each once."""
    seen = set[Path]()
    at: Path | None = path.resolve()
    while at is not None and at not in seen:
        seen.add(at)
        yield at
        draft = _draft(at)
        trigger = draft.runfile.trigger if draft and draft.runfile else None
        at = under(at.parent, trigger.when.run).resolve() if trigger and trigger.when else None


def _draft(path: Path) -> Draft | None:
    try:
        return read(path)
    except UserError:
        return None


def check_products(draft: Draft, condition: Condition | None) -> list[tuple[tuple[str, ...], str]]:
    """Add where the products of the other never show what is waited for; return what should be known beside.

    By the parameters of its workflow, and by what it ran last.
    """
    rule = draft.runfile.trigger.when if draft.runfile and draft.runfile.trigger else None
    if rule is None or condition is None:
        return []
    assert draft.runfile is not None
    levels, least = _levels(under(draft.path.parent, rule.run)), condition.least.level
    told = ", ".join(f"{level:g}" for level in levels)
    if levels and least > max(levels):
        draft.tell(
            (*_AT, "level"), f"level: no polygon of {rule.run} reaches {least:g}: its `levels` are {told}"
        )
        return []
    workspace = Workspace(under(draft.path.parent, draft.runfile.workspace))
    if workspace.journal.is_file():
        with suppress(WorkspaceError):  # what is wrong with it is told already
            _check_last(draft, workspace, condition)
    if levels and least not in levels:
        counts = min(level for level in levels if level >= least)
        return [((*_AT, "level"), f"level: {rule.run} has polygons of {told}; those of {counts:g} count")]
    return []


def _check_last(draft: Draft, workspace: Workspace, condition: Condition) -> None:
    with Store(workspace.journal) as store:
        done = store.windows(condition.feed, ("done",), limit=1)
    with Journal(workspace.journal) as journal:
        try:
            if done:
                sight(workspace, journal, done[0].run, condition)
        except UnfitError as error:
            draft.tell((*_AT, error.key), f"{error.key}: {error.message}")


def _levels(path: Path) -> list[float]:
    """Return the parameter `levels` of a run file's workflow; none where it cannot be known."""
    draft = _draft(path)
    if draft is None or draft.runfile is None:
        return []
    try:
        signature = load_workflow(draft.runfile.workflow, path.parent).signature
        values = read_params(draft, signature, {})
    except DynamoError:
        return []
    defaults: dict[str, Any] = {one.name: one.default for one in signature.of_role(Role.VALUE)}
    levels = {**defaults, **values}.get("levels")
    numbers = levels if isinstance(levels, list | tuple) else ()
    return [float(one) for one in numbers if type(one) in (int, float)]


def waits_for(rule: WhenRule, condition: Condition | None = None) -> str:
    """Return in words what a run file waits for."""
    places = f" of {len(condition.places)} places" if condition and len(condition.places) > 1 else ""
    there = f"{Condition('', '', rule.level, rule.area, rule.within).words()}{places} in {rule.run}"
    if rule.priority is not None:
        return f"with priority {rule.priority} while there is {there}, and {format_seconds(rule.hold)} after"
    return f"while there is {there}, and {format_seconds(rule.hold)} after; asleep else"
