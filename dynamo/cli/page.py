"""What ``dynamo report`` and ``dynamo map`` share: one HTML file of one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dynamo.journal import Workspace

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
) -> None:
    """Have the page of a run written, to `output` or as `name` into the folder of the run, and print its path."""
    from dynamo.journal import Journal, Workspace

    found = Workspace.find(workspace)
    with Journal(found.journal) as journal:
        record = journal.run(run)
    print(write(found, record.id, output or found.runs / record.id / name))
