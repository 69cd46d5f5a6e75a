"""A look at the files that all runs of a chain read, before the first: the registry of radars, and soundings.

Enters: paths, as far as the files are there. Leaves: in words, what a run would leave out.
Goes wrong: `UserError` where the registry is wrong, for no run could go on with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["look"]


def look(radars: Path | None, soundings: Sequence[Path] = ()) -> list[str]:
    """Say of each sounding that cannot be read why; read the registry as a run would."""
    from dynamo.radar.registry import read_registry
    from dynamo.radar.sounding import read_all_soundings

    read_registry(radars)
    return [f"left out: {reason}" for reason in read_all_soundings(soundings)[1]]
