"""Tell whoever follows a run, and `dynamo status`, where its jobs are and what they wait for."""

from __future__ import annotations

from dynamo.condor.follow import Follower
from dynamo.condor.run import PoolRun
from dynamo.condor.schedd import Schedd

__all__ = ["Inform"]

#: Seconds between looks at what is known of the jobs.
EACH = 1.0


class Inform:
    """Says of one submission where it is, and what of it is not as it should be, as often as that changes."""

    def __init__(self, run: PoolRun, follower: Follower, schedd: Schedd, cluster: int) -> None:
        self._run, self._standing = run, follower.standing
        self._where = f"cluster {cluster} of {schedd.name}"
        self._looked = 0.0

    def __call__(self, now: float) -> None:
        """Look, where that is due."""
        if now - self._looked < EACH:
            return
        self._looked = now
        self._run.say("; ".join(filter(None, (self._where, self._standing.words(now)))), now)
