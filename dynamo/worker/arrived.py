"""Files that a scheduler brought to where a job runs, or fetches from there: are they whole, are they as they were."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from dynamo.errors import InfrastructureError
from dynamo.worker.build import build
from dynamo.worker.returned import Returned
from dynamo.worker.spec import Spec
from dynamo.worker.store import digest_file

__all__ = ["arrived", "link_or_copy", "state"]


def state(path: str) -> tuple[int, int] | None:
    """Return size and time of change (ns) of a file; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def link_or_copy(source: str, target: Path) -> None:
    """Link `target` to a file of the store, or copy that; raises `OSError`."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copy2(source, target)  # a file system without hard links


def arrived(spec: Spec, folder: Path) -> dict[str, str]:
    """Return where each input of a job is that runs in `folder`.

    Raises `InfrastructureError` where another dynamo compiled the job, or an input is not what it was.
    """
    here = build()
    if spec.build and here != spec.build:
        raise InfrastructureError(
            f"this worker has dynamo {here}, and the job was compiled by dynamo {spec.build}: have the same on both "
            "(build the worker's image anew, or install the same version)"
        )
    known = dict(spec.digests)
    for path in spec.reports:
        try:
            earlier = Returned.read(folder / path)
        except OSError as error:
            raise InfrastructureError(
                f"the report of an earlier job did not arrive with this one ({path}: {error.strerror})"
            ) from error
        known |= {name: made.digest for name, made in earlier.made.items()}
    for name, path in spec.graph.sources.items():
        _verify(name, folder / path, known.get(name, ""))
    return {name: str(folder / path) for name, path in spec.graph.sources.items()}


def _verify(name: str, path: Path, digest: str) -> None:
    """Raise `InfrastructureError` where an input did not arrive as it was sent; without a digest, where it did not."""
    try:
        found = digest_file(path)
    except OSError as error:
        raise InfrastructureError(
            f"input {name!r} did not arrive with the job ({path.name}: {error.strerror})"
        ) from error
    if digest and found != digest:
        raise InfrastructureError(
            f"input {name!r} arrived damaged: its digest is {found[:12]}, and that of what was sent {digest[:12]}"
        )
