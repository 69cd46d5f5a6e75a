"""The scratch log of a worker: what a task writes is kept, whatever this process was started with."""

from __future__ import annotations

import os
import subprocess
import sys

WORKER = """
import sys
from dynamo.worker.log import Log

log = Log("scratch")
for name in ("one", "two"):
    print(name)
    print(name, file=sys.stderr)
    log.close(f"logs/{name}")
"""


def test_output_that_was_closed_is_no_fault(tmp_path):
    """A process without output and error, as some daemons start one, keeps what is printed from the first task on."""
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    subprocess.run([*closed, sys.executable, "-c", WORKER], cwd=tmp_path, check=True)
    said = {p.name: p.read_text() for p in (tmp_path / "logs").iterdir()}
    assert said == {"one": "one\none\n", "two": "two\ntwo\n"}


KILLED = """
import os, sys
from dynamo.worker.log import Log

log = Log("scratch")
print("one")
print("two", file=sys.stderr)
print("three")
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_task_printed_is_kept_in_order(tmp_path):
    """Lines go to the log as they are printed, to standard output as to standard error."""
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, check=False, env=plain)
    assert (tmp_path / "scratch").read_text() == "one\ntwo\nthree\n"
