"""One file of a sample: fetched whole or not at all, and held against its SHA-256.

What can go wrong: a folder that cannot be written and bytes that are not the file's (`DataError`), a download that
fails (`InfrastructureError`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dynamo.errors import DataError, InfrastructureError

__all__ = ["VARIABLE", "SampleFile", "check", "download", "make_folder"]

#: The environment variable that names a folder with samples.
VARIABLE = "DYNAMO_SAMPLES"


@dataclass(frozen=True, slots=True)
class SampleFile:
    """One file of a sample: its name, size in bytes, SHA-256 in hex, and where the public has it."""

    name: str
    bytes: int
    sha256: str
    url: str


def make_folder(folder: Path) -> None:
    """Make a folder that may be there already; raises `DataError` where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise DataError(f"{folder} is a file, not a folder") from None
    except OSError as error:
        raise DataError(f"cannot make the folder {folder}: {error.strerror}") from error


def download(file: SampleFile, folder: Path) -> None:
    """Download one file into `folder`; it appears whole and right, or not at all.

    Raises
    ------
    DataError
        Nothing can be written into `folder`.
    InfrastructureError
        The file cannot be had, or is not as it should be.
    """
    import pooch
    from requests import HTTPError, RequestException

    make_folder(folder)
    # A second try costs little and saves a run from a dropped connection.
    source = pooch.create(
        folder, base_url="", registry={file.name: file.sha256}, urls={file.name: file.url}, retry_if_failed=1
    )
    try:
        source.fetch(file.name)
    except PermissionError as error:
        raise DataError(f"cannot write into {folder}: {error}") from error
    except (RequestException, ValueError) as error:
        # The message of a lost connection is half a page long; the others say what is the case.
        told = str(error) if isinstance(error, (HTTPError, ValueError)) else type(error).__name__
        raise InfrastructureError(
            f"cannot download {file.url}: {told}. Use the built-in storm (dynamo sample storm), or set "
            f"{VARIABLE} to a folder that holds {file.name}"
        ) from error


def check(path: Path, file: SampleFile) -> None:
    """Raise `DataError` where what stands at `path` has not the bytes of `file`."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != file.sha256:
        size = path.stat().st_size
        raise DataError(
            f"{path} is damaged: its SHA-256 is {digest[:12]}... ({size} bytes), expected "
            f"{file.sha256[:12]}... ({file.bytes} bytes); delete it and fetch it again"
        )
