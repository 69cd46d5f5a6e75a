"""The table ``images`` of a run file: names that tasks give, to images of containers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dynamo.images.image import Image
from dynamo.runfile.keys import KEYS, TEXT, Key, mapping
from dynamo.runfile.paths import under
from dynamo.runfile.values import At, Tell, flag, text, text_by

if TYPE_CHECKING:
    from dynamo.runfile.draft import Draft

__all__ = ["ImageRule", "images_of", "read_images"]

#: A reference of an image: registry and path, then a tag or a digest or both (distribution/reference of Docker).
_REFERENCE = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?|sha256:[0-9a-f]{64}"
)


@dataclass(frozen=True, slots=True)
class ImageRule:
    """One image. A reference alone is short for `docker`."""

    docker: str = ""
    apptainer: str = ""
    network: bool = False


def _is_reference(value: str) -> None:
    if not _REFERENCE.fullmatch(value):
        raise ValueError(f"{value!r} does not name an image: write name:tag or name@sha256:...")


KEYS[ImageRule] = {
    "docker": Key(
        text_by(_is_reference),
        {**TEXT, "examples": ["dynamo-algorithms:0.1.0"]},
        "What Docker knows it by: name:tag, or name@sha256:...",
    ),
    "apptainer": Key(text, TEXT, "A .sif file or a folder for Apptainer; relative to the run file."),
    "network": Key(
        flag,
        {"type": "boolean", "default": False},
        "Whether its tasks may use the network; they may not by default.",
    ),
}


def read_images(value: Any, at: At, tell: Tell) -> dict[str, Image]:
    """Read the table, without the images that are faulty."""
    if not isinstance(value, dict):
        tell.expected("a mapping", value, at)
        return {}
    found: dict[str, Image] = {}
    for name, said in value.items():
        before = len(tell)
        rule = mapping(ImageRule, {"docker": said} if isinstance(said, str) else said, (*at, name), tell)
        if len(tell) == before and not (rule.docker or rule.apptainer):
            tell((*at, name), "says neither `docker` nor `apptainer`")
        elif len(tell) == before:
            found[name] = Image(name, rule.docker, rule.apptainer, rule.network)
    return found


def images_of(draft: Draft) -> Mapping[str, Image]:
    """Return the images that tasks run in, paths absolute: none where the engine has no `container`.

    What is lacking for the containers that it has is added to the faults of `draft`.
    """
    assert draft.runfile is not None
    engine, images = draft.runfile.engine, draft.runfile.images
    if not engine.container or draft.faults:
        return {}
    if engine.name == "local" and engine.container != "docker":
        draft.tell(("engine", "container"), "container: the local engine runs containers with 'docker' only")
        return {}
    if not images:
        draft.tell(
            ("engine", "container"),
            "container: which image? Name one for all tasks, as in `images: {default: name:tag}`",
        )
    for name, image in images.items():
        if not getattr(image, engine.container):
            draft.tell(
                ("images", name), f"{name}: says not what it is for {engine.container}, which is to run it"
            )
    base = draft.path.parent
    return {
        name: replace(image, apptainer=str(under(base, image.apptainer)) if image.apptainer else "")
        for name, image in images.items()
    }
