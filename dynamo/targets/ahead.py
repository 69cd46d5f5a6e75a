"""Submit descriptions of the jobs with which a DAG begins, for who submits them before it does.

DAGMan submits at the tick of a clock, the first time a second after its start. Of jobs that are in their event log by
then it learns as after a crash, in recovery mode, and goes on with them (HTCondor manual 25, "DAGMan workflows").

Pure. Format: HTCondor manual 25, "condor_submit".
"""

from __future__ import annotations

from dynamo.targets.dagman import DagOptions, category, priority, variables
from dynamo.targets.direct import is_direct
from dynamo.targets.jobs import Compiled, TargetJob
from dynamo.targets.submit import submit_text

__all__ = ["ahead"]

#: How many are submitted so at most: each takes about ten milliseconds, and DAGMan submits a hundred at once.
MOST = 8


def ahead(compiled: Compiled, options: DagOptions, log: str) -> list[str]:
    """Return the descriptions of jobs that wait for no other, as many as may start at once, the most urgent first.

    `log` is the path of the event log of the DAG's jobs. Who submits them adds ``My.DAGManJobId``, whose they are, and
    in ``hold_claim`` for how many seconds a slot is kept for the job that follows. What only DAGMan can hold back is
    left to it, and so are commands that run without a worker.
    """
    free = [
        job
        for job in compiled.jobs.values()
        if not job.parents
        and not category(compiled, job, options)
        and not is_direct(compiled, job, options.container)
    ]
    free.sort(key=lambda job: -priority(job.needs))
    followed = {parent for job in compiled.jobs.values() for parent in job.parents} | set(compiled.more)
    return [
        _description(compiled, job, options, log, followed=job.name in followed)
        for job in free[: min(options.slots, MOST)]
    ]


def _description(compiled: Compiled, job: TargetJob, options: DagOptions, log: str, *, followed: bool) -> str:
    values = {
        "JOB": job.name,
        **variables(compiled, job, options),
        "again": "0",
        "priority": str(priority(job.needs)),
        "batch_name": options.run,
        "log": log,
        # What tells DAGMan of which node it is: the one in older logs, the other in newer ones.
        "submit_event_notes": f"DAG Node: {job.name}",
        "My.DAGNodeName": f'"{job.name}"',
    }
    if followed:
        values["keep_claim_idle"] = "$(hold_claim)"
    return "".join(f"{key} = {value}\n" for key, value in values.items()) + submit_text(
        compiled, job, options
    )
