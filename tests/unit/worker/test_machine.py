"""What the machine has and what processes hold, against what psutil says of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dynamo.worker import machine

FAMILY = """
import os, subprocess, sys
held = b"x" * 30_000_000
if len(sys.argv) > 1:
    subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=0)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def family(tmp_path: Path):
    """A process that holds 30 MB, and its child that holds as much, both up; the id of the first."""
    script = tmp_path / "family.py"
    script.write_text(FAMILY)
    process = subprocess.Popen(
        [sys.executable, script, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["ready\n"] * 2
    yield process.pid
    process.communicate("")


def test_the_memory_of_a_process_and_its_descendants(family, monkeypatch):
    """Children count, and the kernel's short way says the same as psutil's long one."""
    parent, (child,) = psutil.Process(family), psutil.Process(family).children(recursive=True)
    expected = parent.memory_info().rss + child.memory_info().rss
    assert expected > 60_000_000
    assert machine.resident(family) == pytest.approx(expected, rel=0.02)

    def not_told(*_):
        raise FileNotFoundError

    monkeypatch.setattr(machine, "_children", not_told)
    assert machine.resident(family) == pytest.approx(expected, rel=0.02)


def test_a_process_that_is_no_more_holds_nothing():
    """A process may end at any moment: that is no error."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert machine.resident(process.pid) == 0


def test_what_is_there_is_positive_and_consistent():
    """There is a core, some memory, and no more of it free than there is."""
    assert 1 <= machine.available_cores() <= (os.cpu_count() or 1)
    assert 0 < machine.available_memory() <= machine.total_memory()
