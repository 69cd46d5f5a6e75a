"""Every ``>>>`` example in a docstring is right."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import dynamo

FOLDER = Path(dynamo.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(FOLDER.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in FOLDER.rglob("*.py")
    if "skeleton" not in path.parts and ">>> " in path.read_text()
)


def test_examples_are_found():
    """The search looks in the right place: it finds those of the decorators."""
    assert "dynamo.graph.authoring" in MODULES


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_are_right(module, tmp_path, monkeypatch):
    """What the docstrings of a module show is what its code does."""
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(import_module(module), optionflags=doctest.ELLIPSIS)
    assert found.attempted
    assert not found.failed
