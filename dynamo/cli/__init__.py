"""The ``dynamo`` command: one module per verb, imported only when that verb is called.

Enters: arguments. Leaves: output and an exit code (0 done, 2 you must act, 3 the infrastructure failed,
4 a fault of dynamo, 130 interrupted). Goes wrong: see `dynamo.errors`; only our own faults show a traceback.
"""

from __future__ import annotations

import errno
import sys
from typing import TYPE_CHECKING

from dynamo.errors import INTERRUPTED, DynamoError, InfrastructureError, UserError

if TYPE_CHECKING:
    from dynamo.engine.spawn import Spawned

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

#: Verbs that run tasks, and arguments with which they need no worker.
_RUNNING = ("run", "resume")
_ALONE = {"--inline", "--help", "-h"}
#: A disk that is full, over its quota, or read-only.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code that `dynamo.errors` documents."""
    sys.exit(_run(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: list[str]) -> int:
    try:
        return _call_with_worker(arguments) if _runs_tasks(arguments) else _call(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
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


def _runs_tasks(arguments: list[str]) -> bool:
    return bool(arguments) and arguments[0] in _RUNNING and _ALONE.isdisjoint(arguments)


def _call_with_worker(arguments: list[str]) -> int:
    """Start a worker before all else, even before click is imported: both interpreters start side by side."""
    from dynamo.engine.spawn import early

    with early() as first:
        return _call(arguments, first)


def _call(arguments: list[str], first: Spawned | None = None) -> int:
    """Have click find the verb and call it; a verb that runs tasks finds `first` in its context."""
    import click

    from dynamo.cli.group import dynamo

    try:
        code = dynamo.main(arguments, prog_name="dynamo", standalone_mode=False, obj=first)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return UserError.exit_code
    return code if isinstance(code, int) else 0


def _fault() -> int:
    """Tell the error that is being handled, and what to do about it."""
    import traceback

    from dynamo import __version__

    traceback.print_exc()
    print(
        "error: this is a fault of dynamo itself; please report it with the lines above "
        f"(dynamo {__version__}, Python {sys.version.split()[0]}, {sys.platform})",
        file=sys.stderr,
    )
    return 4
