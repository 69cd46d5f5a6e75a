"""An inspection: a run file that is to be watched is looked at as a watch would at its start, without anything begun.

Enters: a run file as far as it can be understood. Leaves: what a watch would do. Goes wrong: all that a watch would
trip over, and what the machine lacks for it, is added to the faults of the run file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dynamo.errors import WorkspaceError, nearest
from dynamo.graph.signature import Role, Signature
from dynamo.graph.units import format_count, format_seconds
from dynamo.journal import Workspace
from dynamo.runfile.draft import Draft
from dynamo.runfile.faults import Fault, Faults
from dynamo.runfile.inputs import NotFoundError, find
from dynamo.runfile.model import RunFile
from dynamo.runfile.paths import under
from dynamo.runfile.preparation import Prepared
from dynamo.runfile.trigger import NeedRule, TriggerRule
from dynamo.runfile.values import At
from dynamo.watch.chain import check_products, find_condition, misfit, waits_for
from dynamo.watch.channels import Told, address
from dynamo.watch.closed import closed_channels
from dynamo.watch.condition import Condition
from dynamo.watch.doubts import doubts, known_of
from dynamo.watch.feed import check_trigger, globs_of, name_of, starting_inputs
from dynamo.watch.means import Means, find_means
from dynamo.watch.needs import vain
from dynamo.watch.surroundings import tell_lacking

__all__ = ["Inspection", "inspect", "inspect_needs", "inspect_products", "inspect_rules"]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What starts runs, in words; whom they tell, None for nobody; and what is no fault but should be known."""

    trigger: str
    means: Means | None
    notes: tuple[Fault, ...] = ()
    #: Watched inputs of which no file is there yet.
    waiting: frozenset[str] = frozenset()


def inspect(draft: Draft, given: Collection[str] = ()) -> Inspection:
    """Look at a run file; its workflow need not be known. The inputs `given` are not those of the run file."""
    if draft.runfile is None:
        return Inspection("", None)
    base, notes = draft.path.parent, Faults(draft.faults.file)

    def note(at: At, message: str) -> None:
        notes.add(draft.root.find(at).mark, message, lacking=message)

    tell_lacking(draft.runfile, base, draft.tell)
    check_trigger(draft)
    condition = find_condition(draft)
    for at, said in check_products(draft, condition):
        note(at, said)
    if wrong := misfit(Workspace(under(base, draft.runfile.workspace)), condition):
        at, said, is_lasting = wrong
        (draft.tell if is_lasting else note)(at, said)
    means = find_means(draft)
    for name, need in (draft.runfile.trigger or TriggerRule()).needs.items():
        if said := vain(need):
            note(("trigger", "needs", name, "sources"), said)
    waiting = frozenset(_waiting(draft.runfile, base, given, note))
    if means is not None:
        _note_silence(draft, means, note)
    return Inspection(_trigger(draft.runfile, base, condition), means, notes.found, waiting)


def _waiting(runfile: RunFile, base: Path, given: Collection[str], note: Told) -> Iterator[str]:
    """Yield the watched inputs of which no file is there yet, which is no fault."""
    needs = runfile.trigger.needs if runfile.trigger else {}
    for name in globs_of(runfile, base):
        if name in given or needs.get(name, NeedRule()).quorum == 0:
            continue
        try:
            find(runfile.inputs[name], base, datetime.now(UTC))
        except NotFoundError as error:
            if error.may_come:
                at = ("inputs", name) if error.index is None else ("inputs", name, "files", error.index)
                note(at, f"{name}: {error}; a watch waits for them")
                yield name


def _note_silence(draft: Draft, means: Means, note: Told) -> None:
    """Note why people would not be told although nothing is wrong with what the run file says."""
    if means.people is not None and means.people.wrong:
        note(("alerts", "subscribers"), means.people.wrong)
    assert draft.runfile is not None
    workspace = under(draft.path.parent, draft.runfile.workspace)
    journal = Workspace(workspace).journal
    if not journal.is_file():
        return
    kinds = ("webhooks", "folders", "programs", "mails")
    feed = name_of(draft.path, workspace)
    places = {
        address(feed, rule.name): ("alerts", kind, index)
        for kind in kinds
        for index, rule in enumerate(getattr(draft.runfile.alerts, kind))
    }
    try:
        for closed in closed_channels(journal, places):
            note(places[closed.channel], str(closed))
    except WorkspaceError as error:
        draft.tell(("workspace",), error.message)


