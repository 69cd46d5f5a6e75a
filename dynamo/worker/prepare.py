"""Import what tasks will need while there is nothing else to do, so that the first of them need not wait for it.

Enters: calls of tasks. Leaves: their modules imported, and those that their functions import before all else.
Goes wrong: nothing here; what cannot be imported fails in the task, which says so.
"""

from __future__ import annotations

import dis
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from types import FunctionType
from typing import Any

from dynamo.graph.callee import Callee
from dynamo.worker.loading import load_object

__all__ = ["first_imports", "prepare"]


def prepare(calls: Sequence[str], folder: str, interrupted: Callable[[], bool]) -> None:
    """Import what `calls` need in the working folder `folder`, as their tasks would; stop when `interrupted`."""
    with suppress(OSError):
        os.makedirs(folder, exist_ok=True)
        os.chdir(folder)
        for call in calls:
            if interrupted():
                break
            # The user's code may raise anything when it is imported, and does so again for the task.
            with suppress(BaseException):
                _import(load_object(call), interrupted)
        os.chdir("/")


def _import(callee: Any, interrupted: Callable[[], bool]) -> None:
    function = callee.function if isinstance(callee, Callee) else callee
    for name in first_imports(function) if isinstance(function, FunctionType) else ():
        if interrupted():
            return
        import_module(name)


def first_imports(function: FunctionType) -> Iterator[str]:
    """Yield the modules that `function` imports by full name before it does anything else.

    What stands further down may depend on its arguments, and is left to the task.
    """
    level = None
    for step in dis.get_instructions(function):
        if step.opname in {"LOAD_CONST", "LOAD_SMALL_INT"}:
            level = step.argval if isinstance(step.argval, int) else level
        elif step.opname == "IMPORT_NAME":
            if level == 0:
                yield step.argval
        elif step.opname not in _IMPORTING:
            return


#: Instructions that belong to imports, or do nothing.
_IMPORTING = {
    "CACHE", "COPY_FREE_VARS", "EXTENDED_ARG", "IMPORT_FROM", "MAKE_CELL", "NOP", "POP_TOP", "RESUME",
    "STORE_DEREF", "STORE_FAST", "SWAP",
}  # fmt: skip
