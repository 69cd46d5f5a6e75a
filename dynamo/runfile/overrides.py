"""Read ``--param NAME=VALUE`` and ``--input NAME=PATH``, the options that several verbs share."""

from __future__ import annotations

from collections.abc import Iterable

from dynamo.errors import UserError

__all__ = ["input_options", "param_options"]


def param_options(texts: Iterable[str]) -> dict[str, str]:
    """Return name to value; the last of several for one name counts. Raises `UserError` for other text."""
    return dict(_split(text, "--param", "levels=[20,35]") for text in texts)


def input_options(texts: Iterable[str]) -> dict[str, list[str]]:
    """Return name to paths, several options for one name joined. Raises `UserError` for other text."""
    found: dict[str, list[str]] = {}
    for text in texts:
        name, path = _split(text, "--input", "frames=data/*.nc")
        found.setdefault(name, []).append(path)
    return found


def _split(text: str, option: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip().isidentifier() or not (value or option == "--param"):
        raise UserError(f"{option} {text!r}: write a name, = and a value, like {option} '{example}'")
    return name.strip(), value
