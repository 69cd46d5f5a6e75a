"""Elsewhere: a call made by a process of its own, beside this one.

Threads are no help where many small steps of NumPy each ask for the interpreter's lock. The process lasts for one
call: it holds nothing between, and one that is left behind ends by itself. Enters: a function of a module, and what
can be pickled. Goes wrong: nothing of its own, for where no process can be had, the call is made here.
"""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["answer", "call"]

T = TypeVar("T")

# Who stops a service signals all of its processes: this one ends in a moment, and would have to be waited for twice.
_CODE = f"""
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
from {__name__} import answer
answer()
"""


def call(function: Callable[..., T], *given: Any) -> T:
    """Return ``function(*given)``; also where the process is killed, or cannot be started."""
    order = pickle.dumps((function, given), pickle.HIGHEST_PROTOCOL)
    try:
        here, there = socket.socketpair()
        with here:
            with there:
                # What is printed, by whatever the interpreter loads at its start too, is for the log.
                line = [sys.executable or "", "-P", "-c", _CODE]
                process = subprocess.Popen(line, stdin=there.fileno(), stdout=2)
            with process, here:
                here.sendall(order)
                here.shutdown(socket.SHUT_WR)
                with here.makefile("rb") as file:
                    said = file.read()
    except OSError:
        return function(*given)
    if process.returncode:
        return function(*given)
    made: T = pickle.loads(said)  # noqa: S301 - of our own child
    return made


def answer() -> None:
    """Make the call that the socket at standard input tells, and tell there what it gave."""
    with socket.socket(fileno=0) as line, line.makefile("rwb") as file:
        function, given = pickle.load(file)  # noqa: S301 - of our own parent
        pickle.dump(function(*given), file, pickle.HIGHEST_PROTOCOL)
