"""GeoJSON FeatureCollections: a file in, what it says of itself and its features out.

What can go wrong is a `DataError` that names the file and the place in it: missing, damaged, no JSON, none of
these collections.
"""

from __future__ import annotations

import gzip
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from dynamo.errors import DataError, Place

__all__ = ["Feature", "NoCollectionError", "read_bytes", "read_collection"]


# How a ZIP file begins (APPNOTE 4.3.7), which the files of spreadsheets are.
_ARCHIVE = b"PK\x03\x04"


class NoCollectionError(DataError):
    """A file of JSON is whole, but no FeatureCollection."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of a collection, and where it stands."""

    path: Path
    number: int
    id: Any
    geometry: Any
    properties: dict[str, Any]

    def fault(self, message: str) -> DataError:
        """Return the error that says this of the feature."""
        name = f" ({self.id!r})" if isinstance(self.id, str | int) else ""
        return DataError(f"feature {self.number}{name}: {message}", place=Place(str(self.path)))


def read_bytes(path: Path) -> bytes:
    """Return the content of a file of text, decompressed if its name ends in ``.gz``, without a byte order mark.

    Raises
    ------
    DataError
        It cannot be read, its compressed data are damaged, or it is no text as UTF-8 is.
    """
    place = Place(str(path))
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    except EOFError:
        raise DataError("the file is truncated: its compressed data end too early", place=place) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"the file is not gzip, or damaged: {error}", place=place) from error
    except OSError as error:
        raise DataError(f"the file cannot be read: {error.strerror or error}", place=place) from error
    if data.startswith(_ARCHIVE):
        raise DataError(
            "the file is a spreadsheet or another archive; save it as CSV or GeoJSON", place=place
        )
    if data[:2] in {BOM_UTF16_LE, BOM_UTF16_BE} or b"\0" in data[:64]:
        raise DataError("the file is not UTF-8 but UTF-16, or no text; save it as UTF-8", place=place)
    return data.removeprefix(BOM_UTF8)


def read_collection(path: Path) -> tuple[dict[str, Any], list[Feature]]:
    """Return what a FeatureCollection says beside its features (foreign members too), and the features.

    Raises
    ------
    NoCollectionError
        It is JSON, but no FeatureCollection.
    DataError
        It is no JSON, or its features are none.
    """
    data = read_bytes(path)
    if not data.strip():
        raise DataError("the file is empty; expected a GeoJSON FeatureCollection", place=Place(str(path)))
    try:
        said = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        cut = " (truncated?)" if error.pos >= len(error.doc.rstrip()) else ""
        place = Place(str(path), error.lineno, error.colno)
        raise DataError(f"the file is not JSON{cut}: {error.msg}", place=place) from error
    if not isinstance(said, dict) or said.get("type") != "FeatureCollection":
        raise NoCollectionError(
            f"the file holds {_kind(said)}; expected a GeoJSON FeatureCollection", place=Place(str(path))
        )
    features = said.pop("features", None)
    if not isinstance(features, list):
        raise DataError("the collection has no list of features", place=Place(str(path)))
    return said, [_feature(path, number, feature) for number, feature in enumerate(features, 1)]


def _kind(said: Any) -> str:
    """Say what a value of JSON is."""
    if not isinstance(said, dict):
        return {list: "a list", str: "a text", type(None): "null"}.get(type(said), "a number or truth value")
    if isinstance(kind := said.get("type"), str):
        return f"a {kind[:40]}"
    keys = ", ".join(repr(key[:20]) for key in list(said)[:4]) + (", ..." if len(said) > 4 else "")
    return f"JSON that is no GeoJSON (its keys: {keys or 'none'})"


def _feature(path: Path, number: int, said: Any) -> Feature:
    if not isinstance(said, dict) or said.get("type") != "Feature":
        raise DataError(f"feature {number} is no Feature", place=Place(str(path)))
    properties = said.get("properties") or {}
    if not isinstance(properties, dict):
        raise DataError(f"the properties of feature {number} are no object", place=Place(str(path)))
    return Feature(path, number, said.get("id"), said.get("geometry"), properties)
