"""A folder of its own for each task: its inputs under their names, room for its outputs, nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from dynamo.graph.model import Names, names_of
from dynamo.worker.job import Made, Order
from dynamo.worker.store import adopt

__all__ = ["bind", "clear", "collect", "missing_outputs", "prepare"]


def prepare(folder: str, order: Order, made: Mapping[str, str]) -> None:
    """Make `folder` with a link for each input and the folders that the outputs stand in.

    `made` maps the files that earlier tasks of the job made to their paths.
    """
    os.mkdir(folder)
    for name, path in order.paths.items():
        link = f"{folder}/{name}"
        if "/" in name:
            os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink(path or made[name], link)
    for name in names_of(order.outputs):
        if "/" in name:
            os.makedirs(os.path.dirname(f"{folder}/{name}"), exist_ok=True)


def bind(folder: str, bound: Mapping[str, Names]) -> dict[str, Path | list[Path]]:
    """Return the paths that a Python task is called with."""
    return {
        p: Path(folder, names) if isinstance(names, str) else [Path(folder, n) for n in names]
        for p, names in bound.items()
    }


def missing_outputs(folder: str, order: Order) -> list[str]:
    """Return the declared outputs that are not there as plain files."""
    return [n for n in names_of(order.outputs) if not os.path.isfile(f"{folder}/{n}") or os.path.islink(f"{folder}/{n}")]


def collect(folder: str, order: Order, store: str) -> dict[str, Made]:
    """Move the declared outputs into the store."""
    return {name: adopt(f"{folder}/{name}", store) for name in names_of(order.outputs)}


def clear(folder: str) -> None:
    """Remove `folder` and all in it; what resists is left to `dynamo gc`."""
    shutil.rmtree(folder, ignore_errors=True)
