"""Convert requests of the older form, one JSON object for each node, into a slice; say what cannot be carried over.

The form is that of the REST service that provisioned such workflows before: fields ``site, cpus, gpus, ramPerCpus,
diskPerCpus`` (MB), ``leaseStart, leaseEnd`` (Unix seconds), ``hostNamePrefix, networkCidr, bandwidth`` (bits a second),
``imageName, postBootScript, stitchPortUrl, forceflavor`` and others. Numbers may be texts, and JSON may stand in JSON.

Enters: the text of a file. Leaves: a slice as plain values, which is right in form, and what was lost. Goes wrong:
`UserError`, where no request can be found. No value of a field is shown in a reason but what is plainly no secret.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynamo.errors import UserError
from dynamo.fleet.older_fields import FIELDS, carry, lost_fields
from dynamo.fleet.older_values import Carried, Lost, host_name

__all__ = ["Converted", "convert", "read_older"]

_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Converted:
    """A slice as plain values, and what could not be carried over into it."""

    slice: dict[str, Any]
    lost: list[Lost] = field(default_factory=list)


def read_older(path: Path) -> list[dict[str, Any]]:
    """Return the requests of a file; raises `UserError` where there are none."""
    try:
        value = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text") from None
    except RecursionError:
        raise UserError(f"{path}: nested too deep for requests") from None
    except ValueError as error:
        raise UserError(f"{path}: is no JSON: {error}") from None
    found = list(_requests(value, 0))
    if not found:
        raise UserError(
            f"{path}: holds no request of the older form, which has fields like {', '.join(FIELDS[:4])}"
        )
    return found


def _requests(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    """Yield all that looks like a request, however it is wrapped."""
    if depth > _DEEPEST:
        raise UserError("nested too deep for requests of the older form")
    value = _decoded(value)
    if isinstance(value, list):
        some = [_decoded(one) for one in value]
        for number, one in enumerate(some, 1):
            if not isinstance(one, dict | list) and any(map(_is_request, some)):
                raise UserError(f"entry {number} of a list of requests is none: {json.dumps(one)[:40]}")
            yield from _requests(one, depth + 1)
    elif isinstance(value, dict):
        if _is_request(value):
            yield {name: _decoded(one) for name, one in value.items()}
        else:
            for one in value.values():
                yield from _requests(one, depth + 1)


def _is_request(value: Any) -> bool:
    return isinstance(value, dict) and not value.keys().isdisjoint(FIELDS)


def _decoded(value: Any) -> Any:
    """Return what a text that is JSON itself says; anything else as it is."""
    for _ in range(3):
        if not isinstance(value, str) or value.strip()[:1] not in {"{", "[", '"'}:
            break
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            break
    return value


def convert(requests: list[dict[str, Any]], name: str, *, named: bool = False) -> Converted:
    """Return requests as a slice.

    Requests of the same host name and the same content are one group of several machines; of the same host name and
    other content, groups of their own. The slice is called `name`, or as the requests say where it is not `named`.
    """
    said = next((str(one["sliceName"]) for one in requests if one.get("sliceName")), "")
    slice_: dict[str, Any] = {"slice": host_name(name if named or not said else said, "slice")}
    slice_ |= {"providers": {}, "networks": {}, "nodes": {}}
    lost: list[Lost] = []
    counts = Counter(_same(one) for one in requests)
    for number, request in enumerate(requests, 1):
        count = counts.pop(_same(request), 0)
        if not count:
            continue  # one of those that were counted
        carried = Carried(slice_, lost, str(number))
        carry(request, carried, count)
        lost_fields(request, carried)
    if not slice_["networks"]:
        del slice_["networks"]
    _limit(slice_, lost)
    return Converted(slice_, lost)


def _same(request: Mapping[str, Any]) -> str:
    return json.dumps(request, sort_keys=True)


def _limit(slice_: dict[str, Any], lost: list[Lost]) -> None:
    """Limit the cores to what the requests add up to, where all of them say it."""
    groups = slice_["nodes"].values()
    reason = "the older form had none: give `limits` of cores and of US dollars"
    if groups and all(isinstance(one["size"], dict) for one in groups):
        slice_["limits"] = {"cores": sum(one["count"] * one["size"]["cores"] for one in groups)}
        reason = "the older form had none: `cores` is what the requests add up to; give a budget too"
    lost.append(Lost("all", "limits", reason))
