"""Options that several verbs share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dynamo.errors import UserError
from dynamo.graph.units import parse_duration

if TYPE_CHECKING:
    from datetime import datetime

    from dynamo.planning import Selection

__all__ = ["kept", "moment_of", "overriding", "runfile_of", "selecting", "selection", "workspace_option"]

#: What begins like this is a time, not a span of one.
_DATE = re.compile(r"\s*\d{4}-")

F = TypeVar("F", bound=Callable[..., Any])


def overriding(function: F) -> F:
    """Add ``--param`` and ``--input``."""
    for option in (
        click.option(
            "--input", "inputs", multiple=True, metavar="NAME=PATH", help="Another path or glob for an input."
        ),
        click.option(
            "--param", "params", multiple=True, metavar="NAME=VALUE", help="Another value for a parameter."
        ),
    ):
        function = option(function)
    return function


def selecting(function: F) -> F:
    """Add ``--force``, ``--only`` and ``--until``."""
    what = "task, step, output or pattern"
    for option in (
        click.option("--until", multiple=True, metavar="NAME", help=f"Leave out all that this {what} does not need."),
        click.option("--only", multiple=True, metavar="NAME", help=f"Run nothing but this {what}."),
        click.option(
            "--force", multiple=True, is_flag=False, flag_value="*", metavar="[NAME]",
            help=f"Run this {what} in any case; all where none is named.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def runfile_of(runfile: str | None, force: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return run file and forced names, also where ``--force`` was written before the run file and took it.

    Raises `UserError` where no run file was named.
    """
    if runfile is None:
        *names, last = force or ("",)
        if not last.endswith((".yaml", ".yml")):
            raise UserError("which run file? Name one, as in `dynamo run nowcast.yaml`")
        return last, (*names, "*")
    return runfile, force


def selection(force: tuple[str, ...], only: tuple[str, ...], until: tuple[str, ...]) -> Selection:
    """Return what ``--force``, ``--only`` and ``--until`` say."""
    from dynamo.planning import Selection

    return Selection(force, only, until)


def kept(text: str) -> float:
    """Return the seconds that ``--keep`` says; raise `UserError` where it is no time."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UserError(f"--keep: {error}") from None


def moment_of(text: str, now: datetime) -> datetime:
    """Return the time that ``--since`` says: so long before `now`, or one of ISO 8601 (UTC without an offset).

    Raises `UserError` where it is neither.
    """
    from datetime import timedelta

    from dynamo.runfile.times import parse_time

    try:
        if _DATE.match(text):
            return parse_time(text)
        return now - timedelta(seconds=parse_duration(text))
    except ValueError as error:
        raise UserError(f"--since: {error}; or a time like 2026-11-22T10:50Z") from None
    except OverflowError:
        raise UserError(f"--since: {text} ago is before all times") from None


workspace_option = click.option(
    "--workspace",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".dynamo"),
    show_default=True,
    help="Folder of the journal and of stored results.",
)
