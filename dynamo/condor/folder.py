"""A DAG as it lies on disk, submitted or not: its jobs, their tasks, and what came back of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from dynamo.errors import DynamoError, WorkspaceError
from dynamo.graph.model import Task
from dynamo.targets.direct import IN
from dynamo.targets.jobs import MORE, OUT
from dynamo.worker.logs import tail
from dynamo.worker.returned import Returned
from dynamo.worker.spec import Spec

__all__ = ["PLAN", "DagFolder", "DagJob"]

#: What a DAG rests on, and where the modules that travel are here.
PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class DagJob:
    """One job: its folder, the ids of its tasks, and where in its folder each output comes back to.

    ``declared`` are the outputs that the workflow knows of; a run-time workflow leaves one more. ``command`` is its
    task where that is a command in an image of its own, which sends no report.
    """

    name: str
    folder: Path
    tasks: tuple[str, ...]
    outputs: Mapping[str, str]
    declared: frozenset[str] = frozenset()
    command: Task | None = None

    def returned(self) -> Returned:
        """Return what it sent back; one without attempts, that says why, where nothing came back or that is damaged."""
        path = self.folder / OUT / f"{self.name}.report.json"
        try:
            return Returned.read(path)
        except OSError:
            said = tail(str(self.folder / "job.err")).splitlines()
            return Returned(
                self.name, error=f"it sent no report back{f'; it said: {said[-1]}' if said else ''}"
            )
        except DynamoError as error:
            return Returned(self.name, error=str(error))


class DagFolder:
    """The folder of one compiled DAG.

    Raises `WorkspaceError` where it is not there, or not whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.dag = next(dag for dag in sorted(path.glob("*.dag")) if not dag.stem.endswith(MORE))
            specs = sorted((path / "jobs").glob("*/*.spec.json"))
            self.jobs = {job.name: job for job in map(_job, specs)}
        except StopIteration:
            raise WorkspaceError(f"{path} holds no compiled DAG") from None
        except (OSError, ValueError, orjson.JSONDecodeError, DynamoError) as error:
            raise WorkspaceError(f"{path} holds no compiled DAG, or not all of it: {error}") from error

    def job(self, name: str) -> DagJob | None:
        """Return a job by its name, also one that a run-time workflow described meanwhile; None for other nodes."""
        path = self.path / "jobs" / name / f"{name}.spec.json"
        if name not in self.jobs and path.exists():
            self.jobs[name] = _job(path)
        return self.jobs.get(name)

    @property
    def nodes_logs(self) -> list[Path]:
        """The event logs of all jobs there are so far, that of the DAG itself first."""
        more = sorted(self.path.glob(f"*{MORE}.dag.nodes.log"), key=lambda path: len(path.name))
        return [self.nodes_log, *more]

    @property
    def rescued(self) -> bool:
        """Whether DAGMan has written down what is done, for it to go on with."""
        return any(self.path.glob(f"{self.dag.name}.rescue*"))

    def renew_logs(self) -> None:
        """Put the event logs aside, all of whose events are known, before the DAG is submitted once more."""
        for path in (*self.nodes_logs, self.own_log):
            with suppress(FileNotFoundError):
                path.replace(path.with_name(f"{path.name}.{1 + len(list(self.path.glob(f'{path.name}.*')))}"))

    @property
    def homes(self) -> Mapping[str, str]:
        """Folders of modules that travel with the jobs, to where they are here."""
        with suppress(OSError, orjson.JSONDecodeError, KeyError):
            found: Mapping[str, str] = orjson.loads((self.path / PLAN).read_bytes())["homes"]
            return found
        return {}

    @property
    def nodes_log(self) -> Path:
        """The event log of its jobs."""
        return self.path / f"{self.dag.name}.nodes.log"

    @property
    def own_log(self) -> Path:
        """The event log of the DAG itself."""
        return self.path / f"{self.dag.name}.dagman.log"


def _job(path: Path) -> DagJob:
    spec = Spec.from_json(orjson.loads(path.read_bytes()))
    declared = frozenset(spec.graph.producer) & spec.outputs.keys()
    alone = next(iter(spec.graph.tasks.values())) if (path.parent / IN).is_dir() else None
    return DagJob(spec.job, path.parent, tuple(spec.graph.tasks), spec.outputs, declared, alone)
