"""What ads of HTCondor say of jobs, workers and access points. Pure.

Of jobs the attributes `DynamoKind`, `DynamoFeatures` and `DynamoDue` are read, which `dynamo.targets` writes; a job of
somebody else is of a class by its owner and program. Attributes: HTCondor manual 25, "Job ClassAd attributes", "Machine
ClassAd attributes".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from dynamo.fleet.proven import IDENTITY
from dynamo.fleet.queue import Done, Job, PoolWorker

__all__ = [
    "ENDED", "JOB", "SCHEDD", "WORKER", "Ad", "access_points_of", "done_of", "jobs_of", "number", "workers_of",
]  # fmt: skip

#: What is asked for of jobs in a queue, of jobs that ended, of slots, and of schedds.
JOB = [
    "ClusterId", "ProcId", "JobStatus", "RequestCpus", "RequestMemory", "QDate", "JobCurrentStartExecutingDate",
    "JobCurrentStartDate", "RemoteHost", "Owner", "Cmd", "DynamoKind", "DynamoFeatures", "DynamoDue", "DynamoRun",
    "DynamoFeed", "DynamoClock",
]  # fmt: skip
ENDED = [*JOB, "CompletionDate"]
WORKER = [
    "Name", "DynamoToken", "Cpus", "State", "Activity", "EnteredCurrentActivity", "Draining", "MyCurrentTime",
    "LastHeardFrom", IDENTITY,
]  # fmt: skip
SCHEDD = ["Name", "DynamoToken", "LastHeardFrom", "TotalJobAds", "MyAddress", "CondorVersion", IDENTITY]
_MEGABYTE = 2**20

Ad = Mapping[str, Any]


def jobs_of(ads: Iterable[Ad], tokens: Mapping[str, str]) -> list[Job]:
    """Return jobs by their ads; `tokens` is slot to the order that its worker came of."""
    jobs = []
    for ad in ads:
        began = number(ad, "JobCurrentStartExecutingDate") or number(ad, "JobCurrentStartDate")
        running = ad.get("JobStatus") == 2
        jobs.append(
            Job(
                id=_id(ad),
                kind=_kind(ad),
                state="running" if running else "waiting",
                due=number(ad, "DynamoDue", float("inf")),
                cores=max(int(number(ad, "RequestCpus", 1)), 1),
                memory=int(number(ad, "RequestMemory") * _MEGABYTE),
                features=_features(str(ad.get("DynamoFeatures", ""))),
                began=began if running and began else None,
                worker=tokens.get(str(ad.get("RemoteHost", "")), "") if running else "",
                run=str(ad.get("DynamoRun", "")),
                queued=number(ad, "QDate"),
                feed=str(ad.get("DynamoFeed", "")),
                clock=str(ad.get("DynamoClock", "")),
            )
        )
    return jobs


def workers_of(ads: Iterable[Ad], now: float) -> dict[str, PoolWorker]:
    """Return workers by the ads of their slots; a worker is idle since the last of its slots is."""
    slots: dict[str, list[Ad]] = {}
    for ad in ads:
        slots.setdefault(str(ad["DynamoToken"]), []).append(ad)
    return {token: _worker(some, now) for token, some in slots.items()}


def access_points_of(ads: Iterable[Ad]) -> dict[str, PoolWorker]:
    """Return the access points of the fleet by the ads of all schedds."""
    return {
        str(ad["DynamoToken"]): PoolWorker(
            cores=0, at=number(ad, "LastHeardFrom", float("inf")), queue=int(number(ad, "TotalJobAds"))
        )
        for ad in ads
        if "DynamoToken" in ad
    }


def _worker(slots: Sequence[Ad], now: float) -> PoolWorker:
    busy = sum(int(number(ad, "Cpus", 1)) for ad in slots if _is_busy(ad))
    # What a slot says of itself is in the time of its machine when it said so; when that was, in the collector's.
    at = max(number(ad, "LastHeardFrom", now) for ad in slots)
    since = max(number(ad, "EnteredCurrentActivity") + at - number(ad, "MyCurrentTime", at) for ad in slots)
    return PoolWorker(
        cores=sum(int(number(ad, "Cpus", 1)) for ad in slots),
        busy=busy,
        idle_since=None if busy else since,
        draining=any(bool(ad.get("Draining")) or ad.get("State") == "Drained" for ad in slots),
        at=at,
    )


def _is_busy(ad: Ad) -> bool:
    """Whether a job runs there: a slot that is claimed for the next job of a run has none."""
    return ad.get("State") == "Claimed" and ad.get("Activity") != "Idle"


def done_of(ad: Ad) -> Done | None:
    """Return what a job took; None where its ad does not say."""
    began = number(ad, "JobCurrentStartExecutingDate") or number(ad, "JobCurrentStartDate")
    ended = number(ad, "CompletionDate")
    if not began or ended < began:
        return None
    seconds = max(ended - began, 0.5)  # they are whole seconds
    cores = max(int(number(ad, "RequestCpus", 1)), 1)
    return Done(
        id=_id(ad),
        kind=_kind(ad),
        core_seconds=seconds * cores,
        ended=ended,
        due=number(ad, "DynamoDue", float("inf")),
        features=_features(str(ad.get("DynamoFeatures", ""))),
        cores=cores,
        run=str(ad.get("DynamoRun", "")),
        queued=number(ad, "QDate"),
        feed=str(ad.get("DynamoFeed", "")),
        clock=str(ad.get("DynamoClock", "")),
    )


def _id(ad: Ad) -> str:
    return f"{ad.get('ClusterId')}.{ad.get('ProcId')}"


def _kind(ad: Ad) -> str:
    """Return the class of a job: what dynamo wrote, or whose it is and what it runs."""
    return str(ad.get("DynamoKind") or f"{ad.get('Owner', '')}:{PurePath(str(ad.get('Cmd', ''))).name}")


def _features(text: str) -> dict[str, float]:
    """Return what ``bytes=123;tasks=9`` says; what cannot be read is left out."""
    found = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            continue
    return found


def number(ad: Ad, name: str, default: float = 0.0) -> float:
    """Return a number of an ad; one that is undefined, or an expression, is the default."""
    value = ad.get(name)
    return float(value) if isinstance(value, (int, float)) else default
