"""What a job sends back, what it is told, and which dynamo does: all read back as they were written, or refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from dynamo.errors import DataError, UserError, WorkflowError
from dynamo.graph import Graph
from dynamo.graph.model import Task
from dynamo.graph.needs import Needs
from dynamo.worker import build as module
from dynamo.worker.build import build
from dynamo.worker.job import Made, Report
from dynamo.worker.returned import Returned, Tried
from dynamo.worker.spec import Spec


def tried(n: int, ended: str, task: str = "t", **more: object) -> Tried:
    return Tried(
        n, ended, Report(task, "ok" if ended == "ok" else "failed", 1.0, 2.0, **more), f"{task}.log", n
    )


TOLD = Returned(
    "job", 2, "0.1+abc", "host", 1.0, 2.0, 3.0,
    (tried(1, "lost"), tried(2, "ok", made={"a": Made("ff", 1, 2)}), tried(1, "timeout", "u", error="late")), "no room",
)  # fmt: skip


def test_a_report_is_read_as_it_was_written(tmp_path):
    """All of it; and no scratch file stays."""
    path = tmp_path / "r.json"
    TOLD.write(path)
    assert Returned.read(path) == TOLD
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]
    assert TOLD.made == {"a": Made("ff", 1, 2)}
    assert {task: last.ended for task, last in TOLD.last.items()} == {"t": "ok", "u": "timeout"}


def test_any_part_of_a_report_is_refused(tmp_path):
    """Cut off anywhere, it is told to be damaged, and is no other error."""
    path = tmp_path / "r.json"
    TOLD.write(path)
    data = path.read_bytes()
    for length in range(len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(DataError, match=r"r\.json"):
            Returned.read(path)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"tried": 1},
        {"tried": [{}]},
        {"tried": ["x"]},
        {"more": 1},
        {"job": None, "tried": None},
    ],
)
def test_a_report_of_another_form_is_refused(tmp_path, change):
    """With the path of it."""
    path = tmp_path / "r.json"
    TOLD.write(path)
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), **change}))
    with pytest.raises(DataError, match=r"r\.json"):
        Returned.read(path)


TASK = Task(
    "t",
    "t",
    "command",
    "m:t",
    {"a": "a"},
    {"b": ("b", "c")},
    {},
    ("cp", "a", "b"),
    Needs(cores=2),
    "f",
    "x:1",
)
SPEC = Spec(
    "job",
    Graph("g", {"t": TASK}, {"a": "a"}),
    {"b": "out/b"},
    {"a": "ff"},
    ("p.json",),
    "out/r",
    "out/l",
    "1",
)


def test_a_spec_is_read_as_it_was_written():
    """Also the graph in it."""
    assert Spec.from_json(orjson.loads(orjson.dumps(SPEC.to_json()))) == SPEC


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"format": 2}, UserError),
        ({"reports": None}, UserError),
        ({"graph": {}}, WorkflowError),
        ({"graph": {"format": 1}}, WorkflowError),
    ],
)
def test_a_spec_of_another_form_is_refused(change, error):
    """It says what it is not."""
    with pytest.raises(error, match="not a"):
        Spec.from_json({**SPEC.to_json(), **change})


@pytest.mark.parametrize("key", sorted(SPEC.to_json()))
def test_a_spec_that_lacks_something_is_refused(key):
    """Whatever that is."""
    data = SPEC.to_json()
    del data[key]
    with pytest.raises(UserError, match="not a compiled job"):
        Spec.from_json(data)


def test_the_build_tells_of_every_edit_of_what_runs_tasks(tmp_path, monkeypatch):
    """It begins with the version, is the same in another process, and changes with a line, a name, a workflow."""
    asked = [sys.executable, "-c", "from dynamo.worker.build import build; print(build())"]
    assert subprocess.check_output(asked, text=True).strip() == build()

    class Dynamo:
        __version__ = "1.2.3"
        __path__ = [str(tmp_path)]  # noqa: RUF012

    monkeypatch.setattr(module, "import_module", lambda name: Dynamo)
    seen = []

    def look() -> str:
        build.cache_clear()
        seen.append(build())
        return seen[-1]

    try:
        assert look().startswith("1.2.3+")
        (tmp_path / "worker").mkdir()
        file = tmp_path / "worker" / "a.py"
        for text in ("x = 1", "x = 2", ""):
            file.write_text(text)
            look()
        file.rename(file.with_name("b.py"))
        look()
        (tmp_path / "worker" / "deep").mkdir()
        Path(tmp_path / "worker" / "deep" / "c.py").touch()
        look()
        assert len(set(seen)) == len(seen)
        (tmp_path / "cli").mkdir()
        (tmp_path / "cli" / "d.py").touch()  # it runs no tasks
        assert look() == seen[-2]
    finally:
        build.cache_clear()
