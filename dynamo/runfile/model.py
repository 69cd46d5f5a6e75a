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
from typing import TYPE_CHECKING, Any

from dynamo.errors import nearest
from dynamo.graph.units import parse_duration
from dynamo.runfile.engine import ENGINES, EngineRule, read_engine
from dynamo.runfile.keys import (
    COUNT,
    DURATION,
    KEYS,
    NEEDED,
    NULL,
    TEXT,
    TEXTS,
    Key,
    form_of,
    mapping,
    one_of,
    rule,
)
from dynamo.runfile.times import parse_time, reader_of
from dynamo.runfile.values import At, Tell, by, count, some_seconds, text, text_by, texts

if TYPE_CHECKING:
    from dynamo.images.image import Image
    from dynamo.runfile.alerts import AlertsRule
    from dynamo.runfile.trigger import TriggerRule

__all__ = ["FIELDS", "InputRule", "ProductsRule", "RunFile", "read_run_file"]

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
    keep: float | None = None


@dataclass(frozen=True, slots=True)
class RunFile:
    """A dynamo run file: which workflow to run, on which data, and where the products go."""

    workflow: str
    inputs: Mapping[str, InputRule] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    products: ProductsRule = ProductsRule()
    engine: EngineRule = EngineRule()
    images: Mapping[str, Image] = field(default_factory=dict)
    workspace: str = ".dynamo"
    deadline: float | None = None
    trigger: TriggerRule | None = None
    alerts: AlertsRule | None = None


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


def _images(value: Any, at: At, tell: Tell) -> Any:
    from dynamo.runfile.images import read_images  # most run files have none

    return read_images(value, at, tell)


def _input(value: Any, at: At, tell: Tell) -> Any:
    read = rule(InputRule, "files", (str, list))(value, at, tell)
    if read and read.from_ and read.to and read.to < read.from_:
        tell(at, "'to' is before 'from'")
    return read


def _inputs(value: Any, at: At, tell: Tell) -> dict[str, InputRule]:
    found: dict[str, InputRule] = {}
    for name, said in _params(value, at, tell).items():
        before = len(tell)
        read = _input(said, (*at, name), tell)
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


def _trigger(value: Any, at: At, tell: Tell) -> Any:
    from dynamo.runfile.trigger import TriggerRule  # a run that is not watched has no use for it

    rule = mapping(TriggerRule, value, at, tell)
    if rule and rule.every and rule.cron:
        tell(at, "'every' and 'cron' are two clocks; give one")
    return rule


def _alerts(value: Any, at: At, tell: Tell) -> Any:
    from dynamo.runfile.alerts import read_alerts

    return read_alerts(value, at, tell)


_TIME = {"type": "string"}

KEYS.update(
    {
        InputRule: {
            "files": Key(
                texts, one_of(TEXT, TEXTS), "A path or glob, or a list of these; relative to the run file."
            ),
            "last": Key(count, COUNT, "Keep the newest N of what the other rules leave."),
            "from": Key(
                by(parse_time),
                _TIME,
                "Keep data of this time or later (ISO 8601; UTC where no offset is given).",
                "from_",
            ),
            "to": Key(by(parse_time), _TIME, "Keep data of this time or earlier (ISO 8601)."),
            "within": Key(
                by(parse_duration),
                DURATION,
                "Keep data at most this much older than the newest, like '10 min'.",
            ),
            "time": Key(
                text_by(reader_of),
                TEXT,
                "Where the time stands in a file name, like '*_%Y%m%d-%H%M%S*'; "
                "the common stamps are found without it.",
            ),
        },
        ProductsRule: {
            "to": Key(
                text_by(_is_template),
                {**TEXT, "default": "products/{run}"},
                "Folder of products, relative to the run file; may hold {run}, {workflow} and {time}.",
            ),
            "only": Key(
                texts, one_of(TEXT, TEXTS), "Publish only outputs whose names match one of these globs."
            ),
            "keep": Key(
                by(parse_duration),
                DURATION,
                "`dynamo watch` removes the folders of runs older than this, like '2 d'; needs {run} in `to`.",
            ),
        },
        RunFile: {
            "workflow": Key(
                text_by(_is_reference),
                {**TEXT, "examples": ["dynamo.workflows.nowcast:nowcast", "./workflow.py:chain"]},
                "The workflow: package.module:function or ./file.py:function.",
            ),
            "inputs": Key(
                _inputs,
                one_of(
                    NULL, {"type": "object", "additionalProperties": one_of(TEXT, TEXTS, form_of(InputRule))}
                ),
                "The files of each input of the workflow.",
            ),
            "params": Key(
                _params,
                one_of(NULL, {"type": "object", "additionalProperties": True}),
                "Parameters of the workflow that differ from its defaults.",
            ),
            "products": Key(
                rule(ProductsRule, "to", str),
                {**one_of(TEXT, form_of(ProductsRule)), "default": "products/{run}"},
                "Where the outputs go.",
            ),
            "engine": Key(
                read_engine,
                {**one_of({"enum": list(ENGINES)}, form_of(EngineRule)), "default": "local"},
                "What runs the tasks.",
            ),
            "images": Key(
                _images,
                {"type": "object", "additionalProperties": one_of(TEXT, {"$ref": "#/$defs/ImageRule"})},
                "The image behind each name that tasks give as theirs; `default` is for tasks that give none.",
            ),
            "workspace": Key(
                text,
                {**TEXT, "default": ".dynamo"},
                "Folder of the journal and of stored results, relative to the run file.",
            ),
            "deadline": Key(
                by(some_seconds),
                TEXT,
                "So long after it began a run should be done, like '1 min'; that of tasks that declare none.",
            ),
            "trigger": Key(_trigger, {"$ref": "#/$defs/TriggerRule"}, "When `dynamo watch` runs it."),
            "alerts": Key(_alerts, {"$ref": "#/$defs/AlertsRule"}, "Whom `dynamo watch` tells of hazards."),
        },
    }
)
NEEDED.update({InputRule: ("files",), RunFile: ("workflow",)})


def read_run_file(value: Mapping[str, Any]) -> tuple[RunFile | None, Tell]:
    """Return what a run file says without what is faulty (None without its workflow), and what that is."""
    tell = Tell()
    run: RunFile | None = mapping(RunFile, value, (), tell)
    return run, tell
