"""What several verbs of ``dynamo slice`` and ``dynamo fleet`` take, and how it is understood."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynamo.errors import UserError

if TYPE_CHECKING:
    from dynamo.journal.workspace import Workspace

__all__ = ["confirm", "file_", "journal_of", "json_", "made", "root_of", "workspace_", "yes_"]

file_ = click.argument("file", type=click.Path(path_type=Path))
workspace_ = click.option(
    "--workspace",
    type=click.Path(path_type=Path),
    help="Whose journal keeps it; .dynamo beside FILE by default.",
)
json_ = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes_ = click.option("--yes", is_flag=True, help="Do it without asking.")


def root_of(file: Path, workspace: Path | None) -> Path:
    """Return the folder of the workspace that keeps what becomes of a slice."""
    return workspace or file.absolute().parent / ".dynamo"


def journal_of(file: Path, workspace: Path | None) -> Path:
    """Return where the journal of a slice is, or would be."""
    return root_of(file, workspace) / "journal.db"


def made(file: Path, workspace: Path | None) -> Workspace:
    """Return the workspace of a slice, made where it is not there."""
    from dynamo.journal.workspace import Workspace

    return Workspace.open(root_of(file, workspace))


def confirm(question: str, *, yes: bool) -> None:
    """Ask whoever sits there, unless he has said `yes`."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"{question} nobody can be asked here: say --yes")
    click.confirm(question, abort=True)
