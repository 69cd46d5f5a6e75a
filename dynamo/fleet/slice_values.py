"""Read single values of a slice document, and tell what is wrong with them in plain words."""

from __future__ import annotations

import re
from typing import Any

from dynamo.graph.units import parse_bytes
from dynamo.runfile.faults import say
from dynamo.runfile.values import At, Read, Tell

__all__ = ["each", "memory", "named", "option", "parse_bandwidth", "port", "tuple_of", "usd", "whole"]

_RATE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([kKMGT]?)(b|bit)(/s|ps)\s*")
_FACTOR = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def parse_bandwidth(value: Any) -> float:
    """Return bits a second of a text like ``500 Mb/s``; raises `ValueError` in plain words.

    >>> parse_bandwidth("1.5 Gb/s")
    1500000000.0
    """
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if not match:
        hint = "; MB/s would be bytes: write bits" if isinstance(value, str) and "B" in value else ""
        raise ValueError(f"{say(value)} is not a bandwidth like '500 Mb/s' (b/s, kb/s, Mb/s, Gb/s){hint}")
    rate = float(match[1]) * _FACTOR[match[2]]
    if not rate:
        raise ValueError("no bandwidth at all; leave the key out for no limit")
    return rate


def memory(value: Any) -> int:
    """Return bytes of a text like ``4 GiB``; raises `ValueError` in plain words."""
    size = parse_bytes(value)
    if size < 2**20:
        raise ValueError(f"{say(value)} is no memory for a machine; give it a unit, like '4 GiB'")
    return size


def whole(value: Any, at: At, tell: Tell) -> Any:
    """Read a whole number from 0."""
    if type(value) is not int:
        tell.expected("a whole number", value, at)
    elif value < 0:
        tell(at, f"should be at least 0, not {value}")
    return value


def usd(value: Any, at: At, tell: Tell) -> Any:
    """Read US dollars."""
    if type(value) not in (int, float):
        tell.expected("a number of US dollars", value, at)
    elif value < 0:
        tell(at, f"should be at least 0, not {value}")
    else:
        return float(value)
    return None


def option(value: Any, at: At, tell: Tell) -> Any:
    """Read what only the driver knows: a text, a number or a truth value, as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        tell(at, "expected text, a number, true or false, as a key of the driver has")
    return str(value)


def tuple_of(read: Read) -> Read:
    """Read a list by `read`, as a tuple."""

    def inner(value: Any, at: At, tell: Tell) -> Any:
        found = read(value, at, tell)
        return tuple(found) if isinstance(found, list) else ()

    return inner


def each(one: Read) -> Read:
    """Read a list, each of whose values is read by `one`."""

    def read(value: Any, at: At, tell: Tell) -> Any:
        if not isinstance(value, list):
            tell.expected("a list", value, at)
            return ()
        return tuple(one(inner, (*at, index), tell) for index, inner in enumerate(value))

    return read


def named(one: Read, what: str) -> Read:
    """Read a mapping of names that the user gives, each to what is read by `one`."""

    def read(value: Any, at: At, tell: Tell) -> Any:
        if not isinstance(value, dict):
            tell.expected(f"a mapping of {what}", value, at)
            return {}
        return {name: one(inner, (*at, name), tell) for name, inner in value.items()}

    return read


def port(value: Any, at: At, tell: Tell) -> Any:
    """Read the number of a port."""
    if type(value) is not int or not 0 < value < 65536:
        tell.expected("a port from 1 to 65535", value, at)
    return value
