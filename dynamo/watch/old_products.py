"""Products that a watch made and that are older than its run file wants to keep."""

from __future__ import annotations

import shutil
from pathlib import Path

from dynamo.journal import Journal

__all__ = ["remove_products"]


def remove_products(journal: Journal, feed: str, before: float) -> int:
    """Remove the folders of runs of `feed` that ended before the Unix time `before`; return how many were there.

    Also of runs that were forgotten. Only folders that belong to one run alone, since its id is in their names.
    """
    known = [
        (run.id, str(run.settings.get("products", "")))
        for run in journal.runs()
        if run.settings.get("feed") == feed and (run.ended or run.created) < before
    ]
    forgotten = journal.forgotten_products(feed, before)
    there = [Path(folder) for run, folder in [*known, *forgotten] if run in Path(folder).name]
    there = [folder for folder in there if folder.is_dir()]
    for folder in there:
        shutil.rmtree(folder, ignore_errors=True)
    with journal.change():
        for run, _ in forgotten:
            journal.remove_products(run)
    return len(there)