def inspect_needs(draft: Draft, inspection: Inspection, signature: Signature) -> None:
    """Add to the faults where a window would have more files of an input than the workflow takes."""
    assert draft.runfile is not None
    needs = draft.runfile.trigger.needs if draft.runfile.trigger else {}
    single = [p.name for p in signature.parameters.values() if p.role is Role.INPUT and not p.many]
    for name in single:
        need = needs.get(name, NeedRule())
        for key, number in (("files", need.files), ("sources", need.sources)):
            if number > 1:
                said = f"{key}: {signature.name} takes one file as {name!r}; annotate it `list[Input]`"
                draft.tell(("trigger", "needs", name, key), said)
        rule = draft.runfile.inputs.get(name)
        if name in inspection.waiting and rule and (rule.last or 1) > 1:
            said = f"last: {signature.name} takes one file as {name!r}; write `last: 1`"
            draft.tell(("inputs", name, "last"), said)


def inspect_rules(draft: Draft, inspection: Inspection, params: Mapping[str, Any]) -> Inspection:
    """Return the inspection with a note of each rule that can never match; `params` are those of the workflow."""
    assert draft.runfile is not None
    alerts, means = draft.runfile.alerts, inspection.means
    if alerts is None:
        return inspection
    known = known_of(params, _kinds(draft, draft.runfile))
    return _with_notes(
        draft, inspection, doubts(alerts, means.people.known if means and means.people else None, known)
    )


def _kinds(draft: Draft, runfile: RunFile) -> set[str]:
    """Return the kinds of hazard that were judged before."""
    from dynamo.alerts.store import AlertStore

    workspace = under(draft.path.parent, runfile.workspace)
    journal = Workspace(workspace).journal
    if not journal.is_file():
        return set()
    with suppress(WorkspaceError), AlertStore(journal) as store:  # what is wrong with it is told already
        return store.kinds(name_of(draft.path, workspace))
    return set()


def _with_notes(draft: Draft, inspection: Inspection, said: Iterable[tuple[At, str]]) -> Inspection:
    notes = Faults(draft.faults.file)
    for at, message in said:
        notes.add(draft.root.find(at).mark, message, lacking=message)
    return replace(inspection, notes=(*inspection.notes, *notes.found))


def _trigger(runfile: RunFile, base: Path, condition: Condition | None) -> str:
    trigger = runfile.trigger
    starts = _starts(runfile, base)
    return f"{starts}, {waits_for(trigger.when, condition)}" if trigger and trigger.when else starts


def _starts(runfile: RunFile, base: Path) -> str:
    trigger = runfile.trigger
    if trigger and trigger.cron:
        return f"at {trigger.cron!r}, {trigger.zone}"
    if trigger and trigger.every:
        return f"every {format_seconds(trigger.every)}"
    globs = globs_of(runfile, base)
    starting = starting_inputs(trigger or TriggerRule(), globs)
    others = [name for name in globs if name not in starting]
    known = f"; with {', '.join(others)} as known then" if others else ""
    return f"each new file of {', '.join(starting)}{known}"


def inspect_products(draft: Draft, inspection: Inspection, prepared: Prepared) -> Inspection:
    """Add to the faults the globs of products with hazards that no output can have; note those that may have others.

    Returns the inspection with the notes.
    """
    alerts, graph = prepared.runfile.alerts, prepared.graph
    if alerts is None or any(task.kind == "expand" for task in graph.tasks.values()):
        return inspection  # what a run will find out only on its way may have any name
    made = list(graph.producer)
    published = [name for name in made if _fits(name, prepared.products.only or ("*",))]
    said = draft.root.value["alerts"].value
    if "products" not in said and not any(_fits(name, alerts.products) for name in published):
        globs = " or ".join(map(repr, alerts.products))
        draft.tell(
            ("alerts",), f"alerts: no output that is published has a name like {globs}; say `products:`"
        )
    for index, glob in enumerate(alerts.products if "products" in said else ()):
        if any(_fits(name, [glob]) for name in published):
            continue
        wrong = f"no output of the workflow has a name like {glob!r}{nearest(glob, made)}"
        if any(_fits(name, [glob]) for name in made):
            wrong = f"`only` leaves out all outputs like {glob!r}"
        draft.tell(("alerts", "products", index), f"products: {wrong}")
    return _with_notes(draft, inspection, _other_products(alerts.products, published))


def _other_products(globs: Collection[str], published: Collection[str]) -> Iterator[tuple[At, str]]:
    """Yield globs that take products which are not called as GeoJSON is: each that is none fails to be judged."""
    for index, glob in enumerate(globs):
        others = [n for n in published if _fits(n, [glob]) and not n.endswith((".geojson", ".geojson.gz"))]
        if others:
            count = format_count(len(others), "product")
            said = f"products: {glob!r} takes {count} like {others[0]!r}; are they GeoJSON? No run can be judged else"
            yield ("alerts", "products", index), said


def _fits(name: str, globs: Collection[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)
