"""How a fleet at work tells of itself: lines that may not get anywhere, and what a turn failed by in words."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dynamo.errors import DynamoError

__all__ = ["in_words", "undisturbed"]


def undisturbed(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Return what tells a line, and goes on where nobody can be told: a log on a full disk, a pipe that was closed."""

    def say(line: str) -> None:
        with suppress(OSError):
            tell(line)

    return say


def in_words(error: Exception) -> str:
    """Return what a turn failed by; of what should never be, also where."""
    if isinstance(error, DynamoError | OSError):
        return str(error)
    at = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{type(error).__name__}: {error} ({Path(at.filename).name}:{at.lineno}); this is a fault of dynamo's"
    )
