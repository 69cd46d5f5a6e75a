"""An HTCondor pool as a fleet sees it: its collector and schedds are asked, workers are drained.

Of jobs the attributes `DynamoKind`, `DynamoFeatures` and `DynamoDue` are read, which `dynamo.targets` writes; a job of
somebody else is of a class by its owner and program. Attributes: HTCondor manual 25, "Job ClassAd attributes", "Machine
ClassAd attributes".
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import orjson

from dynamo.condor.refusal import refusal
from dynamo.errors import InfrastructureError, UserError
from dynamo.fleet.proven import IDENTITY, proven
from dynamo.fleet.queue import Done, Job, PoolWorker, Reading
from dynamo.fleet.queue_key import QueueKeys
from dynamo.fleet.unread import Unread

__all__ = ["CondorPool", "access_points_of", "jobs_of", "workers_of"]

#: Jobs that run or can run, on a worker: not DAGMan (7) nor what runs on the access point itself (12).
_QUEUE = "(JobStatus == 1 || JobStatus == 2) && JobUniverse != 7 && JobUniverse != 12"
_JOB = [
    "ClusterId", "ProcId", "JobStatus", "RequestCpus", "RequestMemory", "QDate", "JobCurrentStartExecutingDate",
    "JobCurrentStartDate", "RemoteHost", "Owner", "Cmd", "DynamoKind", "DynamoFeatures", "DynamoDue", "DynamoRun",
    "DynamoFeed", "DynamoClock", "ServerTime",
]  # fmt: skip
_ENDED = [*_JOB, "CompletionDate", "RemoteWallClockTime"]
_WORKER = [
    "Name", "DynamoToken", "Cpus", "State", "Activity", "EnteredCurrentActivity", "Draining", "MyCurrentTime",
    "LastHeardFrom", IDENTITY,
]  # fmt: skip
#: Jobs of the history that are read at one time at most.
_MOST = 10_000
_MEGABYTE = 2**20
#: Seconds after which an access point that says nothing, which it does every few seconds, is not asked.
_SILENT = 30.0
#: Where HTCondor looks for tokens: a setting of the whole process, so only one at a time has it changed.
_FOLDER, _TOKENS = "SEC_TOKEN_DIRECTORY", threading.Lock()

Ad = Mapping[str, Any]


class _Queue(NamedTuple):
    """What a schedd said: its jobs, those that ended, and up to when."""

    name: str
    jobs: list[Ad]
    done: list[Done]
    mark: int


class CondorPool:
    """The pool that HTCondor is configured for here, or that of a central manager.

    Parameters
    ----------
    central_manager
        As ``host:port``; empty for the configured one.
    drain
        Has the machine of a slot drained: its jobs end, and it takes no more.
    keys
        Those of access points that the fleet started: none other is read by them.
    clock
        The time, in Unix seconds.
    """

    def __init__(
        self,
        central_manager: str,
        drain: Callable[[str], None],
        keys: QueueKeys,
        clock: Callable[[], float] = time.time,
    ) -> None:
        try:
            import htcondor2
        except ImportError:
            raise UserError(
                "a fleet needs HTCondor's Python bindings: pip install 'dynamo-weather[fleet]'"
            ) from None
        self._condor: Any = htcondor2
        self._manager, self._drain, self._keys, self._clock = central_manager, drain, keys, clock
        self._last: dict[str, list[Ad]] = {}
        self._unread = Unread()

    def read(self, mark: str) -> Reading:
        """Return the queue of all schedds, the workers, and the jobs that ended since `mark`."""
        now = self._clock()
        with self._asking("ask the pool"):
            collector = self._condor.Collector(self._manager or None)
            slots = proven(collector.query(self._condor.AdType.Startd, "DynamoToken =!= undefined", _WORKER))
            schedds = proven(collector.query(self._condor.AdType.Schedd))
            since: dict[str, int] = orjson.loads(mark) if mark else {}
            newest = max((_number(ad, "LastHeardFrom") for ad in (*slots, *schedds)), default=0.0)
            queues = [self._queue(ad, since, int(now), newest) for ad in schedds]
        self._last = {one.name: one.jobs for one in queues}
        jobs = [job for one in queues for job in one.jobs]
        ended = [done for one in queues for done in one.done]
        tokens = {str(ad.get("Name", "")): str(ad.get("DynamoToken", "")) for ad in slots}
        return Reading(
            now,
            jobs_of(jobs, tokens, now),
            {**workers_of(slots, now), **access_points_of(schedds)},
            ended,
            orjson.dumps({one.name: one.mark for one in queues}).decode(),
        )

    def drain(self, token: str) -> None:
        """Have a worker take no new job, and end when those it has are done."""
        with self._asking("drain a worker"):
            collector = self._condor.Collector(self._manager or None)
            which = f'DynamoToken == "{token}"'
            with _TOKENS:
                found = collector.query(self._condor.AdType.Startd, which, [*_WORKER, "Machine"])
        # One slot of each machine stands for it: its name is found in the collector, that of the machine in no DNS.
        for slot in {str(ad["Machine"]): str(ad["Name"]) for ad in proven(found)}.values():
            self._drain(slot)

    def _queue(self, ad: Ad, since: Mapping[str, int], now: int, newest: float) -> _Queue:
        """Return what is in the queue of a schedd, and what ended since it was last asked; at first, nothing.

        An access point of the fleet may be gone at any time, and its ad is there for minutes: of one that has said
        nothing for a while, by the collector's clock, or does not answer, what it last said counts.
        """
        name = str(ad.get("Name", ""))
        begin = since.get(name, now)
        last = _Queue(name, self._last.get(name, []), [], begin)
        if "DynamoToken" in ad and newest - _number(ad, "LastHeardFrom") > _SILENT:
            return last
        with self._reading(ad):
            try:
                schedd = self._condor.Schedd(ad)
                read = _Queue(name, list(schedd.query(_QUEUE, _JOB)), _ended(schedd, begin, now), now)
            except (self._condor.HTCondorException, OSError, RuntimeError) as error:
                if "DynamoToken" not in ad:
                    raise
                self._unread.failed(name, error, now)
                return last
            self._unread.read(name)
            return read

    @contextmanager
    def _reading(self, ad: Ad) -> Iterator[None]:
        """Read the queue of an access point of the fleet by its own key; it knows no other of the pool."""
        token, param = ad.get("DynamoToken"), self._condor.param
        if not token:
            yield
            return
        with _TOKENS, tempfile.TemporaryDirectory(prefix="dynamo-queue-") as folder:
            file, before = Path(folder) / "token", param.get(_FOLDER)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(self._keys.token(str(token), self._clock()))
            param[_FOLDER] = folder
            try:
                yield
            finally:
                param[_FOLDER] = before or ""

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except (self._condor.HTCondorException, OSError, RuntimeError, ValueError) as error:
            tokens = str(self._condor.param.get("SEC_TOKEN_DIRECTORY") or "~/.condor/tokens.d")
            raise InfrastructureError(refusal(what, str(error), tokens, reached=False)) from error


def _ended(schedd: Any, begin: int, now: int) -> list[Done]:
    """Return the jobs of a schedd that ended well in a time of whole seconds; what is not over is for the next time."""
    if begin >= now:
        return []
    which = f"CompletionDate >= {begin} && CompletionDate < {now} && JobStatus == 4 && ExitCode =?= 0"
    found = schedd.history(f"({which}) && JobUniverse != 7 && JobUniverse != 12", _ENDED, match=_MOST)
    return [one for one in map(_done, found) if one is not None]


def jobs_of(ads: Iterable[Ad], tokens: Mapping[str, str], now: float) -> list[Job]:
    """Return jobs by their ads; `tokens` is slot to the order that its worker came of. Times become those of here."""
    jobs = []
    for ad in ads:
        ahead = now - _number(ad, "ServerTime", now)
        began = _number(ad, "JobCurrentStartExecutingDate") or _number(ad, "JobCurrentStartDate")
        running = ad.get("JobStatus") == 2
        due = _number(ad, "DynamoDue", float("inf")) + ahead
        jobs.append(
            Job(
                id=_id(ad),
                kind=_kind(ad),
                state="running" if running else "waiting",
                due=due,
                cores=max(int(_number(ad, "RequestCpus", 1)), 1),
                memory=int(_number(ad, "RequestMemory") * _MEGABYTE),
                features=_features(str(ad.get("DynamoFeatures", ""))),
                began=began + ahead if running and began else None,
                worker=tokens.get(str(ad.get("RemoteHost", "")), "") if running else "",
                run=str(ad.get("DynamoRun", "")),
                queued=_number(ad, "QDate") + ahead,
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
            cores=0, at=_number(ad, "LastHeardFrom", float("inf")), queue=int(_number(ad, "TotalJobAds"))
        )
        for ad in ads
        if "DynamoToken" in ad
    }


def _worker(slots: Sequence[Ad], now: float) -> PoolWorker:
    busy = sum(int(_number(ad, "Cpus", 1)) for ad in slots if _is_busy(ad))
    # What a slot says of itself is in the time of its machine when it said so; when that was, in the collector's.
    at = max(_number(ad, "LastHeardFrom", now) for ad in slots)
    since = max(_number(ad, "EnteredCurrentActivity") + at - _number(ad, "MyCurrentTime", at) for ad in slots)
    return PoolWorker(
        cores=sum(int(_number(ad, "Cpus", 1)) for ad in slots),
        busy=busy,
        idle_since=None if busy else since,
        draining=any(bool(ad.get("Draining")) or ad.get("State") == "Drained" for ad in slots),
        at=at,
    )


def _is_busy(ad: Ad) -> bool:
    """Whether a job runs there: a slot that is claimed for the next job of a run has none."""
    return ad.get("State") == "Claimed" and ad.get("Activity") != "Idle"


def _done(ad: Ad) -> Done | None:
    """Return what a job took; None where its ad does not say."""
    began = _number(ad, "JobCurrentStartExecutingDate") or _number(ad, "JobCurrentStartDate")
    ended = _number(ad, "CompletionDate")
    if not began or ended < began:
        return None
    seconds = max(ended - began, 0.5)  # they are whole seconds
    cores = max(int(_number(ad, "RequestCpus", 1)), 1)
    return Done(
        id=_id(ad),
        kind=_kind(ad),
        core_seconds=seconds * cores,
        ended=ended,
        due=_number(ad, "DynamoDue", float("inf")),
        features=_features(str(ad.get("DynamoFeatures", ""))),
        cores=cores,
        run=str(ad.get("DynamoRun", "")),
        queued=_number(ad, "QDate"),
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


def _number(ad: Ad, name: str, default: float = 0.0) -> float:
    """Return a number of an ad; one that is undefined, or an expression, is the default."""
    value = ad.get(name)
    return float(value) if isinstance(value, (int, float)) else default
