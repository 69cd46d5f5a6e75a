"""The ``dynamo`` command: one module per verb, imported only when that verb is called.

Enters: arguments. Leaves: output and an exit code (0 done, 2 you must act, 3 the infrastructure failed,
4 a fault of dynamo, 130 interrupted). Goes wrong: see `dynamo.errors`; only our own faults show a traceback.
"""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["VERBS", "main"]

#: Verb to one line of help; each is a module of this package that defines ``command``.
VERBS = {
    "run": "Run what a run file says.",
    "watch": "Run what run files say whenever data comes, and tell people of hazards.",
    "plan": "Say what would run, and why, without running it.",
    "check": "Check a run file and its workflow.",
    "compile": "Compile a workflow for another engine: HTCondor, Pegasus; or as a WfCommons instance.",
    "graph": "Draw the graph of a run file.",
    "new": "Make a working skeleton of a workflow of your own.",
    "sample": "List and fetch sample radar data.",
    "status": "Show how a run stands.",
    "runs": "List the runs of this workspace.",
    "logs": "Show what a task wrote.",
    "report": "Write the report of a run as one HTML file.",
    "map": "Write the products and alerts of a run as a map, one HTML file.",
    "cancel": "End a run that is under way, here or in a pool.",
    "resume": "Go on with a run that was interrupted or failed.",
    "alerts": "Show what subscribers were told, and how it went on its way.",
    "receive": "Take alerts on this machine and print them, for a first try.",
    "pool": "Start a small real HTCondor pool in containers on this machine.",
    "slice": "Check, plan and show machines of several clouds, as one document says.",
    "fleet": "Buy workers when they are needed, and let them go; try out when.",
    "image": "Build, list and check the images that tasks run in.",
    "gc": "Remove runs and files that nothing needs any more.",
}

#: Verbs that run tasks, and arguments with which they need no worker.
_RUNNING = ("run", "resume", "watch")
_ALONE = {"--inline", "--help", "-h"}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code that `dynamo.errors` documents."""
    given = sys.argv[1:] if arguments is None else arguments
    before = signal.getsignal(signal.SIGTERM)
    try:
        if _runs_tasks(given):
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # at any moment it ends as Ctrl-C does
        _open_closed()
        code = _run_with_worker(given) if _runs_tasks(given) else _run(given)
    except KeyboardInterrupt:  # before `call` can tell it, or after
        from dynamo.errors import INTERRUPTED

        code = INTERRUPTED
    finally:
        if arguments is not None:  # who calls this from Python goes on
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
    sys.exit(code)


def _open_closed() -> None:
    """Open /dev/null for standard input, output and error where they are closed, as some daemons start a program.

    Else the next file that is opened takes the place of one, and what is printed goes into it.
    """
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: `fd`
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(fd, "w" if fd else "r", closefd=False))


def _runs_tasks(arguments: list[str]) -> bool:
    return bool(arguments) and arguments[0] in _RUNNING and _ALONE.isdisjoint(arguments)


def _run_with_worker(arguments: list[str]) -> int:
    """Start a worker before all else is imported, so that both interpreters start side by side."""
    from dynamo.engine.spawn import early

    with early() as first:
        from dynamo.cli.call import call

        return call(arguments, first)


def _run(arguments: list[str]) -> int:
    from dynamo.cli.call import call

    return call(arguments)
