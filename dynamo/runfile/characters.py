"""Characters that no text of a run file may hold: escapes in quotes, the environment and arguments can say them."""

from __future__ import annotations

import re

__all__ = ["unfit"]

#: What no name of a file can hold, and the surrogates, which are no characters (Unicode 15, section 3.8).
_UNFIT = re.compile("[\0\ud800-\udfff]")


def unfit(text: str) -> str:
    """Say which character of `text` is not allowed, and what stands before it; an empty string where all are.

    >>> unfit("x" + chr(0))
    "'x' is followed by the character #x0000, which is not allowed"
    """
    found = _UNFIT.search(text)
    if not found:
        return ""
    before = text[: found.start()][-20:]
    return f"{before!r} is followed by the character #x{ord(found[0]):04x}, which is not allowed"
