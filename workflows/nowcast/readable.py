"""Read what can be read of the files, so that one that is damaged does not stop the nowcast.

Enters: files. Leaves: the grids of those that can be read, and the names of the others, which are told on stderr.
Goes wrong: `DataError` with the first reason where nothing is left; what the machine did wrong is never a file's fault.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dynamo.workflows.fault import may_pass

from dynamo.errors import DataError

if TYPE_CHECKING:
    from dynamo.radar.grid import Geometry, Grid

__all__ = ["read_readable"]


def read_readable(
    files: Sequence[Path], geometry: Geometry | None, *, skip_damaged: bool
) -> tuple[list[Path], list[Grid], list[str]]:
    """Read `files` onto `geometry`, as `dynamo.radar.readers.read_all` does.

    Returns
    -------
    list of Path
        The files that were read.
    list of Grid
        What they hold.
    list of str
        The names of those that were left out; each is told on stderr with the reason.

    Raises
    ------
    DataError
        None can be read; or one cannot, and `skip_damaged` is off or it may be the machine's fault.
    """
    from dynamo.radar.readers import read_all

    damaged: dict[Path, str] = {}

    def left_out(path: Path, error: DataError) -> bool:
        damaged[path] = str(error).replace(str(path), path.name)
        return skip_damaged and not may_pass(error)

    grids = read_all(files, geometry=geometry, left_out=left_out)
    reasons = list(damaged.values())
    if reasons and not grids:
        raise DataError(f"none of the {len(files)} files can be read; the first: {reasons[0]}")
    for reason in reasons:
        print(f"left out: {reason}", file=sys.stderr)
    return [file for file in files if file not in damaged], grids, [path.name for path in damaged]
