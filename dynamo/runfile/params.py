"""Check the parameters of a workflow against its annotations.

Enters: values as YAML gave them, or the text of ``--param``. Leaves: values of the annotated types.
Goes wrong: faults at the line and column of the value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ForwardRef

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from dynamo.errors import Place
from dynamo.graph.signature import REQUIRED, Parameter, Role, Signature
from dynamo.runfile.document import Node, parse
from dynamo.runfile.draft import Draft, describe
from dynamo.runfile.faults import Faults, FaultyRunFileError
from dynamo.runfile.names import match, place_of_option, written

__all__ = ["read_params"]


def read_params(draft: Draft, signature: Signature, overrides: Mapping[str, str]) -> dict[str, Any]:
    """Return the checked value of every parameter that the run file or `overrides` give.

    `overrides` are read as YAML, but for a parameter annotated ``str``, which takes the text as it is. Faults
    are added to those of `draft`.
    """
    nodes = written(draft, "params")
    made: dict[str, Any] = {}
    for name in match(draft, signature, "params", overrides):
        parameter, node, place = signature.parameters[name], nodes.get(name), None
        if name in overrides:
            place = place_of_option("params", name)
            node = _parsed(overrides[name], parameter, place, draft.faults)
        if node is not None:
            _check(parameter, node, draft.faults, place, made)
    return made


def _parsed(text: str, parameter: Parameter, place: Place, faults: Faults) -> Node | None:
    """Read the text of a ``--param``; a fault in it is a fault of the option, which has no lines."""
    if parameter.annotation is str:
        return Node(text, (0, 0))
    inner = Faults(place.file)
    try:
        node = parse(text, inner) or Node(None, (0, 0))
        inner.check()
    except FaultyRunFileError as error:
        faults.add(place, error.faults[0].message)
        return None
    return node


def _check(
    parameter: Parameter, node: Node, faults: Faults, place: Place | None, made: dict[str, Any]
) -> None:
    """Put the value of `node` into `made` where it fits its annotation."""
    annotation = _annotation(parameter)
    try:
        adapter = TypeAdapter(annotation)
    except (PydanticUserError, NameError):
        message = f"{parameter.name}: its type {annotation} cannot be written in a run file"
        faults.add(place or node.mark, message)
        return
    try:
        # As JSON, where strict means what YAML can say; text from the environment may be a number.
        made[parameter.name] = adapter.validate_json(json.dumps(node.data()), strict=not node.expanded)
    except ValidationError as error:
        for one in error.errors():
            bad = node.find(one["loc"])
            message = describe(one, bad.data())
            faults.add(place or bad.mark, message if place else f"{parameter.name}: {message}")


def _annotation(parameter: Parameter) -> Any:
    if parameter.role is Role.OUTPUT:
        return list[str] if parameter.many else str
    if parameter.annotation is REQUIRED or isinstance(parameter.annotation, (str, ForwardRef)):
        return Any
    return parameter.annotation
