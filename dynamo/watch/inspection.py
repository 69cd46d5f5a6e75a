"""An inspection: a run file that is to be watched is looked at as a watch would at its start, without anything begun.

Enters: a run file as far as it can be understood. Leaves: what a watch would do. Goes wrong: all that a watch would
trip over, and what the machine lacks for it, is added to the faults of the run file.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from dynamo.errors import nearest
from dynamo.graph.units import format_seconds
from dynamo.runfile.draft import Draft
from dynamo.runfile.model import RunFile
from dynamo.runfile.preparation import Prepared
from dynamo.watch.feed import check_trigger, globs_of
from dynamo.watch.means import Means, find_means
from dynamo.watch.surroundings import tell_lacking

__all__ = ["Inspection", "inspect", "inspect_products"]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What starts runs, in words, and whom they tell; None for nobody."""

    trigger: str
    means: Means | None


def inspect(draft: Draft) -> Inspection:
    """Look at a run file; its workflow need not be known."""
    if draft.runfile is None:
        return Inspection("", None)
    tell_lacking(draft.runfile, draft.path.parent, draft.tell)
    check_trigger(draft)
    return Inspection(_trigger(draft.runfile, draft.path.parent), find_means(draft))


def _trigger(runfile: RunFile, base: Path) -> str:
    trigger = runfile.trigger
    if trigger and trigger.cron:
        return f"at {trigger.cron!r}, {trigger.zone}"
    if trigger and trigger.every:
        return f"every {format_seconds(trigger.every)}"
    return f"each new file of {', '.join(globs_of(runfile, base))}"


def inspect_products(draft: Draft, prepared: Prepared) -> None:
    """Add to the faults the globs of products with hazards that no output can have."""
    alerts, graph = prepared.runfile.alerts, prepared.graph
    if alerts is None or any(task.kind == "expand" for task in graph.tasks.values()):
        return  # what a run will find out only on its way may have any name
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


def _fits(name: str, globs: Collection[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)
