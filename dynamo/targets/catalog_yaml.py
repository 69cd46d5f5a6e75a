"""Plain values as YAML, in blocks as people write it.

PyYAML's emitter, also the one in C, takes ten seconds for a workflow of 10,000 jobs; the values here are those of JSON
only, for which a few lines do.
"""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import Any

import yaml

__all__ = ["to_yaml"]

#: Text that needs no quotes, unless it is a word that YAML 1.1 takes for another value.
_BARE = re.compile(r"[A-Za-z/_][A-Za-z0-9_./+-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def to_yaml(value: dict[str, Any]) -> str:
    """Return a mapping of JSON values, whose keys have less than a hundred characters, as a YAML document.

    >>> print(to_yaml({"jobs": [{"id": "a", "arguments": ["run", "a b"], "uses": []}], "on": 1.5}), end="")
    jobs:
    - id: a
      arguments:
      - run
      - "a b"
      uses: []
    "on": 1.5
    """
    lines: list[str] = []
    _mapping(value, "", lines)
    return "\n".join(lines) + "\n"


def _mapping(value: dict[str, Any], indent: str, lines: list[str]) -> None:
    for key, inner in value.items():
        if inner and isinstance(inner, dict):
            lines.append(f"{indent}{_scalar(key)}:")
            _mapping(inner, f"{indent}  ", lines)
        elif inner and isinstance(inner, list):
            lines.append(f"{indent}{_scalar(key)}:")
            _sequence(inner, indent, lines)
        else:
            lines.append(f"{indent}{_scalar(key)}: {_leaf(inner)}")


def _sequence(value: list[Any], indent: str, lines: list[str]) -> None:
    for inner in value:
        if not inner or not isinstance(inner, (dict, list)):
            lines.append(f"{indent}- {_leaf(inner)}")
            continue
        first = len(lines)
        if isinstance(inner, dict):
            _mapping(inner, f"{indent}  ", lines)
        else:
            _sequence(inner, f"{indent}  ", lines)
        lines[first] = f"{indent}- {lines[first][len(indent) + 2 :]}"


def _leaf(value: Any) -> str:
    if type(value) is str:
        return _scalar(value)
    return _by_library(value) if type(value) is float else json.dumps(value)


@lru_cache(1 << 12)
def _scalar(text: str) -> str:
    if _BARE.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if text.isascii() and text.isprintable():
        return json.dumps(text)
    return _by_library(text)


def _by_library(value: Any) -> str:
    """Return what JSON and YAML write in different ways."""
    written: str = yaml.safe_dump(value, default_style='"' if type(value) is str else None, width=math.inf)
    return written.partition("\n")[0]
