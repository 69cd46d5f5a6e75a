"""Where the outputs of a run are published, and which of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dynamo.runfile.paths import under

__all__ = ["Products"]


@dataclass(frozen=True, slots=True)
class Products:
    """The products of one run file.

    Parameters
    ----------
    template
        Folder, with the fields ``{run}``, ``{workflow}`` and ``{time}``.
    only
        Globs over the names of outputs; empty publishes every output.
    base
        What a relative folder is relative to.
    workflow
        Name of the workflow.
    time
        What ``{time}`` is (UTC): the time of the tick where a clock starts runs, else of the newest file of the inputs
        that start them; None where none has one.
    """

    template: str
    only: tuple[str, ...]
    base: Path
    workflow: str
    time: datetime | None

    def folder(self, run_id: str) -> Path:
        """Return the folder for a run, absolute."""
        time = f"{self.time:%Y%m%dT%H%M%SZ}" if self.time else ""
        text = self.template.format(run=run_id, workflow=self.workflow, time=time)
        return under(self.base, text)
