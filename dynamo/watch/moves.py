"""Moves: subscribers post where they are, over HTTP.

Enters: ``PUT /subscribers/{id}/position`` with a bearer token and ``{"lon": ..., "lat": ..., "time": ...}``. Leaves: a
position in the journal, durable before it is answered with 204. Goes wrong: what is told to who asked, as problem
details (RFC 9457); nothing is raised.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from dynamo.alerts.positions import AHEAD, Position, record_positions
from dynamo.alerts.subscriber import Subscribers
from dynamo.errors import DynamoError, UserError, nearest
from dynamo.graph.units import format_seconds
from dynamo.watch.people import People
from dynamo.watch.problems import problem
from dynamo.watch.swapped import Whereabouts

__all__ = ["Door", "Moves"]

log = logging.getLogger(__name__)

#: Bytes of a body at most, and seconds in which it must come.
LIMIT = 4096
PATIENCE = 10.0
_KEYS = ("lon", "lat", "time")


@dataclass(frozen=True, slots=True)
class Door:
    """Who may post positions of whom.

    Parameters
    ----------
    feed
        The feed's name.
    token
        What must be shown. Never shown by us.
    keep
        Seconds for which a position holds.
    people
        The subscribers.
    """

    feed: str
    token: str = field(repr=False)
    keep: float
    people: People


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class Moves:
    """Takes positions, as many at a time as come: those that wait share a transaction.

    Parameters
    ----------
    journal
        The file.
    doors
        Returns those that are open, asked at each request.
    """

    def __init__(self, journal: Path, doors: Callable[[], Iterable[Door]]) -> None:
        self._journal, self._doors = journal, doors
        self._waiting: list[tuple[Position, asyncio.Future[float | None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._known: dict[str, tuple[Subscribers, Whereabouts]] = {}

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        """Return what a server answers with this."""
        return [web.put("/subscribers/{id}/position", self._put)]

    async def _put(self, request: web.Request) -> web.Response:
        try:
            await self._take(request)
        except _Refused as refused:
            bearer = {"WWW-Authenticate": "Bearer"} if refused.status == HTTPStatus.UNAUTHORIZED else None
            return problem(refused.status, refused.detail, bearer)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _take(self, request: web.Request) -> None:
        subscriber, now = request.match_info["id"], time.time()
        allowed = self._allowed(request.headers.get("Authorization", ""))
        doors = [door for door in allowed if subscriber in door.people]
        if not doors:
            raise _Refused(HTTPStatus.NOT_FOUND, f"there is no subscriber {subscriber!r}")
        lon, lat, moment = _read(await _body(request), now)
        fresh = [door for door in doors if moment > now - door.keep]
        if not fresh:
            longest = format_seconds(max(door.keep for door in doors))
            raise _Refused(HTTPStatus.CONFLICT, f"the position is older than {longest}; none holds longer")
        try:
            posted = [Position(door.feed, subscriber, lon, lat, moment) for door in fresh]
        except UserError as error:
            raise _Refused(HTTPStatus.UNPROCESSABLE_ENTITY, error.message) from None
        if all(wrong := [await self._swapped(door, lon, lat) for door in fresh]):
            raise _Refused(HTTPStatus.UNPROCESSABLE_ENTITY, wrong[0])
        later = await asyncio.gather(*map(self._keep, posted))
        if (known := later[0]) is not None and None not in later:
            at = datetime.fromtimestamp(known, UTC).isoformat(timespec="milliseconds")
            raise _Refused(HTTPStatus.CONFLICT, f"a later position is known, of {at}")

    async def _swapped(self, door: Door, lon: float, lat: float) -> str:
        """Return that a position must be swapped, by where the others of a feed are; they are looked at once."""
        people = door.people.known
        before, where = self._known.get(door.feed, (None, None))
        if where is None or before is not people:
            where = await asyncio.to_thread(Whereabouts, people)
            self._known[door.feed] = people, where
        return where.wrong(lon, lat)

    def _allowed(self, header: str) -> list[Door]:
        kind, _, token = header.partition(" ")
        shown = token.strip().encode("utf-8", "surrogateescape")
        doors = list(self._doors())
        if not doors:
            raise _Refused(HTTPStatus.NOT_FOUND, "no run file of this watch takes positions")
        if kind.lower() != "bearer" or not shown:
            raise _Refused(HTTPStatus.UNAUTHORIZED, "expected the header 'Authorization: Bearer TOKEN'")
        # Each is compared, whichever fits, and in the same time wherever they differ.
        allowed = [door for door in doors if hmac.compare_digest(door.token.encode(), shown)]
        if not allowed:
            raise _Refused(HTTPStatus.UNAUTHORIZED, "this is not the right token")
        return allowed

    # Writing

    def _keep(self, position: Position) -> asyncio.Future[float | None]:
        """Have a position written with those that wait; the result is the time of a later one."""
        kept: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((position, kept))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return kept

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._record(batch)
        finally:  # however it ends, the next post begins anew
            self._writing = None

    async def _record(self, batch: Sequence[tuple[Position, asyncio.Future[float | None]]]) -> None:
        positions = [position for position, _ in batch]
        try:
            later = await asyncio.to_thread(record_positions, self._journal, positions)
        except Exception as error:  # whatever it is, who asked must not wait for ever
            if isinstance(error, DynamoError):
                log.error("positions cannot be kept: %s", error.message)  # noqa: TRY400 - the machine's fault
            else:
                log.exception("positions cannot be kept")
            full = _Refused(HTTPStatus.SERVICE_UNAVAILABLE, "it cannot be kept now; try again")
            for _, kept in batch:
                if not kept.done():  # who asked has gone meanwhile
                    kept.set_exception(full)
        else:
            for (_, kept), known in zip(batch, later, strict=True):
                if not kept.done():
                    kept.set_result(known)
        finally:
            for _, kept in batch:
                kept.cancel()  # where the writer was stopped; nothing where it is answered


async def _body(request: web.Request) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > LIMIT:
                    raise _Refused(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {LIMIT} bytes"
                    )
    except TimeoutError:
        raise _Refused(HTTPStatus.REQUEST_TIMEOUT, f"the body took more than {PATIENCE:g} s") from None
    return body


def _read(body: bytes, now: float) -> tuple[float, float, float]:
    """Return longitude, latitude and Unix seconds of a body."""

    def wrong(detail: str) -> _Refused:
        return _Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail)

    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise wrong(f"the body is not JSON, as it must be whatever its Content-Type: {error.msg}") from None
    if not isinstance(said, dict):
        raise wrong('expected an object like {"lon": -97.1, "lat": 32.75}')
    for key in said:
        if key not in _KEYS:
            raise wrong(f"unknown key {key!r}{nearest(key, _KEYS)}; known are {', '.join(_KEYS)}")
    for key in _KEYS[:2]:
        if isinstance(said.get(key), bool) or not isinstance(said.get(key), int | float):
            raise wrong(f"{key!r} is {'no number' if key in said else 'missing'}; expected degrees")
    moment = _time(said["time"]) if "time" in said else now
    if moment is None:
        raise wrong("'time' is no time like 2026-03-25T05:00:00Z")
    if (ahead := moment - now) > AHEAD:
        said = f"'time' is {format_seconds(ahead)} ahead of our clock; up to {AHEAD:g} s counts as now"
        raise wrong(f"{said}: is a clock wrong?")
    return said["lon"], said["lat"], moment


def _time(said: Any) -> float | None:
    try:
        moment = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return None if moment.tzinfo is None else moment.timestamp()
