"""The run file: the YAML a person writes to say which workflow, on which data, to where.

Enters: a path, and overrides from the command line. Leaves: `RunFile`, what the file says, and
`Prepared`, that made real: the workflow imported, the inputs found, the parameters checked, the graph built.
Goes wrong: `RunFileError`, all faults at once, each with file:line:column and the nearest name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynamo.runfile.draft import load
    from dynamo.runfile.faults import Fault, FaultyRunFileError
    from dynamo.runfile.json_schema import schema
    from dynamo.runfile.model import RunFile
    from dynamo.runfile.preparation import Prepared, prepare
    from dynamo.runfile.products import Products
    from dynamo.runfile.workflow import load_workflow

__all__ = [
    "Fault",
    "FaultyRunFileError",
    "Prepared",
    "Products",
    "RunFile",
    "load",
    "load_workflow",
    "prepare",
    "schema",
]

# Only who reads a run file pays for what reads it.
_HOME = {
    "Fault": "faults",
    "FaultyRunFileError": "faults",
    "Prepared": "preparation",
    "Products": "products",
    "RunFile": "model",
    "load": "draft",
    "load_workflow": "workflow",
    "prepare": "preparation",
    "schema": "json_schema",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'dynamo.runfile' has no attribute {name!r}")
    value = getattr(import_module(f"dynamo.runfile.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
