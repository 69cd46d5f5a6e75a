"""The command line as click reads it: a verb is imported when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from dynamo import __version__
from dynamo.cli import VERBS
from dynamo.errors import UserError, nearest

__all__ = ["dynamo"]


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in VERBS:
            return None
        found: click.Command = import_module(f"dynamo.cli.{name}").command
        return found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            raise UserError(f"no verb {args[0]!r}{nearest(args[0], VERBS)}; see `dynamo --help`")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dynamo")
def dynamo() -> None:
    """Write weather-radar processing chains once, in Python; run them anywhere, in time.

    Start with `dynamo sample`, then `dynamo run nowcast.yaml`.
    """
