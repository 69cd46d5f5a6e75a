"""Trace files: JSON, or CSV with a job a line; each may be compressed with gzip.

A JSON file is an object::

    {"trace": "storm of 3 May", "until": 7200, "period": 60,
     "jobs": [{"kind": "nowcast", "release": 0, "due": 60, "work": 12.5, "cores": 1, "memory": 0,
               "groups": [], "run": "cycle 0", "features": {"echo_km2": 350}}]}

Only ``jobs`` is needed, and of a job ``kind``, ``release`` and ``work``. A CSV file has the same names in its first
line; a column of another name is a feature, an empty cell is none, and several groups are parted by spaces. What each
is: `dynamo.fleet.simulator.trace`. Goes wrong: `UserError`, with the file and the line or the number of the job.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dynamo.errors import Place, UserError, nearest
from dynamo.fleet.simulator.trace import Job, Trace

__all__ = ["read_trace", "text_of", "write_trace"]

_NUMBERS = ("release", "due", "work", "cores", "memory")
_KEYS = ("kind", *_NUMBERS, "groups", "run", "features")
_NEEDED = ("kind", "release", "work")
_TOP = ("trace", "until", "period", "jobs")


def read_trace(path: Path) -> Trace:
    """Return the trace that a file holds."""
    text = text_of(path)
    return _from_json(path, text) if text.lstrip()[:1] in {"{", "["} else _from_csv(path, text)


def write_trace(trace: Trace, path: Path) -> None:
    """Write a trace as JSON, or as CSV where the name ends so; compressed where it ends in ``.gz``."""
    text = _csv_text(trace) if ".csv" in path.suffixes else _json_text(trace)
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def text_of(path: Path) -> str:
    """Return the text of a file, uncompressed; `UserError` where it is none."""
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"The trace cannot be read: {error}.", place=Place(str(path))) from error


def _from_json(path: Path, text: str) -> Trace:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        place = Place(str(path), error.lineno, error.colno)
        raise UserError(f"This is not JSON: {error.msg}.", place=place) from error
    if not isinstance(data, dict) or not isinstance(data.get("jobs"), list):
        raise UserError("A trace is an object with a list `jobs`.", place=Place(str(path)))
    for key in data:
        if key not in _TOP:
            raise UserError(f"A trace has no {key!r}{nearest(key, _TOP)}.", place=Place(str(path)))
    jobs = [_job(each, path, 0, f"job {place} of `jobs`: ") for place, each in enumerate(data["jobs"])]
    until = _number(data["until"], "until", path, 0, "") if "until" in data else None
    period = _number(data.get("period", 0.0), "period", path, 0, "")
    return _made(str(data.get("trace", path.name.split(".")[0])), jobs, until, period, path)


def _from_csv(path: Path, text: str) -> Trace:
    rows = csv.DictReader(text.splitlines())
    names = rows.fieldnames or []
    for needed in _NEEDED:
        if needed not in names:
            raise UserError(f"There is no column `{needed}` in the first line.", place=Place(str(path), 1))
    jobs = []
    for row in rows:
        if None in row:
            raise UserError("This line has more cells than the first.", place=Place(str(path), rows.line_num))
        given = {key: value for key, value in row.items() if value not in {"", None}}
        job: dict[str, Any] = {key: value for key, value in given.items() if key in _KEYS}
        job["groups"] = given.get("groups", "").split()
        job["features"] = {key: value for key, value in given.items() if key not in _KEYS}
        jobs.append(_job(job, path, rows.line_num, ""))
    return _made(path.name.split(".")[0], jobs, None, 0.0, path)


def _made(name: str, jobs: list[Job], until: float | None, period: float, path: Path) -> Trace:
    trace = Trace.of(name, jobs, until, period)
    if not jobs:
        raise UserError("The trace has no job.", place=Place(str(path)))
    if trace.until < trace.jobs[-1].release:
        raise UserError(
            f"`until` is {trace.until:g}, before the last job comes at {trace.jobs[-1].release:g}.",
            place=Place(str(path)),
        )
    return trace


def _job(given: object, path: Path, line: int, what: str) -> Job:
    place = Place(str(path), line)
    if not isinstance(given, dict):
        raise UserError(f"{what}a job is an object.", place=place)
    for key in given:
        if key not in _KEYS:
            raise UserError(f"{what}a job has no {key!r}{nearest(key, _KEYS)}.", place=place)
    for key in _NEEDED:
        if key not in given:
            raise UserError(f"{what}`{key}` is missing.", place=place)
    defaults = {"due": math.inf, "cores": 1.0, "memory": 0.0}
    found = {key: _number(given.get(key, defaults.get(key)), key, path, line, what) for key in _NUMBERS}
    if found["due"] < found["release"]:
        raise UserError(f"{what}`due` is before `release`.", place=place)
    if found["cores"] < 1:
        raise UserError(f"{what}`cores` must be at least 1.", place=place)
    features = given.get("features", {})
    if not isinstance(features, Mapping) or not isinstance(given.get("groups", []), list):
        raise UserError(f"{what}`features` must be an object, and `groups` a list.", place=place)
    return Job(
        kind=str(given["kind"]),
        release=found["release"],
        due=found["due"],
        work=found["work"],
        cores=int(found["cores"]),
        memory=int(found["memory"]),
        groups=frozenset(str(each) for each in given.get("groups", [])),
        run=str(given.get("run", "")),
        features={str(key): _number(value, str(key), path, line, what) for key, value in features.items()},
    )


def _number(value: object, key: str, path: Path, line: int, what: str) -> float:
    if value is None and key == "due":
        return math.inf
    try:
        number = (
            float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
        )
    except ValueError:
        number = math.nan
    if math.isnan(number) or number < 0.0 or (math.isinf(number) and key != "due"):
        raise UserError(
            f"{what}`{key}` must be a number of at least 0, not {value!r}.", place=Place(str(path), line)
        )
    return number


def _as_dict(job: Job) -> dict[str, Any]:
    """Return a job as JSON has it, without what says nothing."""
    found: dict[str, Any] = {**job._asdict(), "groups": sorted(job.groups), "features": dict(job.features)}
    plain = {"due": math.inf, "cores": 1, "memory": 0, "groups": [], "run": "", "features": {}}
    return {key: value for key, value in found.items() if key not in plain or value != plain[key]}


def _json_text(trace: Trace) -> str:
    head = json.dumps({"trace": trace.name, "until": trace.until, "period": trace.period})[:-1]
    lines = ",\n".join(json.dumps(_as_dict(job)) for job in trace.jobs)
    return f'{head}, "jobs": [\n{lines}\n]}}\n'


def _csv_text(trace: Trace) -> str:
    from io import StringIO

    features = sorted({name for job in trace.jobs for name in job.features})
    out = StringIO()
    rows = csv.DictWriter(out, [*_KEYS[:-1], *features], restval="", lineterminator="\n")
    rows.writeheader()
    for job in trace.jobs:
        row = _as_dict(job)
        known = row.pop("features", {})
        rows.writerow({**row, **known, "groups": " ".join(row.pop("groups", []))})
    return out.getvalue()
