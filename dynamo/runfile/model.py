"""What a run file says, as types: the single source of the JSON Schema and of every check of a value.

Enters: plain YAML values. Leaves: a frozen `RunFile`. Goes wrong: pydantic's ``ValidationError``, which
`dynamo.runfile.draft` turns into places and plain words.
"""

from __future__ import annotations

import string
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from dynamo.errors import nearest
from dynamo.graph.units import parse_bytes, parse_seconds
from dynamo.runfile.times import parse_time, reader_of

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

__all__ = ["FIELDS", "EngineRule", "InputRule", "ProductsRule", "RunFile"]

#: What may stand in braces in a products template.
FIELDS = {
    "run": "the id of the run",
    "workflow": "the name of the workflow",
    "time": "the time of the newest input, like 20170329T073929Z",
}


def _one_as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _nothing_as_empty(value: Any) -> Any:
    return {} if value is None else value


def _files_as_rule(value: Any) -> Any:
    return {"files": value} if isinstance(value, (str, list)) else value


def _template_as_rule(value: Any) -> Any:
    return {"to": value} if isinstance(value, str) else value


def _name_as_rule(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _some_bytes(value: Any) -> int:
    size = parse_bytes(value)
    if size < 1:
        raise ValueError("no memory at all: give at least what one task needs, like '1 GiB'")
    return size


def _is_reference(value: str) -> str:
    where, colon, name = value.rpartition(":")
    if not (where and colon and name.isidentifier()):
        raise ValueError(
            f"{value!r} does not name a workflow: write package.module:function or ./file.py:function"
        )
    if ("/" in where or "\\" in where) and not where.endswith(".py"):
        raise ValueError(f"{where!r} is not the path of a Python file: it does not end in .py")
    return value


def _is_template(value: str) -> str:
    try:
        parts = list(string.Formatter().parse(value))
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
    return value


def _is_pattern(value: str) -> str:
    reader_of(value)
    return value


class _Or:
    """Other forms of a value, for the JSON Schema; a validator before turns them into the one that is typed."""

    def __init__(self, *others: JsonSchemaValue) -> None:
        self.others = others

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [*self.others, handler(schema)]}


_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": _TEXT, "minItems": 1}

Text = Annotated[str, StringConstraints(min_length=1)]
Files = Annotated[list[Text], Field(min_length=1), BeforeValidator(_one_as_list), _Or(_TEXT)]
Moment = Annotated[datetime, BeforeValidator(parse_time), WithJsonSchema({"type": "string"})]
Seconds = Annotated[
    float,
    BeforeValidator(parse_seconds),
    WithJsonSchema({"anyOf": [_TEXT, {"type": "number", "minimum": 0}]}),
]
Bytes = Annotated[
    int, BeforeValidator(_some_bytes), WithJsonSchema({"anyOf": [_TEXT, {"type": "integer", "minimum": 1}]})
]


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class InputRule(_Rule):
    """The files of one input. A path or a list of paths alone is short for `files`."""

    files: Files = Field(description="A path or glob, or a list of these; relative to the run file.")
    last: int | None = Field(
        default=None, ge=1, description="Keep the newest N of what the other rules leave."
    )
    from_: Moment | None = Field(
        default=None,
        alias="from",
        description="Keep data of this time or later (ISO 8601; UTC where no offset is given).",
    )
    to: Moment | None = Field(default=None, description="Keep data of this time or earlier (ISO 8601).")
    within: Seconds | None = Field(
        default=None, description="Keep data at most this much older than the newest, like '10 min'."
    )
    time: Annotated[Text, AfterValidator(_is_pattern)] | None = Field(
        default=None,
        description="Where the time stands in a file name, like '*_%Y%m%d-%H%M%S*'; "
        "the common stamps are found without it.",
    )

    @model_validator(mode="after")
    def _window_is_not_empty(self) -> InputRule:
        if self.from_ and self.to and self.to < self.from_:
            raise ValueError("'to' is before 'from'")
        return self

    @property
    def needs_time(self) -> bool:
        """Whether a file whose name has no time cannot be judged."""
        return any(v is not None for v in (self.from_, self.to, self.within, self.time))


class ProductsRule(_Rule):
    """Where the outputs go. A template alone is short for `to`."""

    to: Annotated[Text, AfterValidator(_is_template)] = Field(
        default="products/{run}",
        description="Folder of products, relative to the run file; may hold {run}, {workflow} and {time}.",
    )
    only: Files | None = Field(
        default=None, description="Publish only outputs whose names match one of these globs."
    )


class EngineRule(_Rule):
    """What runs the tasks, and how much of this machine it may use. A name alone is short for `name`."""

    name: Literal["local"] = Field(default="local", description="Which engine.")
    cores: int | None = Field(default=None, ge=1, description="CPU cores to use at most; all by default.")
    memory: Bytes | None = Field(
        default=None, description="Memory to use at most, like '4 GiB'; all by default."
    )


InputField = Annotated[InputRule, BeforeValidator(_files_as_rule), _Or(_TEXT, _TEXTS)]


class RunFile(_Rule):
    """A dynamo run file: which workflow to run, on which data, and where the products go."""

    workflow: Annotated[Text, AfterValidator(_is_reference)] = Field(
        description="The workflow: package.module:function or ./file.py:function.",
        examples=["dynamo.workflows.nowcast:nowcast", "./workflow.py:chain"],
    )
    inputs: Annotated[dict[str, InputField], BeforeValidator(_nothing_as_empty), _Or({"type": "null"})] = (
        Field(default_factory=dict, description="The files of each input of the workflow.")
    )
    params: Annotated[dict[str, Any], BeforeValidator(_nothing_as_empty), _Or({"type": "null"})] = Field(
        default_factory=dict, description="Parameters of the workflow that differ from its defaults."
    )
    products: Annotated[ProductsRule, BeforeValidator(_template_as_rule), _Or(_TEXT)] = Field(
        default=ProductsRule(),
        description="Where the outputs go.",
        json_schema_extra={"default": "products/{run}"},
    )
    engine: Annotated[EngineRule, BeforeValidator(_name_as_rule), _Or({"const": "local"})] = Field(
        default=EngineRule(), description="What runs the tasks.", json_schema_extra={"default": "local"}
    )
    workspace: Text = Field(
        default=".dynamo",
        description="Folder of the journal and of stored results, relative to the run file.",
    )
