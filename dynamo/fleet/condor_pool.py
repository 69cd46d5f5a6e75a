"""An HTCondor pool as a fleet sees it: its collector and schedds are asked, workers are drained.

They are asked in a process apart (`dynamo.fleet.apart`), for HTCondor's bindings stop all threads of their own until
there is an answer. What is known of the pool is kept here, and outlives that process.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import orjson

from dynamo.condor.refusal import refusal
from dynamo.errors import InfrastructureError
from dynamo.fleet.apart import Apart
from dynamo.fleet.condor_ads import (
    ENDED,
    JOB,
    SCHEDD,
    WORKER,
    Ad,
    access_points_of,
    done_of,
    jobs_of,
    number,
    workers_of,
)
from dynamo.fleet.condor_asking import CondorError, collected, ended, queued
from dynamo.fleet.proven import proven
from dynamo.fleet.queue import Done, Reading
from dynamo.fleet.queue_key import QueueKeys
from dynamo.fleet.unread import Unread

__all__ = ["CondorPool"]

log = logging.getLogger(__name__)

#: Seconds after which an access point that says nothing, which it does every few seconds, is not asked.
_SILENT = 30.0
#: Seconds that one has to answer, and for which it is not asked where it did not: a reading waits for all of them.
_PATIENCE, _REST = 10.0, 300.0
#: Access points that may keep a reading waiting; the others are asked in the next one.
_SLOW = 2


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
    apart
        Where it is asked.
    clock
        The time, in Unix seconds.
    """

    def __init__(
        self,
        central_manager: str,
        drain: Callable[[str], None],
        keys: QueueKeys,
        apart: Apart,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._manager, self._drain, self._keys, self._apart, self._clock = (
            central_manager, drain, keys, apart, clock,
        )  # fmt: skip
        self._last: dict[str, list[Ad]] = {}
        self._rests: dict[str, float] = {}
        self._unread = Unread()

    def read(self, mark: str) -> Reading:
        """Return the queue of all schedds, the workers, and the jobs that ended since `mark`."""
        now = self._clock()
        with _asking("ask the pool"):
            slots = self._collected("Startd", "DynamoToken =!= undefined", WORKER)
            schedds = self._collected("Schedd", "true", SCHEDD)
            since: dict[str, int] = orjson.loads(mark) if mark else {}
            newest = max((number(ad, "LastHeardFrom") for ad in (*slots, *schedds)), default=0.0)
            queues = [self._queue(ad, since, int(now), newest) for ad in schedds]
        self._last = {one.name: one.jobs for one in queues}
        jobs = [job for one in queues for job in one.jobs]
        ended = [done for one in queues for done in one.done]
        tokens = {str(ad.get("Name", "")): str(ad.get("DynamoToken", "")) for ad in slots}
        return Reading(
            now,
            jobs_of(jobs, tokens),
            {**workers_of(slots, now), **access_points_of(schedds)},
            ended,
            orjson.dumps({one.name: one.mark for one in queues}).decode(),
        )

    def drain(self, token: str) -> None:
        """Have a worker take no new job, and end when those it has are done."""
        with _asking("drain a worker"):
            found = self._collected("Startd", f'DynamoToken == "{token}"', [*WORKER, "Machine"])
        # One slot of each machine stands for it: its name is found in the collector, that of the machine in no DNS.
        for slot in {str(ad["Machine"]): str(ad["Name"]) for ad in found}.values():
            self._drain(slot)

    def _collected(self, kind: str, which: str, attributes: list[str]) -> list[Ad]:
        """Return what the collector has of a kind of ads."""
        whom = f"the pool's collector ({self._manager or 'CONDOR_HOST'})"
        return proven(self._apart.call(whom, collected, self._manager, kind, which, attributes))

    def _queue(self, ad: Ad, since: Mapping[str, int], now: int, newest: float) -> _Queue:
        """Return what is in the queue of a schedd, and what ended since it was last asked; at first, nothing.

        An access point of the fleet may be gone at any time, and its ad is there for minutes: of one that has said
        nothing for a while, by the collector's clock, or does not answer, what it last said counts. One that cannot be
        reached from here, as behind a firewall, is asked again each five minutes.
        """
        name = str(ad.get("Name", ""))
        begin = since.get(name, now)
        last = _Queue(name, self._last.get(name, []), [], begin)
        ours = "DynamoToken" in ad
        silent = newest - number(ad, "LastHeardFrom") > _SILENT
        if ours and (silent or now < self._rests.get(name, 0.0) or self._is_slow(now)):
            return last
        with self._tokens(ad) as folder:
            try:
                limit = _PATIENCE if ours else None
                jobs = self._apart.call(f"the schedd {name}", queued, ad, folder, JOB, limit=limit)
                done = self._done(name, ad, folder, begin, now)
            except (CondorError, InfrastructureError) as error:
                if not ours:
                    raise
                if isinstance(error, InfrastructureError):
                    self._rests[name] = now + _REST
                self._unread.failed(name, error, now)
                return last
        self._unread.read(name)
        return _Queue(name, jobs, done or [], begin if done is None else now)

    def _is_slow(self, now: float) -> bool:
        """Whether this reading has waited for enough that did not answer."""
        return sum(until == now + _REST for until in self._rests.values()) >= _SLOW

    def _done(self, name: str, ad: Ad, folder: str, begin: int, now: int) -> list[Done] | None:
        """Return the jobs of a schedd that ended; None where that is refused, or takes too long: it is asked later."""
        whom = f"the history of the schedd {name}"
        if now < self._rests.get(whom, 0.0):
            return None
        if begin >= now:
            return []
        try:
            found = self._apart.call(whom, ended, ad, folder, ENDED, begin, now, limit=_PATIENCE)
        except (CondorError, InfrastructureError) as error:
            self._rests[whom] = now + _REST
            log.warning(
                "%s cannot be read: %s; until then nobody learns what its jobs take (MAX_HISTORY_LOG)",
                whom,
                error,
            )
            return None
        return [one for one in map(done_of, found) if one is not None]

    @contextmanager
    def _tokens(self, ad: Ad) -> Iterator[str]:
        """Give the folder of the key of an access point of the fleet, which knows no other of the pool; else empty."""
        token = ad.get("DynamoToken")
        if not token:
            yield ""
            return
        with tempfile.TemporaryDirectory(prefix="dynamo-queue-") as folder:
            file = Path(folder) / "token"
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(self._keys.token(str(token), self._clock()))
            yield folder


@contextmanager
def _asking(what: str) -> Iterator[None]:
    try:
        yield
    except CondorError as error:
        raise InfrastructureError(refusal(what, error.text, error.tokens, reached=False)) from error
    except InfrastructureError as error:
        raise InfrastructureError(f"cannot {what}: {error.message}") from error
    except (OSError, ValueError) as error:  # a full disk; a mark that is none
        raise InfrastructureError(f"cannot {what}: {error}") from error
