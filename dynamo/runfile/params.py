"""Check the parameters of a workflow against its annotations.

Enters: values as YAML gave them, or the text of ``--param``. Leaves: values of the annotated types.
Goes wrong: faults at the line and column of the value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, ForwardRef, Literal, Union, get_args, get_origin

from dynamo.errors import Place, nearest
from dynamo.graph.signature import REQUIRED, Parameter, Role, Signature
from dynamo.runfile.characters import unfit
from dynamo.runfile.document import Node, parse
from dynamo.runfile.draft import Draft
from dynamo.runfile.faults import Faults, FaultyRunFileError, say
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
    if wrong := unfit(text):
        faults.add(place, wrong)
        return None
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
    annotation, data = _annotation(parameter), node.data()
    value = _UNCLEAR if node.expanded else plainly(annotation, data)
    if value is _UNCLEAR:
        _check_any(parameter.name, annotation, node, faults, place, made)
    else:
        made[parameter.name] = value


_UNCLEAR: Any = object()


def plainly(annotation: Any, value: Any) -> Any:
    """Return `value` as what `annotation` says where both are of the commonest kinds.

    Else return a mark for which pydantic must be asked, which takes 0.1 s to import.
    """
    if annotation is Any:
        return value
    # One by one: an annotation may be anything, also what has no hash, such as Annotated[int, {"unit": "dBZ"}].
    if annotation is bool or annotation is int or annotation is str:
        return value if type(value) is annotation else _UNCLEAR
    if annotation is float:
        return float(value) if type(value) in {int, float} else _UNCLEAR
    form, inner = get_origin(annotation), get_args(annotation)
    if form is Literal:
        return value if type(value) is str and value in inner else _UNCLEAR
    if form in {Union, UnionType} and len(inner) == 2 and NoneType in inner:
        return None if value is None else plainly(inner[inner[0] is NoneType], value)
    if form in {list, Sequence} and len(inner) == 1 and type(value) is list:
        found = [plainly(inner[0], one) for one in value]
        return _UNCLEAR if any(one is _UNCLEAR for one in found) else found
    return _UNCLEAR


def _check_any(
    name: str, annotation: Any, node: Node, faults: Faults, place: Place | None, made: dict[str, Any]
) -> None:
    """Do as `_check` for any annotation that pydantic knows."""
    from pydantic import TypeAdapter, ValidationError

    try:
        adapter = TypeAdapter(annotation)
    except Exception:  # noqa: BLE001 - an annotation may be anything, and pydantic raises what it meets
        faults.add(place or node.mark, f"{name}: its type {annotation} cannot be written in a run file")
        return
    try:
        # As JSON, where strict means what YAML can say; text from the environment may be a number.
        value = adapter.validate_json(json.dumps(node.data()), strict=not node.expanded)
        if _is_endless(value):
            faults.add(place or node.mark, f"{name}: {say(value)} is no number that can be recorded")
        else:
            made[name] = value
    except ValidationError as error:
        for one in error.errors():
            bad = node.find(one["loc"])
            message = _describe(one, bad.data())
            faults.add(place or bad.mark, message if place else f"{name}: {message}")
    except Exception as error:  # noqa: BLE001 - whatever a check of the user's own does
        faults.add(place or node.mark, f"{name}: checking it fails: {type(error).__name__}: {error}")


def _is_endless(value: Any) -> bool:
    """Whether a number in it is infinite or none, as text from the environment may be read."""
    if isinstance(value, dict):
        return any(map(_is_endless, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_is_endless, value))
    return isinstance(value, float) and not math.isfinite(value)


_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "none_required": "nothing",
}


def _describe(error: Any, value: Any) -> str:
    """Say in plain words what pydantic's `error` means for `value`."""
    kind, more = error["type"], error.get("ctx", {})
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, not {say(value)}"
    if kind == "value_error":
        return str(more["error"])
    if kind in ("literal_error", "enum"):
        words = [w.strip("' ") for w in str(more["expected"]).replace(" or ", ",").split(",")]
        return f"expected {more['expected']}, not {say(value)}{nearest(str(value), words)}"
    if kind in ("string_too_short", "too_short") and not value:
        return "is empty"
    message = str(error["msg"])
    return f"{message[:1].lower()}{message[1:]}, not {say(value)}".replace("input should be", "should be")


def _annotation(parameter: Parameter) -> Any:
    if parameter.role is Role.OUTPUT:
        return list[str] if parameter.many else str
    if parameter.annotation is REQUIRED or isinstance(parameter.annotation, (str, ForwardRef)):
        return Any
    return parameter.annotation
