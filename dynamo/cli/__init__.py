"""The ``dynamo`` command: one module per verb, imported only when that verb is called.

Enters: arguments. Leaves: output and an exit code (0 done, 2 you must act, 3 the infrastructure failed,
4 a fault of dynamo, 130 interrupted). Goes wrong: see `dynamo.errors`; only our own faults show a traceback.
"""

from __future__ import annotations

import errno
import sys
import traceback
from importlib import import_module
from typing import Any

import click

from dynamo import __version__
from dynamo.errors import INTERRUPTED, DynamoError, InfrastructureError, UserError, nearest

__all__ = ["VERBS", "main"]

#: Verb to one line of help; each is a module of this package that defines ``command``.
VERBS = {
    "run": "Run what a run file says.",
    "plan": "Say what would run, and why, without running it.",
    "check": "Check a run file and its workflow.",
    "graph": "Draw the graph of a run file.",
    "new": "Make a working skeleton of a workflow of your own.",
    "sample": "List and fetch sample radar data.",
    "status": "Show how a run stands.",
    "runs": "List the runs of this workspace.",
    "logs": "Show what a task wrote.",
    "report": "Write the report of a run as one HTML file.",
    "resume": "Go on with a run that was interrupted or failed.",
    "gc": "Remove runs and files that nothing needs any more.",
}

#: A disk that is full, over its quota, or read-only.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


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


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code that `dynamo.errors` documents."""
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        code = dynamo.main(arguments, prog_name="dynamo", standalone_mode=False)
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
        traceback.print_exc()
        print(
            "error: this is a fault of dynamo itself; please report it with the lines above "
            f"(dynamo {__version__}, Python {sys.version.split()[0]}, {sys.platform})",
            file=sys.stderr,
        )
        return 4
    return code if isinstance(code, int) else 0
