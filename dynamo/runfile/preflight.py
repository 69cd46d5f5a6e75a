"""Preflight: what a workflow itself says of its inputs and parameters before the first run.

Enters: a workflow, the parameters that are given, and the files that are there. Leaves: in words, what should be
known. Goes wrong: the `UserError` of what no run could go on with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dynamo.errors import DynamoError, UserError
from dynamo.graph import Workflow
from dynamo.graph.signature import Role
from dynamo.runfile.workflow import guilty

__all__ = ["preflight"]


def preflight(
    workflow: Workflow, values: Mapping[str, Any], files: Mapping[str, Sequence[Path]]
) -> list[str]:
    """Return what `Workflow.preflight` says; nothing where the workflow has none."""
    if workflow.looks is None:
        return []
    given: dict[str, Any] = {}
    for name, parameter in workflow.signature.parameters.items():
        paths = list(files.get(name, ()))
        if parameter.role is not Role.INPUT:
            given[name] = values.get(name, parameter.default)
        else:
            given[name] = paths if parameter.many else next(iter(paths), None)
    try:
        return list(workflow.looks(**given))
    except DynamoError:
        raise
    except Exception as error:  # whatever the user's own function does
        raise UserError(
            f"looking at what {workflow.signature.name} is given fails: {type(error).__name__}: {error}",
            place=guilty(error),
        ) from error
