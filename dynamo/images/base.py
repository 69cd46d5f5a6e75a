"""The image that ours stand on: a registry's, one that is here already, or one made on the spot from a mirror."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from dynamo.errors import InfrastructureError, UserError
from dynamo.images.client import said

__all__ = ["MADE", "base_image"]

SUITE = "trixie"
#: What a base that was made here is called.
MADE = f"dynamo-base:{SUITE}"
_OFFICIAL = f"debian:{SUITE}-slim"
_MIRROR = "http://deb.debian.org/debian"


def base_image(client: Any, wanted: str = "", mirror: str = "") -> Any:
    """Return the base image: `wanted` where it is given, else the one made here before, a registry's, or a new one.

    A new one is made by debootstrap from a `mirror` of Debian. Raises `UserError` where there is none of them, and says
    why for each; `InfrastructureError` where debootstrap fails.
    """
    if wanted:
        found, why = _found(client, wanted)
        if found is None:
            raise UserError(f"no base image {wanted}: {why}")
        return found
    why = "not asked, as a mirror was named"
    for name in (MADE, *(() if mirror else (_OFFICIAL,))):
        found, why = _found(client, name, pull=name != MADE)
        if found is not None:
            return found
    if not (shutil.which("debootstrap") and os.geteuid() == 0):
        raise UserError(
            f"no base image: {_OFFICIAL} could not be fetched ({why}), and to make one from a mirror of Debian "
            "needs debootstrap and root: name an image of Debian with --base, or once, "
            "sudo apt-get install debootstrap && sudo dynamo image build"
        )
    return _made(client, mirror or _MIRROR)


def _found(client: Any, name: str, *, pull: bool = True) -> tuple[Any, str]:
    """Return an image that is here or can be fetched, else None and why not."""
    from docker.errors import APIError, ImageNotFound

    try:
        return client.images.get(name), ""
    except ImageNotFound:
        pass
    if not pull:
        return None, "it is not here"
    try:
        return client.images.pull(name), ""
    except (APIError, OSError) as error:
        return None, said(error)


def _made(client: Any, mirror: str) -> Any:
    recipe = Path(import_module("dynamo.containers").__path__[0]) / "base" / "debootstrap.sh"
    with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
        done = subprocess.run(
            ["sh", str(recipe), SUITE, mirror], stdout=archive, stderr=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise InfrastructureError(
                f"debootstrap {SUITE} {mirror} failed: {last}; name another with --mirror"
            )
        repository, _, tag = MADE.partition(":")
        client.api.import_image_from_file(archive.name, repository=repository, tag=tag)
    return client.images.get(MADE)
