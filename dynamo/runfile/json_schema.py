"""The JSON Schema of the run file, for editors: made from the tables of `dynamo.runfile.model`."""

from __future__ import annotations

import json
from typing import Any

import dynamo.runfile.alerts
import dynamo.runfile.images
import dynamo.runfile.trigger  # noqa: F401 - they fill in their tables
from dynamo.runfile.keys import KEYS, NEEDED
from dynamo.runfile.model import RunFile

__all__ = ["schema", "schema_text"]


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a run file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {
            name: _object(form) for name, form in sorted((f.__name__, f) for f in KEYS) if form is not RunFile
        },
        **_object(RunFile),
        "title": "dynamo run file",
    }


def _object(form: type) -> dict[str, Any]:
    made = {
        "title": form.__name__,
        "description": (form.__doc__ or "").partition("\n")[0],
        "type": "object",
        "properties": {
            name: {"description": key.description, **key.schema} for name, key in KEYS[form].items()
        },
        "additionalProperties": False,
    }
    return {**made, "required": list(NEEDED[form])} if form in NEEDED else made


def schema_text() -> str:
    """Return the schema as the text of ``dynamo/runfile/schema.json``."""
    return json.dumps(schema(), indent=2) + "\n"
