"""What a run file says, as types: the single source of the JSON Schema and of every check of a value.

Enters: plain YAML values. Leaves: a frozen `RunFile`. Goes wrong: each thing that is wrong is told to a `Tell`,
with where it stands and in plain words; what can be read without it is read.

A table of keys for each mapping, each with how its value is read and how an editor should check it. A library
for this would take half of the time that a user waits for the first task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from dynamo.errors import nearest
from dynamo.graph.units import parse_bytes, parse_seconds
from dynamo.runfile.faults import say
from dynamo.runfile.times import parse_time, reader_of
from dynamo.runfile.values import At, Read, Tell, by, count, text, text_by, texts

__all__ = [
    "FIELDS", "KEYS", "NEEDED", "EngineRule", "InputRule", "Key", "ProductsRule", "RunFile", "read_run_file",
]  # fmt: skip

#: What may stand in braces in a products template.
FIELDS = {
    "run": "the id of the run",
    "workflow": "the name of the workflow",
    "time": "the time of the newest input, like 20170329T073929Z",
}


@dataclass(frozen=True, slots=True)
class InputRule:
    """The files of one input. A path or a list of paths alone is short for `files`."""

    files: list[str]
    last: int | None = None
    from_: datetime | None = None
    to: datetime | None = None
    within: float | None = None
    time: str | None = None

    @property
    def needs_time(self) -> bool:
        """Whether a file whose name has no time cannot be judged."""
        return any(v is not None for v in (self.from_, self.to, self.within, self.time))


@dataclass(frozen=True, slots=True)
class ProductsRule:
    """Where the outputs go. A template alone is short for `to`."""

    to: str = "products/{run}"
    only: list[str] | None = None


@dataclass(frozen=True, slots=True)
class EngineRule:
    """What runs the tasks, and how much of this machine it may use. A name alone is short for `name`."""

    name: str = "local"
    cores: int | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class RunFile:
    """A dynamo run file: which workflow to run, on which data, and where the products go."""

    workflow: str
    inputs: Mapping[str, InputRule] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    products: ProductsRule = ProductsRule()
    engine: EngineRule = EngineRule()
    workspace: str = ".dynamo"


def _some_bytes(value: Any) -> int:
    size = parse_bytes(value)
    if size < 1:
        raise ValueError("no memory at all: give at least what one task needs, like '1 GiB'")
    return size


def _is_reference(value: str) -> None:
    where, colon, name = value.rpartition(":")
    if not (where and colon and name.isidentifier()):
        raise ValueError(
            f"{value!r} does not name a workflow: write package.module:function or ./file.py:function"
        )
    if ("/" in where or "\\" in where) and not where.endswith(".py"):
        raise ValueError(f"{where!r} is not the path of a Python file: it does not end in .py")


def _is_template(value: str) -> None:
    from string import Formatter

    try:
        parts = list(Formatter().parse(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is not a template: {error}") from None
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if name not in FIELDS:
            raise ValueError(
                f"unknown field {{{name}}}{nearest(name, FIELDS)}; known are "
                + ", ".join(f"{{{f}}}" for f in FIELDS)
            )
        if form or conversion:
            raise ValueError(f"the field {{{name}}} takes no format")


def _engine(value: Any, at: At, tell: Tell) -> Any:
    if not isinstance(value, str) or value != "local":
        tell(at, f"expected 'local', not {say(value)}{nearest(str(value), ['local'])}")
    return value


def _rule(form: type, short: str, kinds: type | tuple[type, ...]) -> Read:
    """Read a mapping by the keys of `form`; a value of `kinds` is short for a mapping with `short` alone."""

    def read(value: Any, at: At, tell: Tell) -> Any:
        return _mapping(form, {short: value} if isinstance(value, kinds) else value, at, tell)

    return read


def _input(value: Any, at: At, tell: Tell) -> Any:
    rule = _rule(InputRule, "files", (str, list))(value, at, tell)
    if rule and rule.from_ and rule.to and rule.to < rule.from_:
        tell(at, "'to' is before 'from'")
    return rule


def _inputs(value: Any, at: At, tell: Tell) -> dict[str, InputRule]:
    found: dict[str, InputRule] = {}
    for name, rule in _params(value, at, tell).items():
        before = len(tell)
        read = _input(rule, (*at, name), tell)
        if len(tell) == before:
            found[name] = read
    return found


def _params(value: Any, at: At, tell: Tell) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    tell.expected("a mapping", value, at)
    return {}


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


_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": _TEXT, "minItems": 1}
_TIME = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 1}
_NULL = {"type": "null"}


def _or(*schemas: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": list(schemas)}


def _form(form: type) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{form.__name__}"}


#: The keys of every mapping, by the type that it becomes.
KEYS: Mapping[type, Mapping[str, Key]] = {
    InputRule: {
        "files": Key(
            texts, _or(_TEXT, _TEXTS), "A path or glob, or a list of these; relative to the run file."
        ),
        "last": Key(count, _COUNT, "Keep the newest N of what the other rules leave."),
        "from": Key(
            by(parse_time),
            _TIME,
            "Keep data of this time or later (ISO 8601; UTC where no offset is given).",
            "from_",
        ),
        "to": Key(by(parse_time), _TIME, "Keep data of this time or earlier (ISO 8601)."),
        "within": Key(
            by(parse_seconds),
            _or(_TEXT, {"type": "number", "minimum": 0}),
            "Keep data at most this much older than the newest, like '10 min'.",
        ),
        "time": Key(
            text_by(reader_of),
            _TEXT,
            "Where the time stands in a file name, like '*_%Y%m%d-%H%M%S*'; "
            "the common stamps are found without it.",
        ),
    },
    ProductsRule: {
        "to": Key(
            text_by(_is_template),
            {**_TEXT, "default": "products/{run}"},
            "Folder of products, relative to the run file; may hold {run}, {workflow} and {time}.",
        ),
        "only": Key(texts, _or(_TEXT, _TEXTS), "Publish only outputs whose names match one of these globs."),
    },
    EngineRule: {
        "name": Key(_engine, {"const": "local", "default": "local"}, "Which engine."),
        "cores": Key(count, _COUNT, "CPU cores to use at most; all by default."),
        "memory": Key(
            by(_some_bytes), _or(_TEXT, _COUNT), "Memory to use at most, like '4 GiB'; all by default."
        ),
    },
    RunFile: {
        "workflow": Key(
            text_by(_is_reference),
            {**_TEXT, "examples": ["dynamo.workflows.nowcast:nowcast", "./workflow.py:chain"]},
            "The workflow: package.module:function or ./file.py:function.",
        ),
        "inputs": Key(
            _inputs,
            _or(_NULL, {"type": "object", "additionalProperties": _or(_TEXT, _TEXTS, _form(InputRule))}),
            "The files of each input of the workflow.",
        ),
        "params": Key(
            _params,
            _or(_NULL, {"type": "object", "additionalProperties": True}),
            "Parameters of the workflow that differ from its defaults.",
        ),
        "products": Key(
            _rule(ProductsRule, "to", str),
            {**_or(_TEXT, _form(ProductsRule)), "default": "products/{run}"},
            "Where the outputs go.",
        ),
        "engine": Key(
            _rule(EngineRule, "name", str),
            {**_or({"const": "local"}, _form(EngineRule)), "default": "local"},
            "What runs the tasks.",
        ),
        "workspace": Key(
            text,
            {**_TEXT, "default": ".dynamo"},
            "Folder of the journal and of stored results, relative to the run file.",
        ),
    },
}
#: Keys without which a mapping says nothing.
NEEDED: Mapping[type, str] = {InputRule: "files", RunFile: "workflow"}


def _mapping(form: type, value: Any, at: At, tell: Tell) -> Any:
    """Read a mapping by the keys of `form`, without those that are faulty; None where one of them is needed."""
    if not isinstance(value, dict):
        tell.expected("a mapping", value, at)
        return None
    keys = KEYS[form]
    tell.unknown += [((*at, name), list(keys)) for name in value if name not in keys]
    read: dict[str, Any] = {}
    for name, key in keys.items():
        if name not in value:
            continue
        before = len(tell)
        one = key.read(value[name], (*at, name), tell)
        if len(tell) == before or name == "inputs":  # of the inputs, those are left that are right
            read[key.attribute or name] = one
    needed = NEEDED.get(form)
    if needed in read or needed is None:
        return form(**read)
    if needed not in value:
        tell.missing.append((*at, needed))
    return None


def read_run_file(value: Mapping[str, Any]) -> tuple[RunFile | None, Tell]:
    """Return what a run file says without what is faulty (None without its workflow), and what that is."""
    tell = Tell()
    run: RunFile | None = _mapping(RunFile, value, (), tell)
    return run, tell
