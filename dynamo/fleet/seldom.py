"""A log in which what happens again and again stands once a minute, with how often."""

from __future__ import annotations

import logging

__all__ = ["Seldom"]


#: Kinds that are remembered: where each text is another, those before are forgotten.
_KINDS = 1000


class Seldom:
    """Warns of each kind of thing at most once in `seconds`.

    Parameters
    ----------
    log
        Where to.
    seconds
        Between two lines of a kind.
    """

    def __init__(self, log: logging.Logger, seconds: float = 60.0) -> None:
        self._log, self._seconds = log, seconds
        self._told: dict[str, float] = {}
        self._since: dict[str, int] = {}

    def warn(self, what: str, now: float, why: str = "") -> None:
        """Say that something happened at a time (s), or count it for the next line; `why` makes no other kind of it."""
        if now < self._told.get(what, -self._seconds) + self._seconds:
            self._since[what] = self._since.get(what, 0) + 1
            return
        more = self._since.pop(what, 0)
        self._told.pop(what, None)
        self._told[what] = now
        if len(self._told) > _KINDS:
            oldest = next(iter(self._told))
            del self._told[oldest]
            self._since.pop(oldest, None)
        self._log.warning(
            "%s%s%s", what, why, f" (and {more} times since the last line of this)" if more else ""
        )
