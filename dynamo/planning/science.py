"""All files of `dynamo.radar` as one: what a task's version takes in where it reaches any of them.

They come with a release and nobody edits them between two runs. Which of them a task can reach is not to be
told from imports: readers are imported by name, palettes and samples are data.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from dynamo.errors import UserError
from dynamo.planning.source import FORMAT, Memory, State, state_of

__all__ = ["RADAR", "science_in"]

#: The folder of the package `dynamo.radar`.
RADAR = Path(__file__).resolve().parents[1] / "radar"
#: State of the folder to its digest: an engine that stays asks every minute.
_known: dict[str, str] = {}


def science_in(memory: Memory | None) -> tuple[dict[Path, State], str]:
    """Return the state of each file of `dynamo.radar`, and a digest over their names and contents."""
    try:
        states = {Path(file): state_of(file) for file in sorted(_files(str(RADAR)))}
        state = hashlib.sha256(repr((FORMAT, [(str(p), s) for p, s in states.items()])).encode()).hexdigest()
        if state not in _known:
            kept = memory.parsed(str(RADAR), state) if memory is not None else None
            _known[state] = kept.decode() if kept is not None else _digest(states)
            if memory is not None and kept is None:
                memory.keep_parsed(str(RADAR), state, _known[state].encode())
    except OSError as error:
        raise UserError(f"cannot read {RADAR}: {error}") from error
    return states, _known[state]


def _digest(files: dict[Path, State]) -> str:
    found = hashlib.sha256()
    for path in files:
        found.update(
            f"{path.relative_to(RADAR).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
        )
    return found.hexdigest()


def _files(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((".", "__pycache__")) or entry.name.endswith("~"):
                continue
            if entry.is_dir():
                yield from _files(entry.path)
            else:
                yield entry.path
