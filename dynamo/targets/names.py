"""Names that every scheduler takes: letters, digits and ``. _ + -``, no longer than a file name may be."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

__all__ = ["safe", "safe_names"]

_OTHERS = re.compile(r"[^A-Za-z0-9._+-]+")
_LONGEST = 100


def safe(name: str) -> str:
    """Return `name` where all schedulers take it, else what is left of it with a digest, the suffix kept.

    >>> safe("reflectivity_00.nc"), safe("storm 1/grid.nc")
    ('reflectivity_00.nc', 'storm_1_grid-9023369a.nc')
    """
    plain = _OTHERS.sub("_", name).lstrip(".-+")
    if plain == name and len(name) <= _LONGEST:
        return name
    stem, dot, suffix = plain.rpartition(".")
    if not dot or not stem or len(suffix) > 10:
        stem, dot, suffix = plain, "", ""
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{stem[:_LONGEST] or '_'}-{mark}{dot}{suffix}"


def safe_names(names: Iterable[str], others: Iterable[str] = ()) -> dict[str, str]:
    """Return a safe name for each; no two are alike, nor like `others`, also where letters' case does not count."""
    found: dict[str, str] = {}
    taken = {other.lower() for other in others}
    for name in names:
        if name in found:
            continue
        plain = safe(name)
        if plain.lower() in taken:
            mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
            plain = f"{mark}-{plain[-_LONGEST:]}"
        taken.add(plain.lower())
        found[name] = plain
    return found
