"""A process that runs some tasks, forked from one that watches over it: it tells each report, or is lost.

Forked, so that no second interpreter starts; it runs all tasks of a job, so their imports are made once.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import orjson

from dynamo.graph.needs import Needs
from dynamo.worker.execute import Runner
from dynamo.worker.job import Job, Report
from dynamo.worker.limits import Breach, Lost, breach, how_it_died
from dynamo.worker.log import Log, Screen
from dynamo.worker.logs import cut
from dynamo.worker.machine import descendants, resident

__all__ = ["Child"]

#: Seconds between looks at the memory, time and log of the task that runs.
TICK = 0.2
#: Seconds in which a process that is to be killed writes down where it is.
DUMP = 0.05
#: Seconds to wait for processes that were killed, which one that the kernel holds may take for ever to be.
DYING = 5.0
_PR_SET_CHILD_SUBREAPER = 36


class Child:
    """Runs `job`, in the folder `sandbox`, from `start` on; whoever starts it must `end` it.

    Parameters
    ----------
    log
        Scratch file for what the tasks write; empty lets it go where this process writes.
    """

    def __init__(self, job: Job, sandbox: Path, log: str) -> None:
        self._job, self._sandbox, self._log = job, sandbox, log
        #: Ids of the tasks that have not been reported, the one that runs first.
        self.left = [order.id for order in job.orders]
        self.pid = 0
        self._pipe = -1
        self._code: int | None = None
        self._others: frozenset[int] = frozenset()

    def start(self) -> None:
        """Fork the process; raises `OSError`."""
        _keep_orphans()
        self._others = frozenset(descendants(os.getpid()))
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        # What a signal raises must not come between the fork and the note of whom to end.
        with _undisturbed():
            self._pipe, here = os.pipe()
            self.pid = os.fork()
            if self.pid == 0:
                self._run(here)  # never returns
            os.close(here)

    def _run(self, pipe: int) -> None:
        code = 1
        try:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            os.close(self._pipe)
            _keep_orphans()
            threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
            log = Log(self._log) if self._log else Screen()
            faulthandler.enable()
            faulthandler.register(signal.SIGUSR1, all_threads=False)
            for report in Runner(str(self._sandbox), log).run(self._job):
                line = orjson.dumps(report) + b"\n"
                while line:
                    line = line[os.write(pipe, line) :]
            code = 0
        except BaseException:  # noqa: BLE001 - it must not go on as the process that it was forked from
            traceback.print_exc()
        finally:
            os._exit(code)

    def reports(self, needs: Mapping[str, Needs]) -> Iterator[Report | Breach]:
        """Yield each report as it comes; a `Breach`, the last of all, tells how the task that ran then lost it.

        `needs` maps task ids to the limits of each.
        """
        begun, base = time.monotonic(), resident(self.pid)
        for lines in self._spoken():
            for line in lines:
                report = Report.from_json(orjson.loads(line))
                self.left.remove(report.task)
                yield report
                begun, base = time.monotonic(), resident(self.pid)
            found = None if lines else self._broken(needs, time.monotonic() - begun, base)
            if found is not None:
                self._stop()
                self.end()  # first: what it writes from now on is not for the log of a task that is over
                yield found
                return
        code = self._reap()
        if self.left:
            yield Breach("lost", how_it_died(Lost(code, oom=False)))

    def _spoken(self) -> Iterator[list[bytes]]:
        """Yield the lines that it wrote, and none once a tick, until it has ended.

        That its pipe is closed does not tell: what its tasks forked may hold that open.
        """
        buffer = b""
        coming = select.poll()
        coming.register(self._pipe, select.POLLIN)
        while True:
            ended = self._has_ended()  # asked before, so that what it wrote last is read
            if not coming.poll(0 if ended else TICK * 1000):
                if ended:
                    return
                if self._log:
                    cut(self._log)
                yield []
                continue
            data = os.read(self._pipe, 1 << 16)
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            if lines:
                yield lines

    def _broken(self, needs: Mapping[str, Needs], seconds: float, base: int) -> Breach | None:
        if not self.left:
            return None
        limits = needs[self.left[0]]
        return breach(limits, seconds, resident(self.pid) - base if limits.memory else 0)

    def _stop(self) -> None:
        """Have it write down where it is."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGUSR1)
            time.sleep(DUMP)

    def _has_ended(self) -> bool:
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code is not None

    def _reap(self) -> int:
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def end(self) -> None:
        """End it, and all that its tasks left running, also where that has a session of its own."""
        if self._pipe < 0:
            return
        with _undisturbed():
            until = time.monotonic() + DYING
            while self._kill() and time.monotonic() < until:
                time.sleep(0.001)
            os.close(self._pipe)
            self._pipe = -1

    def _kill(self) -> bool:
        """Kill what is left below this process, and whether anything was."""
        left = [pid for pid in descendants(os.getpid()) if pid not in self._others]
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for pid in left:
            if pid != self.pid:
                with suppress(ChildProcessError):  # it is another's child still
                    os.waitpid(pid, os.WNOHANG)
            else:
                self._has_ended()
        return bool(left)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep back the signal by which a scheduler ends a job."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _keep_orphans() -> None:
    """Become the parent of what dying children leave behind (Linux, prctl(2)), so that it is found and ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_with(pipe: int) -> None:
    """Kill this process, and what its tasks run, once nobody reads from `pipe` any more.

    PR_SET_PDEATHSIG would end this process only, and before it could end the others.
    """
    gone = select.poll()
    gone.register(pipe, 0)
    gone.poll()
    for pid in descendants(os.getpid()):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    os.killpg(0, signal.SIGKILL)
