"""The package list, the data files and the entry points agree with the tree."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import dynamo
from dynamo.cli import VERBS

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = {
    "dynamo": ROOT / "dynamo",
    "dynamo.containers": ROOT / "containers",
    "dynamo.provisioners": ROOT / "provisioners",
    "dynamo.workflows": ROOT / "workflows",
}


def _folder(package: str) -> Path:
    home = next(h for h in sorted(FOLDERS, reverse=True) if f"{package}.".startswith(f"{h}."))
    return FOLDERS[home].joinpath(*package.removeprefix(home).split("."))


def test_every_package_of_the_tree_is_listed():
    """A folder with an ``__init__.py`` is in the list, and the list names no other."""
    found = {
        ".".join([name, *path.parent.relative_to(folder).parts])
        for name, folder in FOLDERS.items()
        for path in folder.rglob("__init__.py")
        if "skeleton" not in path.parts
    }
    assert sorted(found) == PROJECT["tool"]["setuptools"]["packages"]


def test_every_file_that_is_no_python_is_shipped():
    """Data files beside the code match a pattern of the package data."""
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    shipped = {
        path for package, globs in patterns.items() for glob in globs for path in _folder(package).glob(glob)
    }
    for folder in FOLDERS.values():
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".md") and path.parent.name != "__pycache__":
                assert path in shipped, f"{path.relative_to(ROOT)} is not in package-data"


def test_every_entry_point_leads_somewhere():
    """Scripts and plug-ins can be imported."""
    project = PROJECT["project"]
    targets = [
        *project["scripts"].values(),
        *(t for g in project["entry-points"].values() for t in g.values()),
    ]
    for target in targets:
        module, _, name = target.partition(":")
        assert getattr(importlib.import_module(module), name), target


def test_every_verb_is_a_module_with_a_command():
    """Each verb of the command line can be loaded; each module that defines a command is a verb."""
    for verb in VERBS:
        command = importlib.import_module(f"dynamo.cli.{verb}").command
        assert command.name == verb
        assert command.help
    modules = {p.stem for p in (ROOT / "dynamo" / "cli").glob("*.py") if "\ndef command(" in p.read_text()}
    assert modules == set(VERBS)


def test_the_version_is_one():
    """The project and the package say the same version."""
    assert PROJECT["project"]["version"] == dynamo.__version__
