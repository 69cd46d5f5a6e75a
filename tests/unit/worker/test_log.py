"""The scratch log of a worker: what a task writes is kept, whatever this process was started with."""

from __future__ import annotations

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
