"""What a compiled job sends back beside its outputs: how each attempt of each of its tasks went.

Written anew as tasks end, by rename, so that what is there is whole.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import orjson

from dynamo.errors import DataError
from dynamo.worker.job import Made, Report

__all__ = ["Ended", "Returned", "Tried"]

FORMAT = 1

#: How an attempt ended: as `Report.outcome` says, or how its process was lost.
Ended: TypeAlias = Literal["ok", "failed", "blocked", "lost", "timeout", "memory"]


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt of a task: its number in this job, how it ended, its report and log (empty where it wrote none).

    ``round`` is that of the job's process which made the attempt, see `Returned`.
    """

    n: int
    ended: Ended
    report: Report
    log: str = ""
    round: int = 1


@dataclass(frozen=True, slots=True)
class Returned:
    """What one job came to.

    Parameters
    ----------
    job
        Its name.
    rounds
        How many processes of the job have brought this report on so far.
    build, machine
        The dynamo that ran it, and the host.
    began, verified, ended
        Unix seconds: when its process began, when its inputs had been checked, and when it ended.
    tried
        Every attempt so far, also of earlier tries of the job, in order.
    error
        Why it could not run its tasks at all, in words; empty where it could.
    """

    job: str
    rounds: int = 0
    build: str = ""
    machine: str = ""
    began: float = 0.0
    verified: float = 0.0
    ended: float = 0.0
    tried: tuple[Tried, ...] = ()
    error: str = ""

    @property
    def made(self) -> Mapping[str, Made]:
        """Every output that was made."""
        return {name: made for t in self.tried if t.ended == "ok" for name, made in t.report.made.items()}

    @property
    def last(self) -> Mapping[str, Tried]:
        """The last attempt of each task."""
        return {t.report.task: t for t in self.tried}

    def with_one(self, tried: Tried) -> Returned:
        """Return it with one more attempt."""
        return replace(self, tried=(*self.tried, tried))

    def write(self, path: Path) -> None:
        """Write it to `path`; raises `OSError`."""
        part = path.with_name(f".{path.name}.part")
        # orjson reads dataclasses by itself; `asdict` would copy every attempt so far, after every task.
        said = {"format": FORMAT, **{field.name: getattr(self, field.name) for field in fields(self)}}
        part.write_bytes(orjson.dumps(said, option=orjson.OPT_INDENT_2))
        os.replace(part, path)

    @classmethod
    def read(cls, path: Path) -> Returned:
        """Read what `write` wrote; raises `OSError`, and `DataError` where it is damaged."""
        try:
            data: dict[str, Any] = orjson.loads(path.read_bytes())
            if data.pop("format") != FORMAT:
                raise DataError(f"{path}: not a report of format {FORMAT}")
            tried = tuple(
                Tried(t["n"], t["ended"], Report.from_json(t["report"]), t["log"], t["round"])
                for t in data.pop("tried")
            )
            return cls(**data, tried=tried)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path}: no report of a job, or a damaged one ({type(error).__name__})"
            ) from error
