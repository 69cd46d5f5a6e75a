"""How a fleet at work tells of itself: lines that may not get anywhere, what is wrong, and what a turn failed by."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from dynamo.errors import DynamoError

__all__ = ["Troubles", "in_words", "undisturbed"]


def undisturbed(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Return what tells a line, and goes on where nobody can be told: a log on a full disk, a pipe that was closed."""

    def say(line: str) -> None:
        with suppress(OSError):
            tell(line)

    return say


class Troubles:
    """Tells what is wrong for two turns in a row, once, and when it is over: who reads the log sees no `status`.

    Parameters
    ----------
    tell
        Is told, in lines.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._before: frozenset[str] = frozenset()
        self._told: set[str] = set()

    def follow(self, troubles: Mapping[str, str]) -> None:
        """Take note of what is wrong in this turn: who has trouble, and why."""
        for name in sorted(self._before & troubles.keys() - self._told):
            self._tell(f"{name}: {troubles[name]}")
            self._told.add(name)
        for name in sorted(self._told - troubles.keys()):
            self._tell(f"{name}: that is over")
            self._told.remove(name)
        self._before = frozenset(troubles)


def in_words(error: Exception) -> str:
    """Return what a turn failed by; of what should never be, also where."""
    if isinstance(error, DynamoError | OSError):
        return str(error)
    at = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{type(error).__name__}: {error} ({Path(at.filename).name}:{at.lineno}); this is a fault of dynamo's"
    )
