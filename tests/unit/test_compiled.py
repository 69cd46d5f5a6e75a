"""Compiled code, and what becomes of it where it cannot be kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dynamo.compiled import kept

CALL = """
import logging, sys
sys.path.insert(0, sys.argv[1])
logging.basicConfig(format="%(message)s", stream=sys.stdout)
from sums import half
print(half(3.0))
"""


@pytest.fixture
def process(tmp_path):
    """Call a kept function in a process of its own; what it prints."""
    (tmp_path / "sums.py").write_text(
        "from dynamo.compiled import compiled, kept\n\n"
        "@compiled\ndef two(x):\n    return x / 2\n\n@kept\ndef half(x):\n    return two(x)\n"
    )

    def call(**env):
        line = [sys.executable, "-c", CALL, str(tmp_path)]
        done = subprocess.run(line, env=os.environ | env, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    return call


def _files(folder: Path, ending: str) -> list[Path]:
    return sorted(folder.rglob(f"*half*{ending}"))


def test_what_was_compiled_is_kept_for_the_next_process(process, tmp_path):
    """Beside its file, as bytecode is; and read from there."""
    assert process() == ["1.5"]
    (code,) = _files(tmp_path, ".nbc")
    written = code.stat().st_mtime_ns
    assert process() == ["1.5"]
    assert [path.stat().st_mtime_ns for path in _files(tmp_path, ".nbc")] == [written]


@pytest.mark.parametrize("ending", [".nbc", ".nbi"])
@pytest.mark.parametrize("left", [0, 0.5])
def test_a_file_that_is_damaged_costs_time_once(process, tmp_path, ending, left):
    """By a power cut, for example. It is said which folder has it, and the next process writes it anew."""
    process()
    (file,) = _files(tmp_path, ending)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * left)])
    warning, result = process()
    assert result == "1.5"
    assert "it was compiled once more" in warning
    assert str(tmp_path) in warning
    assert process() == process() == ["1.5"]


def test_what_a_function_itself_raises_is_no_fault_of_the_disk(process, caplog):
    """It is raised, and nothing is said of files."""
    space = {"kept": kept}
    exec("@kept\ndef first(x):\n    return x['no such']\n", space)
    with pytest.raises(Exception, match="getitem"):
        space["first"](3.0)
    assert not caplog.records


def test_where_nothing_can_be_written_it_is_said(process):
    """A folder on a disk that takes no files."""
    warnings = process(NUMBA_CACHE_DIR="/proc/self/fdinfo")
    assert warnings[-1] == "1.5"


def test_where_there_is_no_place_for_it_each_process_compiles():
    """A function of no file."""
    space = {"kept": kept}
    exec("@kept\ndef half(x):\n    return x / 2\n", space)
    assert space["half"](3.0) == 1.5
