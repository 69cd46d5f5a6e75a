"""What is checked before a commit is what `make test` checks."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_hooks_call_the_checks_of_the_makefile():
    """Lint and types are the Makefile's own targets, so that a hook cannot look at less than they do."""
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    called = re.findall(r"entry: make .*?(\w+)$", hooks, re.MULTILINE)
    assert called == ["lint", "types"]
    assert set(called) <= set(targets)
    assert "mypy" not in hooks
