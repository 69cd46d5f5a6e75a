"""The last node of a DAG, where it was submitted: check what was made, publish the products, and say how it went.

Enters: the folder of the DAG. Leaves: products, each whole or not at all, and ``report.txt``. It runs whatever became
of the jobs, and whether or not somebody follows the run; its exit code is that of the DAG.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson

from dynamo.condor.direct import note
from dynamo.condor.folder import DagFolder, DagJob
from dynamo.engine.products import Products
from dynamo.errors import DynamoError, UserError
from dynamo.graph.units import format_count, format_seconds
from dynamo.worker.returned import Returned
from dynamo.worker.store import digest_file

__all__ = ["finish", "main"]


def finish(path: Path) -> tuple[list[str], bool]:
    """Publish what the DAG in the folder `path` made; return the lines of its report, and whether all is well."""
    folder = DagFolder(path)
    note(folder)
    said = orjson.loads((path / "products.json").read_bytes())
    products = Products(said["folder"], tuple(said["only"]))
    lines: list[str] = []
    count, whole = 0, True
    for job in folder.jobs.values():
        told = job.returned()
        count += sum(t.ended == "ok" for t in told.last.values())
        for text in (*_faults(job, told), *_publish(job, told, products)):
            whole = False
            lines.append(text)
    tasks = sum(len(job.tasks) for job in folder.jobs.values())
    lines.append(f"{count} of {format_count(tasks, 'task')} done in {format_count(len(folder.jobs), 'job')}")
    return lines, whole


def _faults(job: DagJob, told: Returned) -> Iterator[str]:
    """Say which tasks of a job are not done, and why."""
    if told.error:
        yield f"{job.name}: {told.error}"
    for task in job.tasks:
        last = told.last.get(task)
        if last is not None and last.ended != "ok":
            yield f"{task}: {last.ended}: {last.report.error}"
        elif last is None and not told.error:
            yield f"{task}: not run"


def _publish(job: DagJob, told: Returned, products: Products) -> Iterator[str]:
    """Publish the products of a job; yield what went wrong."""
    for name, made in told.made.items():
        if name not in job.declared or not products.wants(name):
            continue  # what a run-time workflow described is no product
        source = job.folder / job.outputs[name]
        try:
            if digest_file(source) != made.digest:
                yield f"{name!r} came back damaged from {job.name}: it is not published"
            elif not _is_there(Path(products.folder) / name, made.digest):
                part = source.with_name(f".{source.name}.product")
                # What is published shares no file with what a later try may replace.
                shutil.copyfile(source, part)
                products.publish(name, str(part))
                part.unlink(missing_ok=True)
        except (OSError, UserError) as error:
            yield f"{name!r} cannot be published: {error}"


def _is_there(path: Path, digest: str) -> bool:
    try:
        return digest_file(path) == digest
    except OSError:
        return False


def main(arguments: list[str]) -> int:
    """Finish the DAG in the folder that is named, and return the exit code."""
    began, path = time.time(), Path(arguments[0]).absolute()
    try:
        lines, whole = finish(path)
    except (DynamoError, OSError, orjson.JSONDecodeError, KeyError) as error:
        lines, whole = [f"error: {error}"], False
    lines.append(f"{'done' if whole else 'FAILED'}; published in {format_seconds(time.time() - began)}")
    text = "\n".join(lines) + "\n"
    print(text, end="")
    try:
        (path / "report.txt").write_text(text)
    except OSError as error:  # HTCondor has the same text, where it finds room
        print(f"error: cannot write {path / 'report.txt'}: {error.strerror}", file=sys.stderr)
    return 0 if whole else UserError.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
