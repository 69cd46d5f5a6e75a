"""Sight: what the products of a run show of a condition.

Enters: a run in the journal. Leaves: a sighting. Goes wrong: a product that is not there, cannot be read, or is in
other units (`UnfitError`).
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from dynamo.alerts.extent import extent
from dynamo.alerts.hazard import HazardField, read_hazards
from dynamo.errors import DataError
from dynamo.graph.collection import uncollected
from dynamo.journal import Journal, Workspace
from dynamo.triggers.wakefulness import Sighting
from dynamo.watch.condition import Condition
from dynamo.worker.store import stored_path

__all__ = ["UnfitError", "sight"]


class UnfitError(DataError):
    """A product says nothing of a condition.

    `key` is of what in the run file that speaks; `lasting` is whether the next run will be alike.
    """

    def __init__(self, key: str, message: str, *, lasting: bool = True) -> None:
        super().__init__(message)
        self.key, self.lasting = key, lasting


def sight(workspace: Workspace, journal: Journal, run: str, condition: Condition) -> Sighting:
    """Return what a run showed of a condition: the most of all its products that the condition names.

    Products are taken from the store, which holds those of this run also where a later one replaced the published
    files.
    """
    fields = [
        _read(workspace, name, digest, condition) for name, digest in _products(journal, run, condition)
    ]
    areas = [extent(field, condition.least.level, condition.near) for field in fields]
    shares = [(field.lead_minutes, field.known_share) for field in fields if field.known_share is not None]
    time = max(field.issued for field in fields).timestamp()
    known = min(shares, default=(0.0, 1.0))[1]
    return Sighting(time, max(areas), known, held=max(areas) >= condition.area)


def _products(journal: Journal, run: str, condition: Condition) -> Iterator[tuple[str, str]]:
    """Yield names and digests of the products of a run; at least one."""
    names: list[str] = []
    for task in journal.tasks(run, live=False).values():
        result = journal.result(task.key) if task.key and task.state in ("done", "reused") else None
        for name, made in result.made.items() if result else ():
            names.append(name)
            if fnmatchcase(name, condition.product):
                yield name, made.digest
    if not any(fnmatchcase(name, condition.product) for name in names):
        said = f"run {run} of {condition.feed} made no product like {condition.product!r}"
        raise UnfitError("product", f"{said}; it made {', '.join(names[:4]) or 'none'}")


def _read(workspace: Workspace, name: str, digest: str, condition: Condition) -> HazardField:
    with TemporaryDirectory() as folder, uncollected():
        link = Path(folder) / PurePath(name).name  # by its name it is known whether it is compressed
        link.symlink_to(Path(stored_path(workspace.store, digest)).absolute())
        try:
            field = read_hazards(link, digest, condition.least.level)
        except DataError as error:
            raise UnfitError(
                "product", f"{name} of {condition.feed}: {error.message}", lasting=False
            ) from None
    units = condition.least.units
    if units and field.units and units != field.units:
        said = f"{name} of {condition.feed} is in {field.units}, and {condition.least} is waited for"
        raise UnfitError("level", said)
    return field
