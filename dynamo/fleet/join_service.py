"""The join service: where workers exchange their join tokens, over HTTPS, with a certificate that they know.

Enters: ``POST /join`` with a bearer token and a small form (``worker``, ``order``, ``nonce``). Leaves: 200 with the
token of HTCondor on the first line, behind it for an access point the key of its queue and a token for who submits
there, and the configuration below. Goes wrong: what is told to who asked, in words: 403 refused, 413, 429 too often,
503 when the pool cannot sign; nothing is raised.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, Self

from aiohttp import web

from dynamo.errors import DynamoError, InfrastructureError
from dynamo.fleet.certificate import Certificate
from dynamo.fleet.door import Door
from dynamo.fleet.join import JoinDesk, JoinRefusedError, JoinRequest, JoinStore, Ticket, digest
from dynamo.fleet.queue_key import QueueKeys
from dynamo.fleet.seldom import Seldom
from dynamo.fleet.trust import ASKING, AUTHORIZATIONS, Signer
from dynamo.fleet.worker_config import PoolPlace, worker_config

__all__ = ["Allowance", "Gate", "JoinCounts", "JoinService"]

log = logging.getLogger(__name__)

#: Bytes of a body at most, and seconds in which it must come.
_LIMIT = 4096
_PATIENCE = 10.0
#: Tokens are signed so many at a time, and so many machines wait for it at most: no longer than they wait for us, also
#: where the central manager takes 2 s for each.
_SIGNERS = 4
_WAITING = 40
#: Answers that are kept for who asks again.
_ANSWERS = 500


class Allowance:
    """How often somebody may be refused: `most` times within `seconds`, for at most `known` addresses.

    Who is never refused never waits: a hundred workers behind one address may join at once.
    """

    def __init__(self, most: int = 10, seconds: float = 60.0, known: int = 10_000) -> None:
        self._most, self._seconds, self._known = most, seconds, known
        self._refused: OrderedDict[str, deque[float]] = OrderedDict()

    def spent(self, who: str, now: float) -> bool:
        """Tell whether an address was refused too often just now."""
        times = self._refused.get(who)
        while times and times[0] <= now - self._seconds:
            times.popleft()
        return times is not None and len(times) >= self._most

    def refused(self, who: str, now: float) -> None:
        """Count a refusal."""
        self._refused.setdefault(who, deque(maxlen=self._most)).append(now)
        self._refused.move_to_end(who)
        while len(self._refused) > self._known:
            self._refused.popitem(last=False)


class Gate(Protocol):
    """How workers come to the pool; called from several threads. `dynamo.fleet.tunnels` is one."""

    def place(self, worker: str, place: PoolPlace, public: str) -> tuple[PoolPlace, str]:
        """Return where a worker finds the pool, and what its configuration has besides; raises `JoinRefusedError`."""

    def admit(self, worker: str, public: str) -> None:
        """Let a worker that has joined come; raises `InfrastructureError` where that cannot be done now."""


class _Open:
    """Nothing stands between."""

    def place(self, _worker: str, place: PoolPlace, _public: str) -> tuple[PoolPlace, str]:
        return place, ""

    def admit(self, worker: str, public: str) -> None:
        """Let it come."""


@dataclass(slots=True)
class JoinCounts:
    """What the service has done since it began: joined, refused by reason, and not signed for."""

    joined: int = 0
    failed: int = 0
    refused: dict[str, int] = field(default_factory=dict)


class JoinService:
    """Lets workers join, in a thread of its own; a context manager.

    Parameters
    ----------
    open_store
        Opens the store of tickets; called in the thread that uses it.
    signer
        Signs tokens; called from several threads.
    place
        The pool that is joined.
    certificate
        Of the service.
    keys
        Makes the keys by which the fleet reads the queues of access points.
    host, port
        Where it listens; port 0 is one that is free.
    clock
        Gives Unix seconds.
    gate
        How workers come to the pool; by themselves where there is none.
    """

    def __init__(
        self,
        open_store: Callable[[], JoinStore],
        signer: Signer,
        place: PoolPlace,
        certificate: Certificate,
        keys: QueueKeys,
        *,
        host: str,
        port: int = 0,
        clock: Callable[[], float] = time.time,
        gate: Gate | None = None,
    ) -> None:
        self._open_store, self._signer, self._place, self._keys = open_store, signer, place, keys
        self._certificate, self._host, self.port = certificate, host, port
        self._clock, self._gate = clock, gate or _Open()
        self._allowance = Allowance()
        self._door: Door | None = None
        self._seldom = Seldom(log)
        # What is told to who asks, or will be, by what he sent: who asks again is signed for once.
        self._answers: OrderedDict[str, asyncio.Task[str]] = OrderedDict()
        self.counts = JoinCounts()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="join-service", daemon=True)
        self._began = threading.Event()
        self._failed: Exception | None = None
        self._store: JoinStore | None = None
        # One thread has the store open: what it does for two machines, it does one after the other.
        self._books = ThreadPoolExecutor(1, "join-books")
        self._signing = ThreadPoolExecutor(_SIGNERS, "join-signer")

    def __enter__(self) -> Self:
        self._thread.start()
        self._began.wait()
        if self._failed is not None:
            self.__exit__()
            raise InfrastructureError(
                f"workers cannot join at {self._host}:{self.port}: {self._failed}"
            ) from self._failed
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._signing.shutdown()
        self._books.shutdown()

    def url(self, host: str = "") -> str:
        """Return where workers exchange their tokens, by the name or address that they know this machine by."""
        name = host or self._host
        return f"https://{f'[{name}]' if ':' in name else name}:{self.port}/join"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application(client_max_size=_LIMIT)
        app.router.add_post("/join", self._join)
        runner = web.AppRunner(app, access_log=None)
        try:
            self._loop.run_until_complete(self._begin(runner))
            self._began.set()
            self._loop.run_forever()
        except (OSError, DynamoError) as error:
            self._failed = error
        finally:
            if self._door is not None:
                self._loop.run_until_complete(self._door.close())
            self._loop.run_until_complete(runner.cleanup())
            self._books.submit(self._close_store).result()
            self._loop.close()
            self._began.set()

    def _close_store(self) -> None:
        close = getattr(self._store, "close", None)
        if close is not None:
            close()

    async def _begin(self, runner: web.AppRunner) -> None:
        self._store = await self._loop.run_in_executor(self._books, self._open_store)
        self._desk = JoinDesk(self._store)
        await runner.setup()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._certificate.file, self._certificate.key)
        assert runner.server is not None
        self._door = Door(runner.server, context)
        self.port = await self._door.open(self._host, self.port)

    async def _join(self, request: web.Request) -> web.Response:
        """Answer a request, of which a connection has one."""
        answer = await self._answer(request)
        answer.force_close()
        return answer

    async def _answer(self, request: web.Request) -> web.Response:
        who, now = request.remote or "", time.monotonic()
        if self._allowance.spent(who, now):
            return self._refuse("too many refusals of this address: wait a minute", 429)
        try:
            asked = await _read(request)
            assert self._door is not None
            self._door.asked(request.get_extra_info("peername"))
            return web.Response(text=await self._exchange(asked), headers={"Cache-Control": "no-store"})
        except JoinRefusedError as error:
            if error.status < 500:
                self._allowance.refused(who, now)
            return self._refuse(error.message, error.status)
        except DynamoError as error:  # also the `UserError` of a pool that was taken down under us
            self.counts.failed += 1
            self._seldom.warn(f"a worker could not be let join: {error.message}", now)
            return web.Response(status=503, text="the pool cannot sign a token now: try again\n")

    async def _exchange(self, asked: JoinRequest) -> str:
        """Return what is told to who may join: the same to who asks again, and it is signed once."""
        ticket = await self._loop.run_in_executor(self._books, self._desk.admit, asked, self._clock())
        key = digest(f"{asked.worker}\n{asked.token}\n{asked.nonce}\n{asked.public}")
        task = self._answers.get(key)
        if task is None:
            if sum(not one.done() for one in self._answers.values()) >= _WAITING:
                raise JoinRefusedError("too many workers join at once: try again", 503)
            task = self._answers[key] = self._loop.create_task(self._made(ticket, asked))
            while len(self._answers) > _ANSWERS:
                self._answers.popitem(last=False)
        try:
            return await task
        except BaseException:  # also when it is cancelled: who asks again is not told what came to nothing
            if self._answers.get(key) is task:
                del self._answers[key]
            raise

    async def _made(self, ticket: Ticket, asked: JoinRequest) -> str:
        """Sign first, then spend, then answer: a token that could not be spent leaves this machine never."""
        token, config = await self._loop.run_in_executor(self._signing, self._sign, ticket, asked.public)
        await self._loop.run_in_executor(self._books, self._desk.spend, ticket, asked, self._clock())
        await self._loop.run_in_executor(self._signing, self._gate.admit, ticket.worker, asked.public)
        self.counts.joined += 1
        log.info("the worker %s joined", ticket.worker)
        return f"{token}\n{config}"

    def _sign(self, ticket: Ticket, public: str) -> tuple[str, str]:
        place, more = self._gate.place(ticket.worker, self._place, public)
        left = ticket.dies - self._clock() + ticket.grace
        token = self._signer.sign(ticket.worker, left, AUTHORIZATIONS[ticket.role])
        if ticket.role == "submit":
            token += f" {self._keys.file(ticket.order)} {self._signer.sign(ticket.worker, left, ASKING)}"
        return token, worker_config(place, ticket) + more

    def _refuse(self, why: str, status: int) -> web.Response:
        self.counts.refused[why] = self.counts.refused.get(why, 0) + 1
        self._seldom.warn(f"a machine was refused: {why}", time.monotonic())
        return web.Response(status=status, text=f"{why}\n")


async def _read(request: web.Request) -> JoinRequest:
    """Return what was sent; raises `JoinRefusedError` where that is no such request."""
    try:
        async with asyncio.timeout(_PATIENCE):
            form = await request.post()
    except web.HTTPRequestEntityTooLarge:
        raise JoinRefusedError(f"a request has at most {_LIMIT} bytes", 413) from None
    except (TimeoutError, ValueError):
        raise JoinRefusedError("this is no request to join", 400) from None
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    worker, order, nonce = (form.get(name) for name in ("worker", "order", "nonce"))
    public = form.get("public", "")
    texts = isinstance(worker, str) and isinstance(order, str) and isinstance(nonce, str)
    if kind != "Bearer" or not token or not texts or not (worker and order and nonce):
        raise JoinRefusedError("this is no request to join", 400)
    return JoinRequest(str(worker), str(order), token, str(nonce), str(public))
