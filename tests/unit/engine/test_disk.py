"""A disk that is full or read-only: named, blamed on the machine, and gone on with once there is room."""

from __future__ import annotations

import contextlib
import subprocess

import pytest

from dynamo.cli import main
from dynamo.journal import Workspace

FLOW = """
    @task
    def big(out: Output, *, size: int):
        Path(out).write_bytes(b'x' * size)

    @workflow
    def flow():
        copy(make(out='a'), out='b')
        big(out='c', size=20_000_000)
"""


def test_a_full_disk_fails_the_task_as_the_machines_fault(lab, small_disk):
    """The task that fills the disk is tried again, then told as the machine's failure; the others are done."""
    lab.workspace = Workspace.open(small_disk / "ws")
    summary = lab.run(FLOW)
    (failure,) = summary.failures
    assert failure.task == "big"
    assert failure.infrastructure
    assert "No space left on device" in failure.error
    assert "tried 3 times" in failure.error
    assert lab.published() == {"a": "made", "b": "made"}
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert lab.run().reused == 2


def test_a_full_or_read_only_disk_is_exit_3_in_words(lab, small_disk, fill_disk, capfd):
    """A disk that is full before the run, or cannot be written, is exit code 3 and no traceback."""
    lab.write(FLOW)
    (lab.root / "flow.yaml").write_text(
        f"workflow: ./flow.py:flow\nworkspace: {small_disk}/ws\nproducts: out\n"
    )

    def call(code: int) -> str:
        with contextlib.chdir(lab.root), pytest.raises(SystemExit) as end:
            main(["run", "flow.yaml", "-q"])
        said = "".join(capfd.readouterr())
        assert end.value.code == code, said
        assert "Traceback" not in said
        return said

    fill_disk(small_disk / "filler")
    assert any(words in call(3) for words in ("disk is full", "No space", "disk I/O error", "unable to open"))
    (small_disk / "filler").unlink()
    # It is the task that is to blame, though the journal meets the full disk as well.
    assert "No space left on device" in call(3)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    call(3)
