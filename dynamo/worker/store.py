"""Finished files, kept once under their content digest.

A file enters by a rename, so it is there whole or not at all. It is read-only, because products are hard
links to it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

from dynamo.worker.job import Made

__all__ = ["adopt", "digest_file", "stored_path"]

CHUNK = 1 << 20


def stored_path(store: str | Path, digest: str) -> str:
    """Return the path under which a file of this digest stands in `store`."""
    return f"{store}/{digest[:2]}/{digest[2:]}"


def digest_file(path: str | Path) -> str:
    """Return the SHA-256 (hex) of a file's bytes; raises `OSError`."""
    with open(path, "rb", buffering=0) as file:
        sha = hashlib.sha256()
        while part := file.read(CHUNK):  # a read may be short, so only an empty one is the end
            sha.update(part)
    return sha.hexdigest()


def adopt(path: str, store: str) -> Made:
    """Move the file at `path` into the store and return what it is; raises `OSError`.

    What is already there under the same digest stays, so that links to it stay links to one file; it is
    replaced where it was damaged. A file that has other links (the task linked to it instead of writing it) is
    copied, so that the store shares no file with anybody.
    """
    digest = digest_file(path)
    target = stored_path(store, digest)
    state = os.stat(path)
    size = state.st_size
    try:
        there = os.stat(target)
        if there.st_size == size and digest_file(target) == digest:
            os.utime(target, ns=(time.time_ns(), there.st_mtime_ns))  # in use: see dynamo.journal.retention
            os.unlink(path)
            return Made(digest, size, there.st_mtime_ns)
    except FileNotFoundError:
        pass
    if state.st_nlink > 1:
        shutil.copyfile(path, f"{path}.copy")
        os.replace(f"{path}.copy", path)
    os.chmod(path, 0o444)
    try:
        os.rename(path, target)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(path, target)
    return Made(digest, size, os.stat(target).st_mtime_ns)
