"""The bench: where runs that ended are judged, one after another, in a thread of its own.

Enters: the products of a run that ended. Leaves: what was wrong, in words, and alerts, which are recorded. Goes
wrong: the journal. Where its disk is full the judgement is tried again, for it is recorded whole or not at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from dynamo.alerts.alert import Alert
from dynamo.alerts.match import warm
from dynamo.errors import DynamoError, WorkspaceError
from dynamo.journal.database import DiskFullError
from dynamo.watch.counts import Counts
from dynamo.watch.judge import Judge, Products
from dynamo.watch.people import People

__all__ = ["AGAIN", "FULL", "Bench"]

log = logging.getLogger(__name__)

#: Seconds after which what a full disk refused is tried again, and what is said meanwhile.
AGAIN = 1.0
FULL = "the disk of the workspace is full; what is to be recorded waits"


class Bench:
    """Judges the runs of one feed; `told` is called after alerts were recorded."""

    def __init__(self, judge: Judge, counts: Counts, told: Callable[[list[Alert]], None]) -> None:
        self._judge, self._counts, self._told = judge, counts, told
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="judge")
        self._thread.submit(warm)  # before there is anything to judge

    async def judge(self, products: Products, stop: asyncio.Event) -> str:
        """Judge a run that ended, and return what is wrong, if anything.

        Raises `DiskFullError` where the disk was full until `stop`, and `WorkspaceError`.
        """
        while True:
            try:
                await self._try(products)
            except DiskFullError:
                self._counts.trouble("judging", FULL)
                if stop.is_set():
                    raise
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), AGAIN)
            except WorkspaceError:
                raise
            except DynamoError as wrong:
                return self._wrong(products.run, str(wrong))
            except Exception as ours:  # one product that we fail at must not silence all that come after it
                log.exception("a fault of dynamo itself; please report it")
                return self._wrong(products.run, f"{type(ours).__name__}: {ours}")
            else:
                return ""

    def _wrong(self, run: str, wrong: str) -> str:
        """Return that a run cannot be judged, which is a trouble until one can: nobody may be told meanwhile."""
        said = f"run {run}: its hazards cannot be judged: {wrong}"
        self._counts.trouble("judging", said)
        return said

    async def _try(self, products: Products) -> None:
        verdict = await asyncio.get_running_loop().run_in_executor(self._thread, self._judge, products)
        self._counts.judged(verdict)
        self._counts.trouble("times", verdict.off)
        if verdict.alerts:
            self._told(verdict.alerts)
        if verdict.faults:
            raise verdict.faults[0]
        if verdict.whole or self._counts.troubles.get("judging") == FULL:
            self._counts.trouble("judging", "")

    async def mind(self, people: People) -> None:
        """Have the file of `people` read anew where it has changed: in the thread in which they are asked for."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, people.look)
        except Exception:  # a file that we fail at must not end what was told those whom we know
            log.exception("a fault of dynamo itself; please report it")
        self._counts.trouble("subscribers", people.wrong)

    async def close(self) -> None:
        """Close the judge's journal, and end the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._judge.close)
        self._thread.shutdown()
