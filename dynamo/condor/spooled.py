"""A DAG on a schedd of another machine: its files are sent with it, and brought home while it runs.

Enters: what the queue says of its jobs. Leaves: the logs and what jobs sent back, in the folder that was submitted.
Files are brought again when the queue has changed, and no more than a tenth of the time is spent on it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

__all__ = ["Spooled"]

#: Seconds between questions to the queue.
ASKING = 1.0
#: Of the time, one part in so many is spent on bringing files.
SHARE = 10.0
#: States of a job that will not run again: removed, completed.
_REMOVED = 3
_OVER = (_REMOVED, 4)


class _Remote(Protocol):
    def jobs(self, cluster: int) -> Mapping[int, int]: ...

    def bring(self, cluster: int) -> None: ...


class Spooled:
    """What is at home of the DAG `cluster`."""

    def __init__(self, schedd: _Remote, cluster: int) -> None:
        self._schedd, self._cluster = schedd, cluster
        self._known: Mapping[int, int] = {}
        self._next = 0.0
        #: Whether it was removed: one that ended by itself stays in the queue until its files are here.
        self.removed = False

    def __call__(self) -> bool:
        """Bring what is new, when it is time to; return whether the DAG has ended, and all is here."""
        if time.monotonic() < self._next:
            return False
        jobs = self._schedd.jobs(self._cluster)
        state = jobs.get(self._cluster, _REMOVED)
        over, self.removed = state in _OVER, state == _REMOVED
        begun = over or len(jobs) > 1 or bool(self._known)  # before, there is no log yet
        if not begun or (jobs == self._known and not over):
            self._next = time.monotonic() + ASKING
            return False
        self.again()
        self._known = jobs
        return over

    def again(self) -> None:
        """Bring all that there is: a log may tell of files that came after it was read there."""
        began = time.monotonic()
        self._schedd.bring(self._cluster)
        ended = time.monotonic()
        self._next = ended + max(ASKING, SHARE * (ended - began))
