"""Chains: run files that wait for the weather in the products of others.

Enters: a run file as far as it can be understood. Leaves: what it waits for. Goes wrong: all that is wrong with that is
added to the faults of the run file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from fnmatch import fnmatchcase
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
from dynamo.runfile.preparation import prepare
from dynamo.runfile.values import At
from dynamo.runfile.when import WhenRule
from dynamo.runfile.workflow import load_workflow
from dynamo.triggers.store import Store
from dynamo.watch.condition import Condition, condition_of

__all__ = ["check_products", "find_condition", "misfit", "waits_for"]

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
    names: list[str] = []
    for after in _after(path):
        if after == draft.path.resolve():
            way = ", which waits for ".join([*(names or [rule.run]), draft.path.name])
            draft.tell(at, f"run: waits for itself: for {way}")
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


def check_products(draft: Draft, condition: Condition | None) -> list[tuple[At, str]]:
    """Add that no polygon of the other reaches the level, by its parameters; return what to know of its products."""
    rule = draft.runfile.trigger.when if draft.runfile and draft.runfile.trigger else None
    if rule is None or condition is None:
        return []
    path, notes = under(draft.path.parent, rule.run), list[tuple[At, str]]()
    names = _makes(path)
    if names and not any(fnmatchcase(name, rule.product) for name in names):
        like = get_close_matches(rule.product, names, 1, 0.0)[0]
        said = f"product: with the files that are there {rule.run} makes nothing like {rule.product!r}, but {like}"
        notes.append(((*_AT, "product"), said))
    levels, least = _levels(path), condition.least.level
    told = ", ".join(f"{level:g}" for level in levels)
    if levels and least > max(levels):
        draft.tell(
            (*_AT, "level"), f"level: no polygon of {rule.run} reaches {least:g}: its `levels` are {told}"
        )
    elif levels and least not in levels:
        counts = min(level for level in levels if level >= least)
        said = f"level: {rule.run} has polygons of {told}; those of {counts:g} count"
        notes.append(((*_AT, "level"), said))
    return notes


def misfit(workspace: Workspace, condition: Condition | None) -> tuple[At, str, bool] | None:
    """Return why the last run of the other says nothing, and whether the next one will neither; None where it does."""
    if condition is None or not workspace.journal.is_file():
        return None
    from dynamo.watch.sight import UnfitError, sight  # most run files have no use for it

    with suppress(WorkspaceError), Store(workspace.journal) as store, Journal(workspace.journal) as journal:
        for last in store.windows(condition.feed, ("done",), limit=1):
            try:
                sight(workspace, journal, last.run, condition)
            except UnfitError as error:
                return (*_AT, error.key), f"{error.key}: {error.message}", error.lasting
    return None


def _makes(path: Path) -> list[str]:
    """Return the names of what a run file makes of the files that are there; none where that cannot be known."""
    try:
        tasks = prepare(path).graph.tasks.values()
    except DynamoError:
        return []
    if any(task.kind == "expand" for task in tasks):
        return []  # it makes more
    return [name for task in tasks for name in task.output_names]


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
