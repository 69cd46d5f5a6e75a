"""Build the images that come with dynamo, from what is installed here; list those that are here."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from dynamo.errors import InfrastructureError, UserError, nearest
from dynamo.images.base import base_image
from dynamo.images.labels import CODE, VERSION, code_here, version_here
from dynamo.images.wheel import make_wheel
from dynamo.images.wheels import fetch

__all__ = ["RECIPES", "Listed", "build", "list_images", "reference_of"]

#: Recipe to what is in its image.
RECIPES = {
    "algorithms": "dynamo and all that the radar workflows need",
    "worker": "dynamo alone, to build images of your own upon",
}


def reference_of(recipe: str) -> str:
    """Return the name and tag of the image of a recipe, for the dynamo that is here."""
    return f"dynamo-{recipe}:{version_here()}"


def build(
    client: Any, recipe: str, *, base: str = "", mirror: str = "", tell: Callable[[str], None] = print
) -> Any:
    """Build the image of `recipe` and return it; nothing is done again that is as it was.

    `tell` gets a line for each step. Raises `UserError` for an unknown recipe and where no base image is to be had,
    `InfrastructureError` where what is fetched cannot be, or Docker fails.
    """
    if recipe not in RECIPES:
        raise UserError(f"no recipe {recipe!r}{nearest(recipe, RECIPES)}; known are {', '.join(RECIPES)}")
    tell("base image ...")
    standing = base_image(client, base, mirror)
    tell(f"base image: {(standing.tags or [standing.id])[0]} ({standing.short_id})")
    with tempfile.TemporaryDirectory() as folder:
        lock = _folder() / recipe / "requirements.lock"
        tell("libraries ...")
        fetch(lock, Path(folder), client.version()["Arch"])
        wheels = sorted(Path(folder).iterdir())
        tell(f"libraries: {len(wheels)}, {sum(w.stat().st_size for w in wheels) / 2**20:.0f} MiB to install")
        with tempfile.TemporaryFile() as context:
            _write_context(context, lock, wheels)
            context.seek(0)
            tell("image ...")
            return _build(client, context, recipe, standing)


def _folder() -> Path:
    return Path(import_module("dynamo.containers").__path__[0])


def _write_context(target: Any, lock: Path, wheels: list[Path]) -> None:
    """Write the tar archive that Docker builds from; it is the same while its parts are."""
    name, ours = make_wheel()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for recipe in ("Dockerfile", "warm.py"):
            _add(archive, recipe, (_folder() / "worker" / recipe).read_bytes())
        _add(archive, "requirements.lock", lock.read_bytes())
        _add(archive, f"dynamo/{name}", ours)
        for wheel in wheels:
            _add(archive, f"wheels/{wheel.name}", wheel.read_bytes())


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    archive.addfile(entry, io.BytesIO(content))


def _build(client: Any, context: Any, recipe: str, standing: Any) -> Any:
    from docker.errors import APIError, BuildError

    try:
        image, _ = client.images.build(
            fileobj=context,
            custom_context=True,
            tag=reference_of(recipe),
            # Docker knows a local image by its id only where nothing else has that name.
            buildargs={"BASE": standing.id, "VERSION": version_here(), "CODE": code_here()},
            rm=True,
            forcerm=True,
        )
    except BuildError as error:
        said = "".join(part.get("stream", "") for part in error.build_log).strip().splitlines()
        raise InfrastructureError(
            f"the image {reference_of(recipe)} cannot be built: {error}; it said last: "
            + " | ".join(said[-5:])
        ) from error
    except APIError as error:
        raise InfrastructureError(
            f"the image {reference_of(recipe)} cannot be built: {error.explanation}"
        ) from error
    return image


@dataclass(frozen=True, slots=True)
class Listed:
    """An image with dynamo in it: its size is in bytes; `same` is whether its code is that of here."""

    name: str
    id: str
    size: int
    version: str
    same: bool


def list_images(client: Any) -> list[Listed]:
    """Return the images here that have dynamo in them, by name; not those that lost theirs to a newer one."""
    return sorted(
        (
            Listed(
                name,
                image.id,
                image.attrs["Size"],
                image.labels[VERSION],
                image.labels.get(CODE) == code_here(),
            )
            for image in client.images.list(filters={"label": VERSION})
            for name in image.tags
        ),
        key=lambda one: one.name,
    )
