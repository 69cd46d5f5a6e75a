"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A shell ignores Ctrl-C for what it runs in the background, and so would all that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of real radar data: `DYNAMO_SAMPLES`, or ``../shared/data`` beside the repository."""
    folder = Path(os.environ.get("DYNAMO_SAMPLES", ROOT.parent / "shared" / "data"))
    assert (folder / "INDEX.md").is_file(), f"no sample data at {folder}: set DYNAMO_SAMPLES"
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes. Only the superuser may mount one: others skip, but never with ``CI`` set."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"cannot mount a small disk: {done.stderr}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def fill_disk() -> Callable[[Path], None]:
    """Write to a file until its disk is full."""

    def fill(file: Path) -> None:
        with file.open("wb", buffering=0) as target, suppress(OSError):
            while target.write(b"x" * 4096):
                pass

    return fill


@pytest.fixture
def nobody() -> Callable[[], AbstractContextManager[None]]:
    """Be a user to whom permissions apply."""

    @contextmanager
    def other() -> Iterator[None]:
        user = os.getuid()
        if user == 0:
            os.setresuid(65534, 65534, 0)
        try:
            yield
        finally:
            if user == 0:
                os.setresuid(0, 0, 0)

    return other
