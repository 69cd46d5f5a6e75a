"""Canonical JSON and the digests over it.

Enters: JSON values. Leaves: bytes that are equal exactly when the values are, and their SHA-256 in hex.
Goes wrong: a value that JSON cannot carry is an error here, never a silent ``null``.
"""

from __future__ import annotations

import hashlib
import math
from typing import TypeAlias

import orjson

__all__ = ["JSON", "NotJSON", "canonical", "digest", "to_json"]

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

_LARGEST = 2**63


class NotJSON(TypeError):
    """A value has no faithful JSON form; the message names the part that has none."""


def to_json(value: object, where: str = "value") -> JSON:
    """Return `value` as plain JSON.

    Tuples, ranges and NumPy arrays become lists, NumPy scalars numbers. Anything else that JSON cannot
    carry (NaN and infinity too) raises `NotJSON`, which names `where` in the value it stands.
    """
    kind = type(value)
    if kind is str:
        return _text(value, where)  # type: ignore[arg-type]
    if kind is bool or value is None:
        return value  # type: ignore[return-value]
    if kind is int:
        return _whole(value, where)  # type: ignore[arg-type]
    if kind is float:
        return _finite(value, where)  # type: ignore[arg-type]
    return _compound(value, where)


def _whole(value: int, where: str) -> int:
    if -_LARGEST <= value < 2 * _LARGEST:
        return value
    raise NotJSON(f"{where} is {value}, which does not fit 64 bits")


def _text(value: str, where: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise NotJSON(f"{where} is {value!r}, which is not valid text") from None
    return value


def _finite(value: float, where: str) -> float:
    if math.isfinite(value):
        return value
    raise NotJSON(f"{where} is {value}, which JSON cannot carry")


def _compound(value: object, where: str) -> JSON:
    if isinstance(value, (list, tuple, range)):
        return [to_json(v, f"{where}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise NotJSON(f"{where} has the key {key!r}; keys must be text")
            _text(key, where)
        return {key: to_json(v, f"{where}.{key}") for key, v in value.items()}
    if isinstance(value, str):
        return _text(str.__str__(value), where)
    tolist = getattr(value, "tolist", None)  # NumPy arrays and scalars, without importing NumPy
    if callable(tolist):
        return to_json(tolist(), where)
    raise NotJSON(
        f"{where} is a {type(value).__name__}; parameters are JSON: numbers, text, lists and dicts of these"
    )


def canonical(value: JSON) -> bytes:
    """Return the one JSON text of `value`: keys sorted, no spaces, shortest floats, UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(value: JSON) -> str:
    """Return the SHA-256 (hex) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical(value)).hexdigest()
