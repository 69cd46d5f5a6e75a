"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of real radar data: `DYNAMO_SAMPLES`, or ``../shared/data`` beside the repository."""
    folder = Path(os.environ.get("DYNAMO_SAMPLES", ROOT.parent / "shared" / "data"))
    assert (folder / "INDEX.md").is_file(), f"no sample data at {folder}: set DYNAMO_SAMPLES"
    return folder
