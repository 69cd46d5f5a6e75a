"""The build context: what goes into the image of the pool, as one tar archive.

dynamo goes in as it is installed here, from a source tree or a wheel, and its libraries in the versions of this
machine, so that what runs there is what runs here.
"""

from __future__ import annotations

import io
import os
import ssl
import tarfile
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dynamo.errors import UserError

__all__ = ["build_context", "requirements"]

_DISTRIBUTION = "dynamo-weather"
#: What the jobs of a pool may need beyond the plain install, the bindings to submit with, and what a fleet needs.
_EXTRAS = ("all", "fleet", "grib", "nexrad", "xarray", "htcondor")
_SCRIPT = "#!/opt/dynamo/bin/python\nimport sys\n\nfrom {module} import {name}\n\nsys.exit({name}())\n"


def build_context(recipe: Path) -> bytes:
    """Return the tar archive that Docker builds from: the files of `recipe`, dynamo and its libraries."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for path in sorted(recipe.rglob("*")):
            if path.is_file() and path.suffix not in (".py", ".pyc", ".md"):
                _add(archive, str(path.relative_to(recipe)), path.read_bytes(), path.stat())
        _add(archive, "authorities.crt", _authorities())
        _add(archive, "requirements.txt", "\n".join([*requirements(), ""]).encode())
        for name, path in _code():
            _add(archive, f"site/{name}", path.read_bytes(), path.stat())
        for name, text in _installation():
            _add(archive, name, text.encode())
    return whole.getvalue()


def requirements() -> list[str]:
    """Return what `pip` shall install beside dynamo: its libraries, ``name==version`` where one is here."""
    found: dict[str, str] = {}
    waiting = [(text, extra) for text in _ours().requires or () for extra in ("", *_EXTRAS)]
    while waiting:
        text, extra = waiting.pop()
        one = Requirement(text)
        key = canonicalize_name(one.name)
        if key == _DISTRIBUTION or key in found or (one.marker and not one.marker.evaluate({"extra": extra})):
            continue
        try:
            there = metadata.distribution(one.name)
        except metadata.PackageNotFoundError:
            found[key] = f"{one.name}{one.specifier}"
            continue
        found[key] = f"{one.name}=={there.version}"
        waiting += [(needed, of) for needed in there.requires or () for of in ("", *one.extras)]
    return sorted(found.values(), key=str.lower)


def _code() -> Iterator[tuple[str, Path]]:
    """Name each file of the package as it is installed; some packages lie elsewhere in a source tree."""
    for package in ("dynamo", "dynamo.containers", "dynamo.provisioners", "dynamo.workflows"):
        folder = Path(import_module(package).__path__[0])
        place = package.replace(".", "/")
        for path in sorted(folder.rglob("*")):
            inner = path.relative_to(folder)
            if path.is_file() and "__pycache__" not in inner.parts:
                yield f"{place}/{inner}", path


def _installation() -> Iterator[tuple[str, str]]:
    """What an installer would write beside the code: the metadata with the entry points, and the two commands."""
    ours = _ours()
    folder = f"site/dynamo_weather-{ours.version}.dist-info"
    yield f"{folder}/METADATA", ours.read_text("METADATA") or ""
    yield f"{folder}/entry_points.txt", ours.read_text("entry_points.txt") or ""
    yield f"{folder}/INSTALLER", "dynamo\n"
    for script in ours.entry_points.select(group="console_scripts"):
        yield f"bin/{script.name}", _SCRIPT.format(module=script.module, name=script.attr)


def _ours() -> metadata.Distribution:
    """Return what is installed, not what an earlier build left in a source tree that is also looked into."""
    for one in metadata.distributions(name=_DISTRIBUTION):
        if one.read_text("METADATA"):
            return one
    raise UserError(
        f"{_DISTRIBUTION} is not installed as a package here: pip install it (-e for a source tree)"
    )


def _authorities() -> bytes:
    """Return the certificates of the authorities that this machine trusts, as ``pip`` here finds them."""
    usual = ssl.get_default_verify_paths()
    named = [os.environ.get(name) for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")]
    for place in (*named, usual.cafile, "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/cert.pem"):
        if place and Path(place).is_file():
            return Path(place).read_bytes()
    raise UserError(
        "no certificates of authorities on this machine, so the image's libraries cannot be fetched: "
        "install ca-certificates, or set SSL_CERT_FILE"
    )


def _add(archive: tarfile.TarFile, name: str, content: bytes, like: os.stat_result | None = None) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mtime = int(like.st_mtime) if like else 0
    runs = name.startswith("bin/") or (like is not None and like.st_mode & 0o100)
    entry.mode = 0o755 if runs else 0o644
    archive.addfile(entry, io.BytesIO(content))
