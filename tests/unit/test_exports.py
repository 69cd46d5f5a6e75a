"""What is public is what `__all__` says, everywhere."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import dynamo

#: Modules that need an extra package, or act when they are imported.
MODULES = sorted(
    m.name
    for m in pkgutil.walk_packages(dynamo.__path__, "dynamo.")
    if ".skeleton" not in m.name and not m.name.endswith("__main__")
)


def test_the_public_names_are_these():
    """A change of the public interface is a change of this list."""
    assert sorted(dynamo.__all__) == [
        "File", "Graph", "Input", "LocalEngine", "Output", "Plan", "Selection", "Summary", "Task",
        "command", "fuse", "plan", "run", "task", "tell", "workflow",
    ]  # fmt: skip


def test_every_public_name_is_there_and_comes_from_one_place():
    """Names are loaded on first use, listed by ``dir``, and a wrong one is an `AttributeError`."""
    for name in dynamo.__all__:
        home = importlib.import_module(dynamo._HOME[name])
        assert getattr(dynamo, name) is getattr(home, name)
        assert name in home.__all__
        assert name in dir(dynamo)
    with pytest.raises(AttributeError, match="no attribute 'tsak'"):
        _ = dynamo.tsak


def test_importing_dynamo_is_free():
    """``import dynamo`` imports nothing else of ours and nothing heavy."""
    code = (
        "import sys, dynamo; print([m for m in sys.modules if m.startswith(('dynamo.', 'numpy', 'orjson'))])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_the_command_line_starts_without_the_science():
    """Help, and the engine's own imports, load neither NumPy nor any other heavy package."""
    code = (
        "import sys, dynamo.cli, dynamo.engine, dynamo.planning, dynamo.worker.execute\n"
        "print([m for m in ('numpy', 'matplotlib', 'cv2', 'networkx', 'pydantic', 'rich.live') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_is_public(name):
    """Each module has a docstring, and an `__all__` whose names are there, once each; others begin with ``_``."""
    module: ModuleType = importlib.import_module(name)
    assert (module.__doc__ or "").strip(), f"{name} says nothing"
    public = getattr(module, "__all__", None)
    is_package = hasattr(module, "__path__")
    assert public is not None or is_package, f"{name} has no __all__"
    assert len(set(public or ())) == len(public or ())
    for each in public or ():
        assert hasattr(module, each), f"{name}.{each}"
