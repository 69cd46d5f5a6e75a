"""Have click find a verb and call it, and turn what goes wrong into words and an exit code."""

from __future__ import annotations

import errno
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from dynamo import __version__
from dynamo.cli import VERBS
from dynamo.errors import INTERRUPTED, DynamoError, InfrastructureError, UserError, nearest

if TYPE_CHECKING:
    from dynamo.engine.spawn import Spawned

__all__ = ["call"]

#: A disk that is full, over its quota, or read-only.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def call(arguments: list[str], first: Spawned | None = None) -> int:
    """Run the command line and return its exit code; a verb that runs tasks finds `first` in click's context."""
    try:
        code = dynamo.main(arguments, prog_name="dynamo", standalone_mode=False, obj=first)
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return UserError.exit_code
    except DynamoError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away, as `| head` does
        return 0
    except Exception as error:  # noqa: BLE001 - the last line of defence: anything that comes here is our own fault
        if isinstance(error, OSError) and error.errno in _DISK:
            print(f"error: {error.filename or 'the disk'}: {error.strerror}", file=sys.stderr)
            return InfrastructureError.exit_code
        return _fault()
    return code if isinstance(code, int) else 0


def _fault() -> int:
    """Tell the error that is being handled, and what to do about it."""
    import traceback

    traceback.print_exc()
    print(
        "error: this is a fault of dynamo itself; please report it with the lines above "
        f"(dynamo {__version__}, Python {sys.version.split()[0]}, {sys.platform})",
        file=sys.stderr,
    )
    return 4


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
