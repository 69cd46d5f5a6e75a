"""What tasks of a run wrote to their logs, for who asks why a run came to what it did.

Enters: a journal, and a run in it. Leaves: words with a line of a log and the command that shows all. Goes wrong:
`WorkspaceError`.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from dynamo.journal import Journal, Workspace
from dynamo.worker.logs import tail

__all__ = ["wrote"]

#: Characters of a line that are told.
_MOST = 300


def wrote(journal: Path, run: str) -> str:
    """Return the last line of the first task of a run that wrote anything, and where the rest stands."""
    with Journal(journal) as known:
        first = next((one for one in known.attempts(run) if one.logged), None)
    if first is None:
        return f"see dynamo logs --run {run}"
    lines = tail(Workspace(journal.parent).log(run, first.task, first.n)).split("\n")
    line = next((line.strip() for line in reversed(lines) if line.strip()), "")
    line = "".join(char if char.isprintable() else " " for char in line)
    said = (
        f"its task {first.task} wrote: {line[:_MOST]}{'...' if len(line) > _MOST else ''}; " if line else ""
    )
    return f"{said}see dynamo logs {shlex.quote(first.task)} --run {run}"
