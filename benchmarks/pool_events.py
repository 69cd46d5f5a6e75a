"""Where the seconds of a DAG go: read from HTCondor's event log and the reports of dynamo's jobs, for `pool.py`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["Job", "jobs", "most_idle", "path_of", "reports", "stages"]

_EVENT = re.compile(
    r"^(\d{3}) \((\d+)\.\d+\.\d+\) (?:\d{4}-)?(\d\d)[-/](\d\d) (\d\d):(\d\d):(\d\d\.\d+) (.*)\n((?: .*\n|\t.*\n)*)",
    re.MULTILINE,
)
_TRANSFERS = {
    "Started transferring input files": "sending",
    "Finished transferring input files": "sent",
    "Started transferring output files": "returning",
}
_NAMED = re.compile(r'DAGNodeName = "([^"]+)"')


@dataclass(slots=True)
class Job:
    """One job: the Unix time of the first of each of its events."""

    cluster: int
    node: str = ""
    at: dict[str, float] = field(default_factory=dict)


def jobs(text: str, year: int) -> list[Job]:
    """Return the jobs of an event log with fractions of seconds, in order of submission."""
    found: dict[int, Job] = {}
    for number, cluster, month, day, hour, minute, second, said, rest in _EVENT.findall(text):
        job = found.setdefault(int(cluster), Job(int(cluster)))
        minutes = datetime(year, int(month), int(day), int(hour), int(minute), tzinfo=UTC)
        moment = minutes.timestamp() + float(second)
        kind = {"000": "submitted", "001": "began", "005": "ended"}.get(number) or _TRANSFERS.get(
            said.strip(), ""
        )
        if number == "000" and (named := _NAMED.search(rest)):
            job.node = named[1]
        job.at.setdefault(kind, moment)
    return list(found.values())


def most_idle(found: Iterable[Job]) -> int:
    """The most jobs that waited in the queue at one time."""
    changes = [(job.at["submitted"], 1) for job in found]
    changes += [(job.at.get("sending", job.at["began"]), -1) for job in found if "began" in job.at]
    idle = most = 0
    for _, change in sorted(changes):
        idle += change
        most = max(most, idle)
    return most


def reports(folder: Path) -> dict[str, Mapping[str, float]]:
    """Job to when its process began, had its inputs checked, and ended; none for jobs that are not dynamo's."""
    found = {}
    for path in folder.glob("jobs/*/out/*.report.json"):
        said = json.loads(path.read_bytes())
        found[said["job"]] = {key: said[key] for key in ("began", "verified", "ended")}
    return found


def path_of(found: Iterable[Job]) -> list[Job]:
    """Return the jobs that the others waited for: the last to end, the last to end before that began, and so on."""
    left = sorted((job for job in found if "ended" in job.at), key=lambda job: job.at["ended"])
    path = [left[-1]]
    while before := [job for job in left if job.at["ended"] < path[0].at["submitted"]]:
        path.insert(0, before[-1])
    return path


def stages(
    dag: Job, path: Iterable[Job], told: Mapping[str, Mapping[str, float]], command: float, over: float
) -> dict[str, float]:
    """Return stage to its seconds; they add up to those between `command` and `over`, the last product in place.

    The first job may be in the queue before the DAG.
    """
    path = list(path)
    spent: dict[str, float] = {}
    last, first = command, path[0].at["submitted"]

    def until(stage: str, moment: float) -> None:
        nonlocal last
        spent[stage] = spent.get(stage, 0.0) + moment - last
        last = moment

    until("compile and submit (command, digests, DAG)", min(dag.at["submitted"], first))
    until("start of DAGMan (by the schedd)", min(dag.at["began"], first))
    for n, job in enumerate(path):
        report, at = told.get(job.node), job.at
        until(
            "DAGMan: look at the log, submit next" if n else "DAGMan: read the DAG, submit first",
            at["submitted"],
        )
        until("match, claim, shadow", at["sending"])
        until("inputs to the worker", at["sent"])
        if report:
            until("start of the job's process (starter, Python)", report["began"])
            until("check of inputs", report["verified"])
            until("run, with imports", report["ended"])
            until("end of the job's process", at["returning"])
        else:
            until("start and run, with imports", at["returning"])
        until("products to the submit machine", min(at["ended"], over))
    until("collect (digests, store, journal, publish)", over)
    return spent
