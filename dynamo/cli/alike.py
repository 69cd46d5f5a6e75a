"""Tell many failures as few: those of one step that say the same but for numbers are one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

__all__ = ["alike", "some"]

_SHOWN = 8
_T = TypeVar("_T")


def alike(failures: Iterable[_T], said: Callable[[_T], tuple[str, str]]) -> list[list[_T]]:
    """Put together the failures of one step that say the same but for numbers, in the order of the first of each.

    `said` returns the step and the words of a failure.
    """
    groups: dict[tuple[str, str], list[_T]] = {}
    for failure in failures:
        step, words = said(failure)
        groups.setdefault((step, re.sub(r"\d+", "#", words)), []).append(failure)
    return list(groups.values())


def some(names: Sequence[str]) -> str:
    """Name the first few, and count the rest."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
