"""The text of a slice that was made by a program, as a person would write it."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

__all__ = ["slice_text"]

#: Words, and amounts like ``4 GiB`` or ``10.0.0.0/24``.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 .@/_:-]*|[0-9][0-9.]*[ /][A-Za-z0-9/]+")


def slice_text(slice_: dict[str, Any], form: str = "yaml") -> str:
    """Return plain values of a slice as YAML or JSON."""
    if form == "json":
        return json.dumps(slice_, indent=2, ensure_ascii=False) + "\n"
    text: str = yaml.dump(slice_, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return text


class _Dumper(yaml.SafeDumper):
    """Puts what might be taken for anything but text in quotes, by whichever version of YAML."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style=None if _PLAIN.fullmatch(text) else '"'
    )


_Dumper.add_representer(str, _text)
