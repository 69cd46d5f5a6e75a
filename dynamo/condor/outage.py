"""How long an access point has not answered, or nothing was heard of a run there: it may be started anew."""

from __future__ import annotations

import time

from dynamo.condor.run import PoolRun
from dynamo.errors import InfrastructureError

__all__ = ["Outage"]

#: Seconds after which the queue is asked whether the DAG is still there, where its log says nothing.
SILENCE = 30.0
#: Seconds for which an access point that does not answer is waited for, and between two questions to it.
LONGEST = 900.0
PAUSE = 2.0


class Outage:
    """What is known of the access point of a run; `away` while it does not answer."""

    def __init__(self) -> None:
        self.away = False
        self._heard = self._asked = time.monotonic()

    def over(self) -> None:
        """Note that it was heard of."""
        self._heard, self.away = time.monotonic(), False

    def to_ask(self) -> bool:
        """Whether it is time to ask for the run; if so, that is taken as done."""
        now = time.monotonic()
        due = now - max(self._heard, self._asked) > SILENCE
        if due:
            self._asked = now
        return due

    def bear(self, error: InfrastructureError, run: PoolRun) -> None:
        """Tell of an error once, and pause; raise it where it has lasted for too long."""
        if time.monotonic() - self._heard > LONGEST:
            raise error
        if not self.away:
            run.say(f"{error}; the run goes on there, and is followed again when it answers", time.time())
        self.away = True
        time.sleep(PAUSE)
