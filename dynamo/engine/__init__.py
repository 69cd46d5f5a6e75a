"""The local engine: a plan goes in, products and a journal come out.

What is ready and what follows from a report is decided in pure code (`ready`, `limits`); the loop around it is
thin. Goes wrong: a task's failure is in the `Summary`; `InfrastructureError` where the machine gives out.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynamo.engine.events import Event, Failure, Summary
    from dynamo.engine.local import LocalEngine
    from dynamo.engine.products import Products
    from dynamo.engine.request import Request, new_run_id

__all__ = ["Event", "Failure", "LocalEngine", "Products", "Request", "Summary", "new_run_id"]

# `dynamo run` starts a worker (`spawn`) before it imports the rest.
_HOME = {
    **dict.fromkeys(("Event", "Failure", "Summary"), "events"),
    "LocalEngine": "local",
    "Products": "products",
    **dict.fromkeys(("Request", "new_run_id"), "request"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'dynamo.engine' has no attribute {name!r}")
    value = getattr(import_module(f"dynamo.engine.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
