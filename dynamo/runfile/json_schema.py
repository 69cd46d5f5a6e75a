"""The JSON Schema of a file, for editors: made from the tables of its keys; that of the run file."""

from __future__ import annotations

import json
import re
from typing import Any

import dynamo.runfile.alerts
import dynamo.runfile.images
import dynamo.runfile.trigger  # noqa: F401 - they fill in their tables
from dynamo.runfile.keys import KEYS, NEEDED, OTHERS
from dynamo.runfile.model import RunFile

__all__ = ["schema", "schema_of", "schema_text"]


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a run file."""
    return schema_of(RunFile, "dynamo run file")


def schema_of(root: type, title: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a file that is read as `root`, with the mappings in it."""
    forms = {form.__name__: form for form in KEYS}
    whole, made = _object(root), dict[str, Any]()
    waiting = [whole]
    while waiting:
        for name in re.findall(r"#/\$defs/(\w+)", json.dumps(waiting.pop())):
            if name not in made:
                made[name] = _object(forms[name])
                waiting.append(made[name])
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, "$defs": dict(sorted(made.items())), **whole, "title": title}


def _object(form: type) -> dict[str, Any]:
    made = {
        "title": form.__name__,
        "description": (form.__doc__ or "").partition("\n")[0],
        "type": "object",
        "properties": {
            name: {"description": key.description, **key.schema} for name, key in KEYS[form].items()
        },
        "additionalProperties": dict(OTHERS[form].schema) if form in OTHERS else False,
    }
    return {**made, "required": list(NEEDED[form])} if form in NEEDED else made


def schema_text() -> str:
    """Return the schema as the text of ``dynamo/runfile/schema.json``."""
    return json.dumps(schema(), indent=2) + "\n"
