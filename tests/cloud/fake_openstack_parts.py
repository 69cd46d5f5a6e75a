"""What the services of the fake OpenStack share: requests, answers, failures, pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode


@dataclass
class Request:
    """A request: of a service, with the path below its URL."""

    method: str
    service: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]
    base: str


@dataclass
class Answer:
    """An answer; a body that is text is sent as HTML, None as nothing."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Failure(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.answer = Answer(status, body)


def page(things: list[dict[str, Any]], query: dict[str, str], most: int) -> tuple[list[dict[str, Any]], str]:
    """Return a page of things and the marker of the next; a marker that is not there raises `KeyError`."""
    first = 0
    if marker := query.get("marker"):
        first = (
            [one["id"] for one in things].index(marker) + 1 if marker in {one["id"] for one in things} else -1
        )
        if first < 0:
            raise KeyError(marker)
    size = min(int(query.get("limit", most)), most)
    shown = things[first : first + size]
    return shown, shown[-1]["id"] if first + size < len(things) else ""


def next_link(request: Request, marker: str, prefix: str) -> list[dict[str, str]]:
    """Return the link to the next page, as Nova and Neutron write it."""
    query = urlencode({**request.query, "marker": marker})
    return [{"rel": "next", "href": f"{request.base}{prefix}{request.path}?{query}"}]
