"""The site's own Pegasus, by its commands."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from dynamo.errors import InfrastructureError

__all__ = ["check_installed", "plan", "run_again"]


def check_installed() -> None:
    """Raise `InfrastructureError` where Pegasus is not on the PATH: what to install, and what works without it."""
    if shutil.which("pegasus-plan") is None:
        raise InfrastructureError(
            "engine: pegasus: there is no `pegasus-plan` on the PATH of this machine. On the submit host install "
            "Pegasus 5.0 or later and HTCondor (https://pegasus.isi.edu), and put Pegasus' bin folder on the PATH. "
            "Without it, `dynamo compile RUNFILE --target pegasus -o DIR` writes all that another submit host needs"
        )


def plan(command: Sequence[str], folder: Path) -> Path:
    """Plan and submit the workflow in `folder`; return Pegasus' folder for it. Raises `InfrastructureError`."""
    said = _call([command[0], "--json", *command[1:]], folder)
    try:
        return Path(json.loads(said)["submit_dir"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise InfrastructureError(
            f"pegasus-plan did not say where it put the workflow (a JSON object with `submit_dir`): {said[:300]!r}"
        ) from error


def run_again(submit: Path) -> None:
    """Submit what a planned workflow has left to do. Raises `InfrastructureError`."""
    _call(["pegasus-run", str(submit)], submit)


def _call(command: Sequence[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    except OSError as error:
        raise InfrastructureError(f"cannot start {command[0]}: {error.strerror}") from error
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).splitlines()[-20:])
        raise InfrastructureError(
            f"{command[0]} ended with exit code {done.returncode}; "
            f"try it by hand: cd {folder} && {shlex.join(command)}\n{last}"
        )
    return done.stdout
