"""Read single values of a run file, and tell what is wrong with them in plain words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from dynamo.errors import nearest
from dynamo.graph.units import parse_duration
from dynamo.runfile.faults import say

__all__ = ["At", "Read", "Tell", "by", "choice", "count", "flag", "some_seconds", "text", "text_by", "texts"]

#: Where something stands: keys and indices from the root.
At: TypeAlias = "tuple[str | int, ...]"


class Tell:
    """Gathers what is wrong: unknown keys, missing ones, and values that do not fit."""

    def __init__(self) -> None:
        self.unknown: list[tuple[At, list[str]]] = []
        self.missing: list[At] = []
        self.values: list[tuple[At, str]] = []

    def __call__(self, at: At, message: str) -> None:
        """Add a value that does not fit."""
        self.values.append((at, message))

    def __len__(self) -> int:
        return len(self.unknown) + len(self.missing) + len(self.values)

    def expected(self, what: str, value: Any, at: At) -> None:
        """Add a value of another kind than `what`."""
        self(at, f"expected {what}, not {say(value)}")


#: Reads a value that stands somewhere; what it returns is of use only where nothing was told.
Read: TypeAlias = Callable[[Any, At, Tell], Any]


def text(value: Any, at: At, tell: Tell) -> Any:
    """Read a text that is not empty."""
    if not isinstance(value, str):
        tell.expected("text", value, at)
    elif not value:
        tell(at, "is empty")
    return value


def texts(value: Any, at: At, tell: Tell) -> Any:
    """Read a list of texts, or one text as a list of it."""
    if isinstance(value, str):
        text(value, (*at, 0), tell)
        return [value]
    if not isinstance(value, list):
        tell.expected("a list", value, at)
    elif not value:
        tell(at, "is empty")
    else:
        for index, one in enumerate(value):
            text(one, (*at, index), tell)
    return value


def count(value: Any, at: At, tell: Tell) -> Any:
    """Read a whole number from 1."""
    if type(value) is not int:
        tell.expected("a whole number", value, at)
    elif value < 1:
        tell(at, f"should be at least 1, not {value}")
    return value


def flag(value: Any, at: At, tell: Tell) -> Any:
    """Read whether something is so."""
    if not isinstance(value, bool):
        tell.expected("true or false", value, at)
    return value


def some_seconds(value: Any) -> float:
    """Return seconds as `parse_duration` does, but not none; raise `ValueError` in plain words."""
    seconds = parse_duration(value)
    if seconds <= 0:
        raise ValueError(f"{value!r} is no time at all")
    return seconds


def choice(known: Sequence[str]) -> Read:
    """Read one of the texts that are `known`."""

    def read(value: Any, at: At, tell: Tell) -> Any:
        if value not in known:
            near = nearest(str(value), known)
            tell(at, f"expected {' or '.join(map(repr, known))}, not {say(value)}{near}")
        return value

    return read


def by(parse: Callable[[Any], Any]) -> Read:
    """Read with a function that raises `ValueError` in plain words."""

    def read(value: Any, at: At, tell: Tell) -> Any:
        try:
            return parse(value)
        except ValueError as error:
            tell(at, str(error))
            return None

    return read


def text_by(parse: Callable[[str], Any]) -> Read:
    """Read a text that is not empty, and check it with a function that raises `ValueError` in plain words."""
    check = by(parse)

    def read(value: Any, at: At, tell: Tell) -> Any:
        before = len(tell)
        text(value, at, tell)
        if len(tell) == before:
            check(value, at, tell)
        return value

    return read
