"""A laboratory for the engine: workflow files in a folder of their own, run by real worker processes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from dynamo.engine import Event, LocalEngine, Products, Request, Summary
from dynamo.graph import Graph
from dynamo.journal import Journal, Workspace
from dynamo.planning import Selection
from dynamo.worker.loading import load_object

HEAD = """
import ctypes, os, signal, subprocess, sys, time
from collections.abc import Sequence
from pathlib import Path
from dynamo import File, Input, Output, command, fuse, task, workflow

def note(text):
    '''Leave a mark that outlives the sandbox: one line for each execution.'''
    fd = os.open(MARKS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(fd, (text + '\\n').encode())
    os.close(fd)

@task
def make(out: Output, *, text: str = 'made'):
    note(Path(out).name)
    Path(out).write_text(text)

@task
def copy(source: Input, out: Output, *, add: str = ''):
    note(Path(out).name)
    Path(out).write_text(Path(source).read_text() + add)
"""


@dataclass
class Lab:
    """Writes workflows, runs them, and tells what was executed."""

    root: Path
    events: list[Event] = field(default_factory=list)
    count: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.file = self.root / "flow.py"
        self.marks = self.root / "marks.txt"
        self.out = self.root / "out"
        self.workspace = Workspace.open(self.root / ".dynamo")

    def write(self, text: str) -> None:
        """Write the workflow file: the usual imports, `make`, `copy`, and `text`."""
        self.file.write_text(f"MARKS = {str(self.marks)!r}\n" + HEAD + dedent(text))

    def graph(self, *args: Any, name: str = "flow", **kwargs: Any) -> Graph:
        """Describe the graph of the workflow `name`."""
        graph: Graph = load_object(f"{self.file}:{name}").graph(*args, **kwargs)
        return graph

    def engine(self, **options: Any) -> LocalEngine:
        """Return a new engine of one core unless told otherwise."""
        return LocalEngine(
            self.workspace,
            observer=self.events.append,
            **{"cores": 1, "modules": [str(self.root)], **options},
        )

    def request(self, graph: Graph, **options: Any) -> Request:
        """Return a request that publishes all outputs."""
        given = {"run": f"run-{next(self.count)}", "products": Products(str(self.out)), **options}
        return Request(graph=graph, **given)

    def run(self, text: str = "", *, select: dict[str, Any] | None = None, **options: Any) -> Summary:
        """Write `text` where there is any, and run its workflow `flow` to the end."""
        if text:
            self.write(text)
        with self.engine(**options) as engine:
            return engine.run(self.request(self.graph(), selection=Selection(**(select or {}))))

    def ran(self) -> list[str]:
        """Return the marks since the last call: one for each execution."""
        if not self.marks.exists():
            return []
        marks = self.marks.read_text().splitlines()
        self.marks.unlink()
        return marks

    def journal(self) -> Journal:
        """Open the journal."""
        return Journal(self.workspace.journal)

    def published(self) -> dict[str, str]:
        """Return the products by name."""
        return {
            str(p.relative_to(self.out)): p.read_text() for p in sorted(self.out.rglob("*")) if p.is_file()
        }


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """An empty laboratory."""
    return Lab(tmp_path)
