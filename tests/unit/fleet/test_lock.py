"""One controller looks after a slice; the second is told who does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dynamo.errors import UserError
from dynamo.fleet.asked import Asked, ask, asked
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.lock import controller_of, lock_slice

_HOLD = """
import sys
from pathlib import Path
from dynamo.fleet.lock import lock_slice
with lock_slice(Path(sys.argv[1]), "dfw"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_who_comes_second_is_told_who_is_first(tmp_path):
    """By the number of the process; another slice is free, and so is this one when that process was killed."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        told = f"'dfw' already .process {holder.pid} on .*: end it first"
        with pytest.raises(UserError, match=told), lock_slice(tmp_path, "dfw"):
            pass
        assert controller_of(tmp_path, "dfw").startswith(f"process {holder.pid} on ")
        with lock_slice(tmp_path, "other"):
            pass
    finally:
        holder.kill()
        holder.communicate()
    assert controller_of(tmp_path, "dfw") == ""
    with lock_slice(tmp_path, "dfw"):
        assert controller_of(tmp_path, "dfw").startswith(f"process {os.getpid()} on ")


def test_what_was_asked_is_kept_and_changed_one_by_one(tmp_path):
    """Over a restart of the controller, and for each slice by itself."""
    with Ledger(tmp_path / "journal.db", "dfw") as ledger:
        assert asked(ledger) == Asked()
        ask(ledger, paused=True)
        ask(ledger, restore=(("workers", 5.0),))
        ask(ledger, restore=(("small", 6.0),))
        ask(ledger, policy="queue_depth", drain=("t1",))
    with Ledger(tmp_path / "journal.db", "dfw") as ledger:
        assert asked(ledger) == Asked(True, "queue_depth", ("t1",), (("workers", 5.0), ("small", 6.0)))
        assert ask(ledger, paused=False) == Asked(
            False, "queue_depth", ("t1",), (("workers", 5.0), ("small", 6.0))
        )
    with Ledger(tmp_path / "journal.db", "other") as ledger:
        assert asked(ledger) == Asked()
