"""What tests of loading share."""

from __future__ import annotations

import sys

import pytest

from dynamo.worker import fresh, loading


@pytest.fixture
def as_before(monkeypatch):
    """Take back what loading leaves in this process."""
    loading._homes.enter("")
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "path_hooks", [hook for hook in sys.path_hooks if hook is not fresh._finder])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    monkeypatch.setattr(fresh, "_fresh", set())
    monkeypatch.setattr(fresh, "_addressed", set())
    monkeypatch.setattr(loading, "_loaded", {})
    monkeypatch.setattr(loading, "_homes", loading._Homes())
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]
