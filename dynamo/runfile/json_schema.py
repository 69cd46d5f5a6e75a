"""The JSON Schema of the run file, for editors: made from the model, never written by hand."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from dynamo.runfile.model import RunFile

__all__ = ["schema", "schema_text"]


class _Plain(GenerateJsonSchema):
    """No titles that repeat the key, and no null: a key without a value is refused."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        made = super().literal_schema(schema)
        if "const" in made:
            made.pop("type", None)  # some versions of pydantic add it; the file shall not depend on that
        return made

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        made.setdefault("additionalProperties", True)  # likewise
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default", ...) is None:
            del made["default"]
        return made


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a run file."""
    made = RunFile.model_json_schema(schema_generator=_Plain)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "dynamo run file"}


def schema_text() -> str:
    """Return the schema as the text of ``dynamo/runfile/schema.json``."""
    return json.dumps(schema(), indent=2) + "\n"
