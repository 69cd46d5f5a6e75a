"""Products that a watch made and that are older than its run file wants to keep."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from dynamo.journal import RunRecord

__all__ = ["old_products", "remove_products"]


def old_products(runs: Iterable[RunRecord], feed: str, before: float) -> list[Path]:
    """Return the folders of runs of `feed` that ended before the Unix time `before`.

    Only such that belong to one run alone, since its id is in their names.
    """
    folders = (
        (run, Path(str(run.settings.get("products", ""))))
        for run in runs
        if run.settings.get("feed") == feed and (run.ended or run.created) < before
    )
    return [folder for run, folder in folders if run.id in folder.name]


def remove_products(folders: Iterable[Path]) -> int:
    """Remove folders and return how many were there."""
    there = [folder for folder in folders if folder.is_dir()]
    for folder in there:
        shutil.rmtree(folder, ignore_errors=True)
    return len(there)
