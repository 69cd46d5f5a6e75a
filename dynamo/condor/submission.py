"""Submit the DAG of a run, so that it is found again whenever we die."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from dynamo.condor.folder import DagFolder
from dynamo.condor.run import PoolRun
from dynamo.condor.schedd import Schedd
from dynamo.engine.termination import undisturbed
from dynamo.errors import InfrastructureError

__all__ = ["submit"]

#: State of a DAG's own job.
REMOVED = 3


def submit(
    run: PoolRun, folder: DagFolder, schedd: Schedd, *, rescue: bool = False, first: Sequence[str] = ()
) -> int:
    """Submit a DAG as `Schedd.submit` does, have it begin, and return the number of its cluster.

    Should we die in between, the journal knows its folder, it is found in the queue by the id of the run, and whoever
    follows or looks at it has it begin; so does who follows it where the schedd dies meanwhile.
    """
    said = {"folder": str(folder.path), "cluster": 0}
    with run.journal.change():
        run.journal.set_submission(run.id, said)
    with undisturbed():
        cluster = schedd.submit(folder.dag, run.id, rescue=rescue, first=first)
        with run.journal.change():
            run.journal.set_submission(run.id, {**said, "cluster": cluster})
        with suppress(InfrastructureError):
            removed = (
                first
                and not schedd.release(cluster)
                and schedd.state(cluster).get("JobStatus", REMOVED) == REMOVED
            )
            if removed:  # somebody was faster, and did not see these jobs
                schedd.clear(cluster)
    return cluster
