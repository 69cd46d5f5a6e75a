"""What the journal keeps of how a run was asked for, so that it can be gone on with and told."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from dynamo.graph.digest import NotJSON, to_json
from dynamo.planning.select import Selection
from dynamo.runfile.engine import SHARED, EngineRule
from dynamo.runfile.preparation import Prepared
from dynamo.runfile.workflow import module_folders

__all__ = ["settings"]


def settings(
    prepared: Prepared, folder: str, selection: Selection, cores: int | None = None
) -> dict[str, Any]:
    """Return the settings of a run whose products go into `folder`."""
    trigger = prepared.runfile.trigger
    # One that sleeps in fair weather is not to be counted on at each tick.
    clock = trigger.schedule if trigger and not trigger.when else None
    return {
        **({"clock": str(clock)} if clock else {}),
        "runfile": str(prepared.path),
        "engine": prepared.engine.name,
        "pool": _pool(prepared.engine),
        "cores": cores or prepared.engine.cores,
        "memory": prepared.engine.memory,
        "images": {name: asdict(image) for name, image in prepared.images.items()},
        "products": folder,
        "only": list(prepared.products.only),
        "modules": module_folders(prepared.runfile.workflow, prepared.path.parent),
        "selection": {"force": selection.force, "only": selection.only, "until": selection.until},
        "params": {name: _told(value) for name, value in prepared.params.items()},
        "inputs": {n: len(p) if isinstance(p, list) else 1 for n, p in prepared.inputs.items()},
    }


def _pool(engine: EngineRule) -> dict[str, Any]:
    """Return which pool runs the tasks, and how, as `dynamo.condor.options.PoolOptions` takes it."""
    said = {
        "pool": engine.pool,
        "schedd": engine.schedd,
        "slots": engine.slots,
        "worker": engine.worker,
        "limits": engine.at_once,
        "container": engine.container,
        "shared": engine.transfer == SHARED,
        "urls": engine.urls,
    }
    return {key: value for key, value in said.items() if value}


def _told(value: Any) -> Any:
    """Return a parameter as the journal can hold it: a time, say, as its text."""
    try:
        return to_json(value)
    except NotJSON:
        return str(value)
