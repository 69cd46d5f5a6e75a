"""Orders: what is asked of the engine for a window, and how it went in words.

Enters: a feed, and the files of a window, or a run that was begun before. Leaves: a `Request`. Goes wrong: the user's
files (`DynamoError`), which may be right the next time.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

from dynamo.engine.again import again
from dynamo.engine.events import Summary
from dynamo.engine.products import Products
from dynamo.engine.request import Request, new_run_id
from dynamo.errors import UserError
from dynamo.graph.units import format_count
from dynamo.journal import Journal
from dynamo.planning.select import Selection
from dynamo.runfile.preparation import prepare
from dynamo.runfile.settings import settings
from dynamo.triggers.window import Window
from dynamo.watch.feed import Feed

__all__ = ["done", "order", "ordered", "why"]


def order(feed: Feed, window: Window, priority: int) -> Request:
    """Return the request for a run of a window that was never begun, with this priority."""
    inputs = {name: list(paths) for name, paths in window.files.items()}
    tick = datetime.fromtimestamp(window.time, UTC) if feed.schedule else None
    prepared = prepare(feed.path, inputs=inputs, text=feed.text, tick=tick)
    run = new_run_id(prepared.graph.name, time.time())
    products = Products(str(prepared.products.folder(run)), tuple(prepared.products.only))
    keeps = feed.runfile.products.keep is not None
    told = {**settings(prepared, products.folder, Selection()), "feed": feed.name, "keeps": keeps}
    return Request(
        run,
        prepared.graph,
        products,
        settings=told,
        priority=priority,
        images=prepared.images,
    )


def ordered(journal: Journal, run: str, priority: int) -> Request | None:
    """Return the request to go on with a run as it was begun; None where it never was."""
    if not run:
        return None
    try:
        return replace(again(journal, run), priority=priority)
    except UserError:
        return None


def done(summary: Summary) -> str:
    """Say how a run ended well; of its warnings how many there are, and the first."""
    said = f"{summary.run}: {summary.ran} ran, {summary.reused} reused, in {summary.seconds:.1f} s"
    if summary.warnings:
        first = ", the first" if len(summary.warnings) > 1 else ""
        said += f"; {format_count(len(summary.warnings), 'warning')}{first}: {summary.warnings[0]}"
    return said


def why(summary: Summary) -> str:
    """Say why a run did not end well."""
    failure = next(iter(summary.failures), None)
    if failure is None:
        return f"run {summary.run}: " + (
            summary.unpublished[0] if summary.unpublished else "not all could run"
        )
    return f"run {summary.run}: {failure.task}: {failure.error}"
