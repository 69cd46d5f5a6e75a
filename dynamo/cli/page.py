"""What ``dynamo report`` and ``dynamo map`` share: one HTML file of one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dynamo.journal import Workspace
    from dynamo.triggers.store import WindowState

__all__ = ["output_option", "write_page"]


def output_option(name: str) -> Callable[[Any], Any]:
    """Return the option of where to write the file that is called `name` by default."""
    return click.option(
        "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
        help=f"Write to FILE; by default {name} in the folder of the run.",
    )  # fmt: skip


def write_page(
    write: Callable[[Workspace, str, Path], Path],
    run: str | None,
    workspace: Path,
    output: Path | None,
    name: str,
    states: Sequence[WindowState] = ("running", "done", "failed"),
) -> None:
    """Have the page of a run written, to `output` or as `name` into the folder of the run, and print its path.

    Where no run is named, that of the newest data of a watch is meant whose window is in one of `states`.
    """
    from dynamo.journal import Journal, Workspace
    from dynamo.watch.newest import newest_run

    found = Workspace.find(workspace)
    with Journal(found.journal) as journal:
        record = newest_run(journal, states) if run is None else journal.run(run)
    print(write(found, record.id, output or found.runs / record.id / name))
