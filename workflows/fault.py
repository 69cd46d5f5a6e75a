"""Whose fault it is that a file cannot be used: its own, or that of the machine, which may pass."""

from __future__ import annotations

import errno

__all__ = ["may_pass"]

#: What the system says when not the file is at fault.
PASSING = {errno.EACCES, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE}


def may_pass(error: Exception) -> bool:
    """Say whether a file may be read the next time, so that nothing is to be made, and kept, without it."""
    return getattr(error.__cause__, "errno", None) in PASSING
