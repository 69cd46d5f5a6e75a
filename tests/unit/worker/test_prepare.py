"""What a worker imports while it waits: what a task imports before all else, and nothing that stops it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from dynamo.worker.prepare import first_imports, prepare


def plain():
    import json.decoder
    import xml.dom as d
    from collections import OrderedDict, abc
    from os import path as p

    return json, OrderedDict, abc, p, d


def late(flag=True):
    import json

    if flag:
        import tabnanny
    return json, tabnanny


def after_a_call():
    print()
    import tabnanny

    return tabnanny


def closed_over():
    import json

    return lambda: json


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (plain, ["json.decoder", "xml.dom", "collections", "os"]),
        (late, ["json"]),
        (after_a_call, []),
        (closed_over, ["json"]),
    ],
)
def test_imports_before_all_else_are_found(function, names):
    """Those further down may depend on arguments, and are left to the task."""
    assert list(first_imports(function)) == names


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch):
    """Return the calls of tasks of a file, one of which imports what does not exist; where modules are made."""
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("warm_one", "warm_two"):
        (tmp_path / f"{name}.py").write_text("import os; HERE = os.getcwd()\n")
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "warm_exit.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "warm_tasks.py").write_text(
        dedent("""
        from dynamo import Output, task

        @task
        def bad(out: Output):
            import warm_exit

        @task
        def one(out: Output):
            import warm_one
            import warm_two
        """)
    )
    return [f"{tmp_path}/warm_tasks.py:{name}" for name in ("bad", "none", "one")]


def test_what_fails_is_left_to_the_task(tasks, tmp_path):
    """A module that exits, a name that is not there: the others are imported, in the folder of tasks."""
    prepare(tasks, str(tmp_path / "box"), lambda: False)
    assert "warm_exit" not in sys.modules
    assert Path(sys.modules["warm_two"].HERE) == tmp_path / "box"
    assert os.getcwd() == "/"


def test_a_job_comes_first(tasks, tmp_path):
    """As soon as one waits, no further module is imported."""
    answers = iter([False, False, True])
    prepare(tasks[2:], str(tmp_path / "box"), lambda: next(answers))
    assert "warm_one" in sys.modules
    assert "warm_two" not in sys.modules
