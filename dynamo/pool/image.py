"""The images of the pool and of the fleet's workers: built on a base that is pulled or made on the spot."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dynamo.errors import InfrastructureError, UserError
from dynamo.pool.context import build_context

__all__ = ["IMAGE", "WORKER_IMAGE", "build", "build_worker", "make_base"]

IMAGE = "dynamo-pool:latest"
WORKER_IMAGE = "dynamo-fleet-worker:latest"
#: HTCondor 25 is in this release of Debian.
_SUITE = "forky"
_MIRROR = "http://deb.debian.org/debian"
_REGISTRY = f"debian:{_SUITE}-slim"
_MADE = f"dynamo-base:{_SUITE}"

Tell = Callable[[str], None]


def build(client: Any, tell: Tell, base: str | None = None) -> str:
    """Build the image where anything of it has changed, and return its id; `base` is an image, or found out."""
    base = base or _base(client, tell)
    tell(f"building the image {IMAGE} on {base}, or finding it unchanged; the first time takes some minutes")
    arguments = {name: os.environ[name] for name in ("PIP_INDEX_URL",) if name in os.environ}
    return _build(client, IMAGE, build_context(_recipe("pool")), {"BASE": base, **arguments}, tell)


def build_worker(client: Any, tell: Tell) -> str:
    """Build the image that the fleet's workers are started from where Docker is the cloud, on that of the pool."""
    tell(f"building the image {WORKER_IMAGE} on {IMAGE}, or finding it unchanged")
    recipe = _recipe("fleet")
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for path in sorted(recipe.iterdir()):
            entry = tarfile.TarInfo(path.name)
            entry.size = path.stat().st_size
            entry.mode = 0o755 if path.read_bytes().startswith(b"#!") else 0o644
            archive.addfile(entry, io.BytesIO(path.read_bytes()))
    return _build(client, WORKER_IMAGE, whole.getvalue(), {"BASE": IMAGE}, tell)


def make_base(client: Any, tell: Tell) -> str:
    """Make the base with debootstrap, for a machine that reaches Debian's packages but no registry; return its name.

    Raises `UserError` where that needs what is not here.
    """
    if os.geteuid() or not shutil.which("debootstrap"):
        raise UserError(
            f"no image {_REGISTRY} can be pulled; to make one here instead, apt-get install debootstrap and do this "
            f"as root, or name an image with --base"
        )
    tell(f"no registry gives {_REGISTRY}: making {_MADE} with debootstrap, a minute or two")
    with tempfile.TemporaryDirectory(prefix="dynamo-base-") as made:
        root = Path(made) / "root"
        # A Debian older than the suite has no script of that name; the one of sid does for all.
        script = next(
            (s for s in (_SUITE, "sid") if Path(f"/usr/share/debootstrap/scripts/{s}").exists()), _SUITE
        )
        command = [
            "debootstrap",
            "--variant=minbase",
            "--include=ca-certificates",
            _SUITE,
            str(root),
            _MIRROR,
        ]
        done = subprocess.run(
            [*command, f"/usr/share/debootstrap/scripts/{script}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise InfrastructureError(f"debootstrap of {_SUITE} failed: {_last(done.stdout + done.stderr)}")
        shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
        packed = Path(made) / "root.tar"
        with tarfile.open(packed, "w") as archive:
            archive.add(root, arcname=".")
        client.api.import_image_from_file(str(packed), repository=_MADE.partition(":")[0], tag=_SUITE)
    return _MADE


def _base(client: Any, tell: Tell) -> str:
    """Return a base that is here, else the registry's, else one that is made."""
    import docker

    for name in (_MADE, _REGISTRY):
        if client.images.list(name=name):
            return name
    try:
        client.images.pull(_REGISTRY)
    except docker.errors.DockerException:
        return make_base(client, tell)
    return _REGISTRY


def _build(client: Any, image: str, context: bytes, arguments: dict[str, str], tell: Tell) -> str:
    steps = client.api.build(
        fileobj=io.BytesIO(context),
        custom_context=True,
        tag=image,
        rm=True,
        network_mode="host",  # a mirror or proxy that this machine reaches is reached by the build
        buildargs=arguments,
        decode=True,
    )
    _follow(image, steps, tell)
    return str(client.images.get(image).id)


def _follow(image: str, steps: Iterator[dict[str, Any]], tell: Tell) -> None:
    """Tell each step that is done anew, as it begins; an error names the last that the build said."""
    lines: list[str] = []
    doing = ""
    for step in steps:
        if "error" in step:
            raise InfrastructureError(
                f"the image {image} could not be built: {step['error'].strip()}\n{_last(''.join(lines))}"
            )
        text = step.get("stream", "")
        lines = [*lines, text][-200:]
        if text.startswith("Step "):
            doing = text.strip().split("  ")[0]
        elif text.startswith(" ---> Running in"):  # not found among what was done before
            tell(doing)


def _last(text: str, count: int = 20) -> str:
    return "\n".join(text.strip().splitlines()[-count:])


def _recipe(name: str) -> Path:
    """Return the folder with the Dockerfile of an image, as it was installed."""
    from dynamo import containers

    return Path(containers.__path__[0]) / name
