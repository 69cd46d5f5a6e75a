"""Whether what has to run in an image can: tried in a container of it, as a user who is nobody there.

Enters: an image; calls of tasks and the folders that they lie in. Leaves: a `Finding` for each thing looked at.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dynamo.images.client import said
from dynamo.images.container import limits, mounts, secured
from dynamo.images.labels import VERSION, code_here, version_here

__all__ = ["Finding", "check_calls", "check_image"]

_DYNAMO = """
import json
from dynamo.images.labels import code_here, version_here
print(json.dumps([version_here(), code_here()]))
"""
_CALLS = """
import json, sys
from dynamo.worker.loading import load_object, look_first
modules, calls = json.loads(sys.argv[1])
look_first(modules)
found = {}
for call in calls:
    try:
        load_object(call)
        found[call] = ""
    except BaseException as error:
        found[call] = f"{type(error).__name__}: {error}"
print("\\n" + json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, in words, and whether it is as it should be."""

    ok: bool
    text: str


def check_image(client: Any, reference: str) -> list[Finding]:
    """Look at one image; what cannot be looked at is a finding too."""
    from docker.errors import ImageNotFound

    try:
        image = client.images.get(reference)
    except ImageNotFound:
        return [Finding(ok=False, text=f"{reference} is not on this machine")]
    user = str(image.attrs["Config"].get("User") or "root")
    own = user.partition(":")[0] not in {"root", "0"}
    found = [Finding(own, f"its user is {user}" + ("" if own else "; give it another, as with USER 1000"))]
    if not image.labels.get(VERSION):
        return [*found, Finding(ok=True, text="no dynamo in it: for commands only")]
    answer, why = _run(client, image.id, _DYNAMO, (), [])
    if why:
        return [*found, Finding(ok=False, text=f"it does not run: {why}")]
    version, code = json.loads(answer)
    same = (version, code) == (version_here(), code_here())
    other = "" if same else f"; here is {version_here()}, with other code: build it anew"
    return [
        *found,
        Finding(ok=True, text="it runs"),
        Finding(same, f"dynamo {version} is in it{other}"),
    ]


def check_calls(
    client: Any, image: str, calls: Sequence[str], modules: Sequence[str], folders: Sequence[str]
) -> list[Finding]:
    """Import in the image, as a worker would, what `calls` name; `folders` are mounted, `modules` looked in first."""
    answer, why = _run(client, image, _CALLS, (json.dumps([list(modules), list(calls)]),), folders)
    if why:
        return [Finding(ok=False, text=f"nothing can be imported: {why}")]
    found: dict[str, str] = json.loads(answer.splitlines()[-1])
    return [
        Finding(not error, f"{call} can be imported" if not error else f"{call} cannot be imported: {error}")
        for call, error in found.items()
    ]


def _run(
    client: Any, image: str, script: str, arguments: Sequence[str], folders: Sequence[str]
) -> tuple[str, str]:
    """Run a Python script in a container; return what it printed, and why it failed."""
    from docker.errors import ContainerError, DockerException

    try:
        printed = client.containers.run(
            image,
            entrypoint=["python3", "-P", "-c", script, *arguments],
            mounts=mounts([], folders),
            remove=True,
            stderr=True,
            **{**secured(network=False), **limits(0, 1), "log_config": None},
        )
    except ContainerError as error:
        lines = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        return "", (lines or [f"it ended with exit code {error.exit_status}"])[-1]
    except DockerException as error:
        return "", said(error)
    return printed.decode(errors="replace").strip(), ""
