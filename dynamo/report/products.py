"""What a run made for others to use: each file, where it is, and a small picture of it where it is an image.

The pictures are taken from the store, which holds what this run made even where a later run replaced the
published file; those of an old run whose results were removed are left out. Their number and size are bounded,
so that a report can be sent by mail.
"""

from __future__ import annotations

import base64
import io
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import orjson

from dynamo.journal import Journal, TaskRecord, Workspace
from dynamo.worker.store import stored_path

__all__ = ["Budget", "Product", "find_products"]

IMAGES = {
    ".png": "image/png",
    ".gif": "image/gif",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}
#: Bytes of an image that is shown as it is, of one that is made smaller first, and of all in one report.
AS_IT_IS, READABLE, TOGETHER = 40_000, 30_000_000, 2_500_000
#: Bytes of an animation that is shown moving.
MOVING = 1_200_000
#: Images shown at most, of which so many are made smaller; longest side of these, pixels.
SHOWN, SHRUNK, SIDE = 48, 16, 640
#: Bytes of GeoJSON in which features are counted.
COUNTED = 8_000_000


@dataclass(frozen=True, slots=True)
class Product:
    """One published file.

    ``path`` is where it was published, empty where it is no longer; ``image`` a data URL; ``features`` the number of
    features of a GeoJSON file, None where it is none or was too large to count.
    """

    name: str
    size: int
    path: str
    image: str = ""
    features: int | None = None


def find_products(
    workspace: Workspace,
    journal: Journal,
    tasks: Mapping[str, TaskRecord],
    settings: Mapping[str, Any],
    budget: Budget | None = None,
) -> list[Product]:
    """Return the products of a run in the order in which its tasks ended or were reused.

    Pictures and features are added while `budget` lasts.
    """
    folder, only = str(settings.get("products") or ""), tuple(settings.get("only") or ())
    found: list[Product] = []
    budget = budget or Budget()
    for task in tasks.values():
        result = journal.result(task.key) if task.key and task.state in ("done", "reused") else None
        for name, made in result.made.items() if result else ():
            if not folder or name.startswith(".") or (only and not any(fnmatchcase(name, p) for p in only)):
                continue
            published, stored = f"{folder}/{name}", stored_path(workspace.store, made.digest)
            there = os.path.isfile(published)  # noqa: PTH113 - a run may have thousands of products
            try:
                image, features = (
                    budget.image(stored, name, made.size),
                    budget.features(stored, name, made.size),
                )
            except FileNotFoundError:  # removed from the store, which happens to old runs
                image, features = "", None
            found.append(Product(name, made.size, published if there else "", image, features))
    return found


@dataclass(slots=True)
class Budget:
    """How much may still be put into the report: bytes of images, images, images made smaller, bytes counted in."""

    bytes: int = TOGETHER
    shown: int = SHOWN
    shrunk: int = SHRUNK
    counted: int = COUNTED

    def image(self, path: str, name: str, size: int) -> str:
        """Return a data URL of the image, made smaller where it is large; empty where there is no room."""
        ending = name[name.rfind(".") :].lower()
        kind = IMAGES.get(ending, "")
        if not kind or not self.shown:
            return ""
        limit = MOVING if ending == ".gif" else AS_IT_IS
        if size <= min(limit, self.bytes):
            data = Path(path).read_bytes()
        elif size <= READABLE and self.shrunk:
            self.shrunk -= 1
            kind, data = "image/webp", _shrink(path)
        else:
            return ""
        if not data or len(data) > self.bytes:
            return ""
        self.bytes -= len(data)
        self.shown -= 1
        return f"data:{kind};base64,{base64.b64encode(data).decode()}"

    def features(self, path: str, name: str, size: int) -> int | None:
        """Return the number of features of a GeoJSON file."""
        if not name.lower().endswith(".geojson") or size > self.counted:
            return None
        self.counted -= size
        try:
            data = orjson.loads(Path(path).read_bytes())
        except orjson.JSONDecodeError:
            return None
        found = data.get("features") if isinstance(data, dict) else None
        return len(found) if isinstance(found, list) else None


def _shrink(path: str) -> bytes:
    """Return the first picture of an image file, small, as WebP; empty where it cannot be read."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path)
        with image:
            small = image.convert("RGBA").reduce(-(-max(image.size) // SIDE))
            made = io.BytesIO()
            small.save(made, "WEBP", quality=80, method=0)
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
        OSError,
        ValueError,
        SyntaxError,
    ):
        return b""  # what a task calls an image need not be one
    return made.getvalue()
