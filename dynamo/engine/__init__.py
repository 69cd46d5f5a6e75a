"""The local engine: a plan goes in, products and a journal come out.

What is ready and what follows from a report is decided in pure code (`ready`, `limits`); the loop around it is
thin. Goes wrong: a task's failure is in the `Summary`; `InfrastructureError` where the machine gives out.
"""

from dynamo.engine.events import Event, Failure, Summary
from dynamo.engine.local import LocalEngine
from dynamo.engine.products import Products
from dynamo.engine.request import Request, new_run_id

__all__ = ["Event", "Failure", "LocalEngine", "Products", "Request", "Summary", "new_run_id"]
