"""The keys of the mappings of a run file: how each is read, and what an editor checks of it.

A table for each mapping, by the type that it becomes; `dynamo.runfile.model` and what it names fill them in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dynamo.runfile.values import At, Read, Tell

__all__ = [
    "COUNT",
    "DURATION",
    "KEYS",
    "NEEDED",
    "NULL",
    "OTHERS",
    "TEXT",
    "TEXTS",
    "Key",
    "form_of",
    "items",
    "mapping",
    "one_of",
    "rule",
]


class Key(NamedTuple):
    """One key of a mapping.

    Parameters
    ----------
    read
        How its value is read.
    schema, description
        What an editor checks of its value (JSON Schema), and says about it.
    attribute
        Its name in the type, where that is not the key.
    """

    read: Read
    schema: Mapping[str, Any]
    description: str
    attribute: str = ""


TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "array", "items": TEXT, "minItems": 1}
COUNT = {"type": "integer", "minimum": 1}
NULL = {"type": "null"}
#: As `dynamo.graph.units.parse_duration` reads it; what may not be none is `TEXT`.
DURATION = {"anyOf": [TEXT, {"const": 0}]}


def one_of(*schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of what fits one of `schemas`."""
    return {"anyOf": list(schemas)}


def form_of(form: type) -> dict[str, Any]:
    """Return a reference to the schema of a mapping."""
    return {"$ref": f"#/$defs/{form.__name__}"}


#: The keys of every mapping, by the type that it becomes.
KEYS: dict[type, Mapping[str, Key]] = {}
#: Keys without which a mapping says nothing.
NEEDED: dict[type, tuple[str, ...]] = {}
#: Of a mapping that may have keys which no table knows: how their values are read, and what holds them by name.
OTHERS: dict[type, Key] = {}


def rule(form: type, short: str = "", kinds: type | tuple[type, ...] = ()) -> Read:
    """Read a mapping by the keys of `form`; a value of `kinds` is short for a mapping with `short` alone."""

    def read(value: Any, at: At, tell: Tell) -> Any:
        return mapping(form, {short: value} if short and isinstance(value, kinds) else value, at, tell)

    return read


def items(form: type) -> Read:
    """Read a list of mappings by the keys of `form`; one mapping alone is a list of it."""

    def read(value: Any, at: At, tell: Tell) -> Any:
        if isinstance(value, dict):
            return [mapping(form, value, at, tell)]
        if not isinstance(value, list):
            tell.expected("a list", value, at)
            return []
        if not value:
            tell(at, "is empty")
        return [mapping(form, one, (*at, index), tell) for index, one in enumerate(value)]

    return read


def mapping(form: type, value: Any, at: At, tell: Tell) -> Any:
    """Read a mapping by the keys of `form`, without those that are faulty; None where one of them is needed."""
    if not isinstance(value, dict):
        tell.expected("a mapping", value, at)
        return None
    keys, others = KEYS[form], OTHERS.get(form)
    if not others:
        tell.unknown += [((*at, name), list(keys)) for name in value if name not in keys]
    read: dict[str, Any] = {}
    for name, key in keys.items():
        if name not in value:
            continue
        before = len(tell)
        one = key.read(value[name], (*at, name), tell)
        if len(tell) == before or name == "inputs":  # of the inputs, those are left that are right
            read[key.attribute or name] = one
    if others:
        rest = [name for name in value if name not in keys]
        read[others.attribute] = {name: others.read(value[name], (*at, name), tell) for name in rest}
    needed = NEEDED.get(form, ())
    tell.missing += [(*at, name) for name in needed if name not in value]
    given = {key.attribute or name for name, key in keys.items() if name in needed}
    return form(**read) if given <= read.keys() else None
