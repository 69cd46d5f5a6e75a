"""Where an engine is tried: how `dynamo` is run with it, and what a run left behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from dynamo.journal import Journal, Workspace
from dynamo.testing import graphs

__all__ = ["Bench", "Case", "Ended", "Told"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code, and all that it printed."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Bench:
    """An engine, ready to be tried.

    Parameters
    ----------
    folder
        Where run files may be laid; read and written here, and by `dynamo` at the same path.
    engine
        What a run file says of the engine: the value of `engine`.
    dynamo
        Runs ``dynamo ARGUMENTS`` in a folder and returns how it ended. Called from several threads at one time.
    images
        What a run file says of images.
    """

    folder: Path
    engine: str | Mapping[str, Any]
    dynamo: Callable[[Path, Sequence[str]], Ended]
    images: Mapping[str, Any] = field(default_factory=dict)

    def case(
        self, workflow: str, files: Mapping[str, str], inputs: Mapping[str, object], **params: object
    ) -> Case:
        """Lay a run file of one of the workflows in `dynamo.testing.graphs` in a folder of its own."""
        folder = self.folder / workflow
        folder.mkdir()
        for file, text in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text)
        shutil.copyfile(graphs.__file__, folder / "graphs.py")
        said = {
            "workflow": f"./graphs.py:{workflow}",
            "inputs": inputs,
            "params": params,
            "products": "products",
            "engine": self.engine,
            **({"images": dict(self.images)} if self.images else {}),
        }
        (folder / "run.yaml").write_text(json.dumps(said))  # JSON is YAML
        return Case(self, folder)


@dataclass(frozen=True, slots=True)
class Told:
    """What the journal tells of one task of a run: its state, why it ran, and how its attempts ended."""

    state: str
    reason: str
    attempts: tuple[str, ...]
    errors: tuple[str, ...]


Story: TypeAlias = Mapping[str, Told]


@dataclass(frozen=True, slots=True)
class Case:
    """One folder with a run file."""

    bench: Bench
    folder: Path

    def run(self, *options: str) -> Ended:
        """Run the run file."""
        return self.bench.dynamo(self.folder, ["run", "run.yaml", *options])

    def dynamo(self, *arguments: str) -> Ended:
        """Run another command here."""
        return self.bench.dynamo(self.folder, arguments)

    @property
    def workspace(self) -> Workspace:
        """The workspace."""
        return Workspace(self.folder / ".dynamo")

    def latest(self) -> str:
        """Return the id of the latest run."""
        with Journal(self.workspace.journal) as journal:
            return journal.run(None).id

    def state(self) -> str:
        """Return the state of the latest run."""
        with Journal(self.workspace.journal) as journal:
            return journal.run(None).state

    def story(self, run: str | None = None) -> Story:
        """Return what the journal tells of each task of a run, without it of the latest."""
        with Journal(self.workspace.journal) as journal:
            record = journal.run(run)
            tasks, attempts = journal.tasks(record.id), journal.attempts(record.id)
        found: dict[str, Told] = {}
        for task, known in sorted(tasks.items()):
            mine = sorted((a for a in attempts if a.task == task), key=lambda a: a.n)
            outcomes, errors = tuple(a.outcome for a in mine), tuple(a.error for a in mine)
            found[task] = Told(known.state, known.reason, outcomes, errors)
        return found

    def makers(self) -> Mapping[str, str]:
        """Return which task makes each output of the latest run."""
        with Journal(self.workspace.journal) as journal:
            return journal.graph(journal.run(None).id).producer

    def log(self, task: str) -> str:
        """Return what ``dynamo logs TASK --json`` gives as the log of the last attempt of a task."""
        ended = self.dynamo("logs", task, "--json")
        assert ended.code == 0, f"dynamo logs {task} ends with {ended.code}: {ended.text}"
        return str(json.loads(ended.text[ended.text.index("{") :])["log"])

    def products(self) -> Mapping[str, bytes]:
        """Return every product by its name, hidden ones too: what is half written would be among them."""
        home = self.folder / "products"
        return {str(p.relative_to(home)): p.read_bytes() for p in sorted(home.rglob("*")) if p.is_file()}

    def product(self, name: str) -> str:
        """Return the text of a product; empty where there is none."""
        path = self.folder / "products" / name
        return path.read_text() if path.is_file() else ""
