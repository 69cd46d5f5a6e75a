"""Files that cannot be used: whose fault it is, that of the file or of the machine, and what stands for them.

Enters: a file and what was wrong with it. Leaves: whether that may pass, or a grid that stands for the file in a
composite.
"""

from __future__ import annotations

import errno
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dynamo.workflows.low import AboveError

if TYPE_CHECKING:
    from dynamo.errors import UserError
    from dynamo.radar.grid import Geometry, Grid

__all__ = ["may_pass", "stand_in"]

#: What the system says when not the file is at fault.
PASSING = {errno.EACCES, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE}

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def may_pass(error: Exception) -> bool:
    """Say whether a file may be read the next time, so that nothing is to be made, and kept, without it."""
    return getattr(error.__cause__, "errno", None) in PASSING


def stand_in(path: Path, geometry: Geometry, error: UserError, quantity: str) -> Grid:
    """Return the grid that stands for a file that cannot be used, and tell the reason on stderr.

    Nothing is wrong with one that only looks too high: it is told nowhere but where there is no other.
    """
    import numpy as np

    from dynamo.radar.grid import Grid
    from dynamo.radar.rolling import DAMAGED, REASON

    name = Path(path).name
    reason = str(error).replace(str(path), name)
    is_high = isinstance(error, AboveError)
    if not is_high:
        print(f"left out: {reason}", file=sys.stderr)
    nothing = np.full(geometry.shape, np.nan, dtype="f4")
    about = {DAMAGED: "" if is_high else name, REASON: reason}
    return Grid.from_values(nothing, geometry, EPOCH, quantity=quantity, attributes=about)
