"""Find the workflow that a run file names.

Enters: ``package.module:function`` or ``./file.py:function``. Leaves: a `Workflow`.
Goes wrong: `UserError` that says what is missing, with the nearest name, or where the user's file fails.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

from dynamo.errors import DynamoError, Place, UserError
from dynamo.graph import Command, TaskFunction, Workflow
from dynamo.runfile.paths import under
from dynamo.worker.loading import forget_edited, load_module, load_object, look_first, split_call

__all__ = ["guilty", "load_workflow", "module_folders"]


def load_workflow(reference: str, base: Path) -> Workflow:
    """Import the workflow that `reference` names, files and modules sought in the folder `base` first.

    Raises `UserError`: no such file, module or function (with the nearest name), not valid Python (with the
    place), an import that fails (with the place), or something that is not a workflow.
    """
    where, name = split_call(reference)
    if where.endswith(".py"):
        reference = f"{under(base, where)}:{name}"
    else:
        look_first([str(base)])
    forget_edited()
    try:
        found = load_object(reference)
    except DynamoError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's file does when it is imported
        raise UserError(
            f"importing {where} fails: {type(error).__name__}: {error}", place=guilty(error)
        ) from error
    if isinstance(found, Workflow):
        return found
    raise UserError(_not_a_workflow(name, found, reference))


def module_folders(reference: str, base: Path) -> list[str]:
    """Return where workers seek modules that do not lie beside the file that imports them: in `base`.

    Nowhere if the workflow's own file lies in `base`: then tasks of another run file, which may share the workers,
    do not find these modules where theirs are missing.
    """
    where, _ = split_call(reference)
    beside = where.endswith(".py") and under(base, where).resolve().parent == base.resolve()
    return [] if beside else [str(base)]


def _not_a_workflow(name: str, found: Any, reference: str) -> str:
    module = load_module(split_call(reference)[0])
    there = [n for n, v in vars(module).items() if isinstance(v, Workflow) and not n.startswith("_")]
    hint = f"; workflows there are {', '.join(there)}" if there else ""
    if isinstance(found, (TaskFunction, Command)):
        return f"{name} is a task, not a workflow: call it in a function marked @workflow and name that{hint}"
    if callable(found) and not isinstance(found, type):
        return f"{name} is a plain function: mark it with @workflow (from dynamo import workflow){hint}"
    return f"{name} is a {type(found).__name__}, not a workflow: name a function marked @workflow{hint}"


def guilty(error: BaseException) -> Place | None:
    """Return the last place of `error`'s traceback in the user's own files, if there is one."""
    from sysconfig import get_path

    # This package, Python itself, and what is frozen in it say nothing to the user.
    foreign = (str(Path(__file__).resolve().parents[1]), get_path("stdlib"), "<")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(foreign)]
    own = [f for f in frames if "site-packages" not in f.filename]
    return Place(own[-1].filename, own[-1].lineno or 0) if own else None
