"""How a fleet is, over HTTP: ``/metrics`` for Prometheus, and ``/healthz`` for those who restart it.

Enters: what the controller shows after each turn. Leaves: the exposition format of Prometheus, and JSON.
Goes wrong: an address that cannot be listened on (`UserError`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from typing import Any, Self

from aiohttp import web

from dynamo.errors import UserError
from dynamo.fleet.controller import Controller
from dynamo.fleet.metrics import Shown, metrics_text
from dynamo.fleet.tally import Tally
from dynamo.watch.problems import problems, server_log

__all__ = ["MetricsService", "address"]

#: A turn is late after so many intervals; one waits for the pool and the clouds for some seconds.
_LATE, _SHORTEST = 3.0, 3.0


def address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; raises `UserError` where that is none.

    >>> address("[::1]:9618")
    ('::1', 9618)
    """
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    bracketed = host == f"[{bare}]"
    if not (colon and bare and port.isdecimal() and int(port) < 2**16) or (":" in bare and not bracketed):
        raise UserError(f"--metrics takes HOST:PORT, as 127.0.0.1:9619 or [::1]:9619, not {text!r}")
    return bare, int(port)


class MetricsService:
    """Answers on one port while a controller is at work, in a thread of its own.

    Parameters
    ----------
    host, port
        Where to listen; port 0 is one that is free.
    slice_
        Whose fleet it is.
    clock
        The time, in Unix seconds, without jumps.
    interval
        Seconds between two turns.
    """

    def __init__(
        self, host: str, port: int, slice_: str, *, clock: Callable[[], float], interval: float
    ) -> None:
        self._host, self._port, self._slice = host, port, slice_
        self._clock, self._patience = clock, _LATE * max(interval, _SHORTEST)
        #: What the last turn left, and when it ended: put in one piece, for another thread reads it.
        self._last: tuple[float, Shown | None] = (clock(), None)
        self._tally: Tally | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="metrics-service", daemon=True)
        self._began = threading.Event()
        self._failed: OSError | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._began.wait()
        if self._failed is not None:
            self._thread.join()
            why = self._failed.strerror or self._failed
            raise UserError(f"cannot listen on {self.url}: {why}; choose another --metrics") from None
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{self._port}"

    def begin(self, controller: Controller, now: float) -> None:
        """Count from now on; to be called before the first turn."""
        self._tally = Tally(controller.ledger.workers(ended_after=controller.roster.since(now)), now)

    def show(self, controller: Controller, data: dict[str, Any], now: float) -> None:
        """Show how the fleet stands after a turn; `data` is that of `dynamo.fleet.status`."""
        tally = self._tally or Tally((), now)
        tally.look(controller.roster.all, now)
        endings = controller.hearing.endings
        endings.expect(load.kind for load in controller.loads)
        shown = Shown(data, deepcopy(tally.counts), dict(endings.total))
        self._tally, self._last = tally, (now, shown)

    def troubles(self) -> list[str]:
        """Return why the fleet is not looked after as it should be; empty where it is."""
        at, shown = self._last
        age = max(self._clock() - at, 0.0)
        found = []
        if shown is None:
            found.append(f"no turn has ended since the controller began {age:.0f} s ago")
        elif age > self._patience:
            found.append(f"the last turn ended {age:.0f} s ago; one is due each {shown.data['interval']:g} s")
        if shown is not None and not shown.data["pool"]:
            found.append("the pool does not answer")
        return found

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        application = web.Application(middlewares=[problems])
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/metrics", self._metrics)
        runner = web.AppRunner(application, access_log=None, logger=server_log)
        try:
            self._loop.run_until_complete(self._listen(runner))
            self._began.set()
            self._loop.run_forever()
        except OSError as error:
            self._failed = error
        finally:
            self._loop.run_until_complete(runner.cleanup())
            self._loop.close()
            self._began.set()

    async def _listen(self, runner: web.AppRunner) -> None:
        await runner.setup()
        await web.TCPSite(runner, self._host, self._port).start()
        self._port = runner.addresses[0][1]

    async def _healthz(self, _: web.Request) -> web.Response:
        troubles = self.troubles()
        said = {"ok": not troubles, "slice": self._slice, "troubles": troubles}
        return web.json_response(said, status=503 if troubles else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        at, shown = self._last
        text = metrics_text(self._slice, shown, max(self._clock() - at, 0.0))
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
