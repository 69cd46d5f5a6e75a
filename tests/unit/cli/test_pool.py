"""What `dynamo pool up` says at its end; the pools themselves are tested in tests/pool."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dynamo.cli.pool import words
from dynamo.pool.settings import PoolSettings


@pytest.mark.parametrize("user", [0, 1234])
def test_who_owns_the_jobs_is_said_to_root(tmp_path, monkeypatch, user):
    """With the folders that are to be his; for anybody else they are his own."""
    (tmp_path / "a b").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: user)
    said = words(PoolSettings("mine", mounts=(tmp_path / "a b",)), Path("/state/condor_config"))
    assert "dynamo pool run --name mine -- condor_status" in said
    assert ("its user dynamo (number 1000)" in said) == (user == 0)
    assert said.endswith(f"chown -R 1000 '{tmp_path}/a b'") == (user == 0)
