"""Faults of a run file, or of another file of that kind, gathered so that all are told at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dynamo.errors import Place, RunFileError, UserError

__all__ = ["Fault", "Faults", "FaultyRunFileError", "say", "together"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class FaultyRunFileError(RunFileError):
    """A run file has the `faults` listed; the message has one ``file:line:column: message`` a line."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        message, place = together(faults)
        super().__init__(message, place=place)
        self.faults = faults


def together(faults: tuple[Fault, ...]) -> tuple[str, Place | None]:
    """Return the message of an error of these faults, and its place where it is of one alone."""
    if len(faults) == 1:
        return faults[0].message, faults[0].place
    return "\n".join([f"{len(faults)} faults", *map(str, faults)]), None


class Faults:
    """Gathers the faults of one file; at one place only the first is kept, for the others follow from it.

    `error` is what is raised of them.
    """

    def __init__(
        self, file: str, error: Callable[[tuple[Fault, ...]], UserError] = FaultyRunFileError
    ) -> None:
        self.file = file
        self.error = error
        self._found: dict[tuple[Place, str], Fault] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def found(self) -> tuple[Fault, ...]:
        """All so far, in the order of the lines, those of the file first."""
        return tuple(
            sorted(
                self._found.values(), key=lambda f: (f.place.file != self.file, f.place.line, f.place.column)
            )
        )

    def add(self, mark: tuple[int, int] | Place, message: str, *, lacking: str = "") -> None:
        """Add a fault at a line and column (from 1) of the file, or at a place elsewhere.

        `lacking` is what is not there at all: many things can be lacking at one place.
        """
        place = mark if isinstance(mark, Place) else Place(self.file, *mark)
        self._found.setdefault((place, lacking), Fault(place, message))

    def check(self) -> None:
        """Raise the `error` where there is any fault, in the order of the lines."""
        if self._found:
            raise self.error(self.found)


def say(value: Any) -> str:
    """Return a value as the user knows it, shortened."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
