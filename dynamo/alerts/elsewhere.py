"""Elsewhere: a call made by a process of its own, beside this one.

Threads are no help where many small steps of NumPy each ask for the interpreter's lock. The process lasts for one
call: it holds nothing between, and one that is left behind ends by itself. Enters: a function of a module, and what
can be pickled. Goes wrong: nothing of its own, for where no process can be had, the call is made here.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["call"]

T = TypeVar("T")


def call(function: Callable[..., T], *given: Any) -> T:
    """Return ``function(*given)``; also where the process is killed, or cannot be started."""
    order = pickle.dumps((function, given), pickle.HIGHEST_PROTOCOL)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__],
            input=order,
            stdout=subprocess.PIPE,
            check=True,
            start_new_session=True,  # Ctrl-C is for us
        )
    except (OSError, subprocess.CalledProcessError):
        return function(*given)
    made: T = pickle.loads(done.stdout)  # noqa: S301 - a pipe from our own child
    return made


def _answer() -> None:
    """Make the call that standard input tells, and tell what it gave; what the call prints goes to the log."""
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)
        function, given = pickle.load(sys.stdin.buffer)  # noqa: S301 - a pipe from our own parent
        pickle.dump(function(*given), answer, pickle.HIGHEST_PROTOCOL)


if __name__ == "__main__":
    _answer()
