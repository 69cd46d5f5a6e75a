"""The wheels that a lock names, fetched by pip as it is set up on this machine, each checked against its digest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dynamo.errors import InfrastructureError, UserError

__all__ = ["PYTHON", "fetch"]

#: Python of Debian trixie, which runs in the images.
PYTHON = "3.13"
_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def fetch(lock: Path, folder: Path, machine: str) -> None:
    """Put the wheels of `lock` for a `machine` (as Docker names it) into `folder`.

    Raises `UserError` where there is no pip, or no wheel for such machines; `InfrastructureError` where pip fails.
    """
    name = _MACHINES.get(machine)
    if name is None:
        raise UserError(f"no images for machines of kind {machine!r}: their libraries are not locked")
    # glibc of trixie is 2.41; pip knows no "or older" for platforms that are named.
    platforms = [f"manylinux_2_{n}_{name}" for n in range(41, 4, -1)]
    platforms += [f"{old}_{name}" for old in ("manylinux2014", "manylinux2010", "manylinux1")]
    short = PYTHON.replace(".", "")
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
            "--require-hashes", "--only-binary", ":all:", "--python-version", PYTHON, "--implementation", "cp",
            "--abi", f"cp{short}", "--abi", "abi3", "--abi", "none",
            *(part for platform in platforms for part in ("--platform", platform)),
            "--requirement", str(lock), "--dest", str(folder),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise InfrastructureError(
            f"pip cannot fetch the libraries of {lock}: {' '.join(errors) or done.stderr.strip()}"
        )
