"""What the tasks of a run wrote to their logs, in a few lines: what was left out, absent or doubtful, say.

Enters: a workspace, and a run in it. Leaves: lines of text. Goes wrong: `WorkspaceError`.
"""

from __future__ import annotations

from dynamo.journal.journal import Journal
from dynamo.journal.workspace import Workspace
from dynamo.worker.logs import tail

__all__ = ["written"]

#: Lines of a run, and characters of a line.
_LINES, _LETTERS = 3, 300


def written(workspace: Workspace, run: str) -> list[str]:
    """Return the last lines that the tasks of a run wrote, each once and with its task; those of the last task first.

    The last task is the one that joins what the others made. What is no text is told as blanks.
    """
    with Journal(workspace.journal) as journal:
        logged = [one for one in journal.attempts(run) if one.logged]
    lines: list[str] = []
    for one in reversed(logged):
        if len(lines) < _LINES:
            texts = tail(workspace.log(run, one.task, one.n)).split("\n")
            clean = (" ".join("".join(c if c.isprintable() else " " for c in text).split()) for text in texts)
            own = list(dict.fromkeys(f"{one.task}: {text[:_LETTERS]}" for text in clean if text))
            lines += own[len(lines) - _LINES :]
    return lines
