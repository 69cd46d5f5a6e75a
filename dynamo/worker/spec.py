"""What a compiled job is told: its tasks, where the scheduler puts their inputs, and where it fetches what they made.

One JSON file a job, sent with it. All paths are relative to the folder in which the scheduler starts the job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dynamo.errors import UserError
from dynamo.graph.model import Graph

__all__ = ["Spec"]

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Spec:
    """One compiled job.

    Parameters
    ----------
    job
        Its name.
    graph
        Its tasks; ``sources`` are the inputs from outside the job: name in the graph to path. A call of a user's own
        file is a path below the folder that travels with the job.
    outputs
        Output name to the path at which it is left.
    digests
        Input name to its SHA-256 (hex), for those that were known when the job was compiled.
    reports
        Paths at which the reports of earlier jobs lie, which tell the digests of the other inputs.
    report
        Path of this job's own report (see `dynamo.worker.returned`).
    logs
        Folder for what each task writes; empty sends it where the job's own output goes.
    build
        `dynamo.worker.build.build()` of who compiled it; the far end must have the same. Empty is not compared.
    """

    job: str
    graph: Graph
    outputs: Mapping[str, str]
    digests: Mapping[str, str] = field(default_factory=dict)
    reports: tuple[str, ...] = ()
    report: str = "report.json"
    logs: str = ""
    build: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "format": FORMAT,
            "job": self.job,
            "build": self.build,
            "digests": dict(self.digests),
            "reports": list(self.reports),
            "outputs": dict(self.outputs),
            "report": self.report,
            "logs": self.logs,
            "graph": self.graph.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spec:
        """Read back what `to_json` returned.

        Raises `UserError` where it is no job of this format, `WorkflowError` where its graph is none.
        """
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            raise UserError(
                f"not a compiled job of format {FORMAT}: compile it with the dynamo that shall run it"
            )
        try:
            return cls(
                data["job"],
                Graph.from_json(data["graph"]),
                data["outputs"],
                data["digests"],
                tuple(data["reports"]),
                data["report"],
                data["logs"],
                data["build"],
            )
        except (KeyError, TypeError) as error:
            raise UserError(f"not a compiled job: {type(error).__name__} {error}") from error
