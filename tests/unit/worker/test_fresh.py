"""What people write is imported from its source, whatever Python's cache holds; what is installed keeps its cache."""

from __future__ import annotations

import importlib
import os
import py_compile
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from dynamo.worker.fresh import Fresh, is_edited, read_afresh, state_in
from dynamo.worker.loading import load_object

pytestmark = pytest.mark.usefixtures("as_before")


def stale(path: Path, before: str = "K = 'old'\n", after: str = "K = 'new'\n") -> None:
    """Write a file that was edited within the second in which Python cached it, to the same size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(before)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    py_compile.compile(str(path))
    path.write_text(after)
    os.utime(path, (1_000_000_000, 1_000_000_000))


@pytest.mark.parametrize(("name", "line"), [("h.py", "from h import K"), ("p/q/h.py", "from p.q.h import K")])
def test_a_helper_edited_within_a_second_runs_as_it_is_now(tmp_path, name, line):
    """Beside the workflow's file, and in a package there."""
    stale(tmp_path / name)
    (tmp_path / "flow.py").write_text(f"{line}\n")
    assert load_object(f"{tmp_path}/flow.py:K") == "new"


def test_a_folder_is_read_afresh_though_it_was_looked_into_before(tmp_path):
    """Its modules may have been found already, by Python's own means."""
    stale(tmp_path / "fresh_a.py")
    stale(tmp_path / "fresh_b.py")
    sys.path.insert(0, str(tmp_path))
    assert importlib.import_module("fresh_a").K == "old", "so it goes without"
    read_afresh([str(tmp_path)])
    assert importlib.import_module("fresh_b").K == "new"


def test_what_is_installed_keeps_its_cache(tmp_path):
    """Also where the environment lies in the folder one works in."""
    place = tmp_path / ".venv/lib/site-packages"
    stale(place / "kept_one.py")
    sys.path.insert(0, str(place))
    read_afresh([str(tmp_path), str(place), *sys.path])
    assert importlib.import_module("kept_one").K == "old"


def test_dynamo_itself_is_loaded_from_pythons_cache(tmp_path, monkeypatch):
    """It would take tenths of a second to compile it in every worker."""
    used = []
    monkeypatch.setattr(SourceFileLoader, "get_code", lambda _, name: used.append(name))
    loader = Fresh("dynamo.radar.x", str(tmp_path / "x.py"))
    (tmp_path / "x.py").write_text("")
    loader.get_code("dynamo.radar.x")
    loader.get_code("dynamo_of_mine")
    assert used == ["dynamo.radar.x"]


def test_a_module_knows_the_state_of_its_file(tmp_path):
    """So it is seen that it was edited, or is gone; of what people do not write, nothing is known."""
    file = tmp_path / "marked.py"
    file.write_text("K = 1\n")
    sys.path.insert(0, str(tmp_path))
    read_afresh([str(tmp_path)])
    module = importlib.import_module("marked")
    assert state_in(module) is not None
    assert not is_edited(module)
    file.write_text("K = 22\n")
    assert is_edited(module)
    file.unlink()
    assert is_edited(module)
    assert state_in(os) is None
    assert not is_edited(os)
