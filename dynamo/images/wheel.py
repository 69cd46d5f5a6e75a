"""dynamo as it is installed here, from a source tree or a wheel, as a wheel again: the same bytes each time."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path

from dynamo.errors import UserError

__all__ = ["make_wheel"]

_DISTRIBUTION = "dynamo-weather"
#: Packages that lie in other folders where dynamo is installed for editing.
_PACKAGES = ("dynamo", "dynamo.workflows", "dynamo.containers")
_WHEEL = "Wheel-Version: 1.0\nGenerator: dynamo\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def make_wheel() -> tuple[str, bytes]:
    """Return the name and the bytes of a wheel of what is installed (the binary distribution format of PyPA).

    Raises `UserError` where dynamo is no installed package.
    """
    ours = _ours()
    folder = f"dynamo_weather-{ours.version}.dist-info"
    files = {name: path.read_bytes() for name, path in _code()}
    for name in ("METADATA", "entry_points.txt"):
        files[f"{folder}/{name}"] = (ours.read_text(name) or "").encode()
    files[f"{folder}/WHEEL"] = _WHEEL.encode()
    record = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in files.items()]
    files[f"{folder}/RECORD"] = "\n".join([*record, f"{folder}/RECORD,,", ""]).encode()
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0)), content)
    return f"dynamo_weather-{ours.version}-py3-none-any.whl", whole.getvalue()


def _ours() -> metadata.Distribution:
    """Return what is installed, not what an earlier build left in a source tree that is also looked into."""
    for one in metadata.distributions(name=_DISTRIBUTION):
        if one.read_text("METADATA"):
            return one
    raise UserError(
        f"{_DISTRIBUTION} is not installed as a package here: pip install it (-e for a source tree)"
    )


def _code() -> Iterator[tuple[str, Path]]:
    for package in _PACKAGES:
        folder = Path(import_module(package).__path__[0])
        inside = {p.rpartition(".")[2] for p in _PACKAGES if p != package and p.startswith(f"{package}.")}
        for path in sorted(folder.rglob("*")):
            inner = path.relative_to(folder)
            if path.is_file() and "__pycache__" not in inner.parts and inner.parts[0] not in inside:
                yield f"{package.replace('.', '/')}/{inner}", path


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
