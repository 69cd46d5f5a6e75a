"""Tell whoever follows a run, and `dynamo status`, where its jobs are and what they wait for."""

from __future__ import annotations

from dynamo.condor.follow import Follower
from dynamo.condor.run import PoolRun
from dynamo.condor.schedd import Schedd

__all__ = ["Inform"]

#: Seconds between looks at what is known of the jobs.
EACH = 1.0
#: Seconds that a job waits for a slot before the queue is asked why, and between such questions.
LONG = 60.0


class Inform:
    """Says of one submission where it is, and what of it is not as it should be, as often as that changes."""

    def __init__(self, run: PoolRun, follower: Follower, schedd: Schedd, cluster: int) -> None:
        self._run, self._standing, self._schedd, self._cluster = run, follower.standing, schedd, cluster
        self._where = f"cluster {cluster} of {schedd.name}"
        self._looked = self._asked = 0.0
        self._why = ""

    def __call__(self, now: float) -> None:
        """Look, where that is due; raises `InfrastructureError` where the queue does not answer."""
        if now - self._looked < EACH:
            return
        self._looked = now
        said = self._standing.words(now)
        if self._standing.waiting(now) < LONG:
            self._why = ""
        elif now - self._asked > LONG:
            self._asked, self._why = now, self._schedd.why_idle(self._cluster)
        self._run.say("; ".join(filter(None, (self._where, said, self._why))), now)
