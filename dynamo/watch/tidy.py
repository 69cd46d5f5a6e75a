"""What a watch removes once an hour: products, runs, results and alerts that are older than they are kept."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Sequence

from dynamo.errors import DynamoError
from dynamo.graph.units import format_count
from dynamo.journal import Journal, Workspace
from dynamo.journal.retention import collect
from dynamo.triggers.store import forget
from dynamo.watch.feed import Feed
from dynamo.watch.old_products import remove_products

__all__ = ["tidy"]

log = logging.getLogger(__name__)

#: Seconds between two removals of what is old.
HOURLY = 3600.0


async def tidy(
    workspace: Workspace, feeds: Callable[[], Sequence[Feed]], keep: float, over: asyncio.Event
) -> None:
    """Remove what is old, from memory too, now and each hour, until `over`; what cannot be removed is told.

    Parameters
    ----------
    workspace
        Of all feeds.
    feeds
        Returns them as they are now.
    keep
        Seconds for which runs, results and alerts are kept; 0 for ever. Products: as their feed says.
    """
    told = ""
    while not over.is_set():
        # Large graphs are made past Python's collector, which then never looks through what is old: errors refer to
        # the frames that hold them.
        gc.collect()
        try:
            trouble = await asyncio.to_thread(_collect, workspace, feeds(), keep, time.time())
        except DynamoError as error:
            trouble = f"what is old could not be removed: {error.message}"
        if trouble and trouble != told:
            log.warning("%s", trouble)
        told = trouble
        try:
            await asyncio.wait_for(over.wait(), HOURLY)
        except TimeoutError:
            continue


def _collect(workspace: Workspace, feeds: Sequence[Feed], keep: float, now: float) -> str:
    """Remove what is old; return what could not be removed."""
    with Journal(workspace.journal) as journal:
        for feed in feeds:
            kept = feed.runfile.products.keep
            if kept is not None and (count := remove_products(journal, feed.name, now - kept)):
                log.info("removed the products of %s", format_count(count, "old run"))
        if not keep:
            return ""
        freed = collect(workspace, journal, before=now - keep)
    forget(workspace.journal, now - keep)
    if freed.runs or freed.files:
        log.info("removed %s and %s", format_count(freed.runs, "old run"), format_count(freed.files, "file"))
    return freed.trouble
