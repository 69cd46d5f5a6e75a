"""Facts: numbers that a task tells of what it made, for who predicts how long the tasks after it take.

Enters: what a task says by `tell` while it runs. Leaves: all of it, when the task has ended.
Goes wrong: `UserError` for what is no fact; the task has failed then.
"""

from __future__ import annotations

import math
import re

from dynamo.errors import UserError

__all__ = ["tell", "told"]

#: What is known of a job without anybody telling it: see `dynamo.targets.attributes`.
RESERVED = ("bytes", "lead", "tasks", "usual")
#: How many a task may tell: they travel with each job of the cycles to come.
MOST = 8
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_told: dict[str, float] = {}


def tell(**facts: float) -> None:
    """Tell numbers of what this task makes, such as ``echo_km2``; of one that is told twice the last counts.

    They are kept beside the task's result. Jobs of the workflow that are submitted from then on carry them, and the
    fleet goes by ``echo_km2``, square kilometres with an echo above 20 dBZ. Outside a run nothing comes of it.

    Raises
    ------
    UserError
        A name with other signs than lower-case letters, digits and ``_``, or one that jobs have anyway; a value that
        is no finite number; more than eight of them.
    """
    for name, value in facts.items():
        if not _NAME.fullmatch(name) or name in RESERVED:
            raise UserError(
                f"{name!r} cannot be the name of a fact: lower-case letters, digits and _, at most 32, and none of "
                f"{', '.join(RESERVED)}"
            )
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise UserError(f"the fact {name!r} is {value!r}, which is no finite number")
        if len({*_told, name}) > MOST:
            raise UserError(f"a task may tell {MOST} facts, and {name!r} is one more")
        _told[name] = number


def told() -> dict[str, float]:
    """Return what was told since the last call."""
    found = dict(_told)
    _told.clear()
    return found
