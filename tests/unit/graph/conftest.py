"""Workflow files written by a test, loaded as a user's own file would be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from dynamo.worker.loading import load_object

HEAD = """
from __future__ import annotations
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from dynamo import File, Input, Output, command, fuse, task, workflow
if TYPE_CHECKING:
    from elsewhere import Hidden

@task
def make(out: Output, *, text: object = 'made'): ...

@task
def copy(source: Input, out: Output, *, add: str = ''): ...

@task
def two(source: Input, left: Output, right: Output): ...

@task
def join(sources: list[Input], out: Output, *, step: float = 1.0): ...
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Any]:
    """Return a function that writes a file and returns its `flow`; `at(text)` gives a line's place."""

    def write(text: str, name: str = "flow") -> Any:
        path = tmp_path / "flow.py"
        path.write_text(HEAD + dedent(text))
        return load_object(f"{path}:{name}")

    return write


@pytest.fixture
def at(tmp_path: Path) -> Callable[[str], str]:
    """Return a function that gives ``file:line`` of the first line that holds a text."""

    def find(text: str) -> str:
        path = tmp_path / "flow.py"
        lines = path.read_text().splitlines()
        return f"{path}:{next(n for n, line in enumerate(lines, 1) if text in line)}: "

    return find
