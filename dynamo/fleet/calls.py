"""Calls of one provider, or of the pool, in a few threads and with a time limit: one dead cloud holds up nothing else.

Who made a call asks it for its outcome when it likes. A call that takes longer than the limit is given up: its thread
is left alone and another takes its place, until too many hang; then further calls are refused at once, for that long.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dynamo.errors import DynamoError
from dynamo.fleet.refusals import NotBegunError, OutcomeUnknownError, ProviderError, UnavailableError

__all__ = ["Call", "Calls"]

#: Seconds after which a call is given up.
LIMIT = 60.0
#: A call that is not begun in so many limits is given up too.
_WAITING = 3.0
#: What changes something: nobody knows whether a call that was given up has done so.
_CHANGING = frozenset({"create", "destroy", "create_network", "destroy_network"})


@dataclass(eq=False)
class Call:
    """One call, under way or done.

    Parameters
    ----------
    verb, arguments
        What is called.
    limit
        Seconds that it may take from when it is begun.
    late
        Called once, when it took too long.
    asked, begun
        When it was asked for, and begun, by `time.monotonic`.
    """

    verb: str
    arguments: tuple[Any, ...]
    limit: float
    late: Callable[[], None] = lambda: None
    asked: float = field(default_factory=time.monotonic)
    begun: float | None = None
    _result: Any = None
    _error: DynamoError | None = None
    _done: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def done(self) -> bool:
        """Whether it has an outcome, or took too long."""
        begun, now = self.begun, time.monotonic()
        if begun is not None and now - begun > self.limit:
            kind = OutcomeUnknownError if self.verb in _CHANGING else UnavailableError
            if self.end(error=kind(f"no answer to {self.verb} in {self.limit:g} s")):
                self.late()
        elif begun is None and now - self.asked > _WAITING * self.limit:
            self.end(error=NotBegunError(f"{self.verb} was not begun in {_WAITING * self.limit:g} s"))
        return self._done.is_set()

    @property
    def given_up(self) -> bool:
        """Whether it took too long; what its thread is still at has no meaning any more."""
        return self._done.is_set()

    @property
    def failed(self) -> bool:
        """Whether it is done, and came to an error."""
        return self.done and self._error is not None

    def wait(self, seconds: float) -> None:
        """Wait until it is done, so long at most."""
        self._done.wait(seconds)

    def result(self) -> Any:
        """Wait until it is done, and return what the provider returned, or raise what it raised."""
        while not self.done:
            begun = self.begun
            until = self.asked + _WAITING * self.limit if begun is None else begun + self.limit
            self._done.wait(min(max(until - time.monotonic(), 0.0) + 0.01, self.limit))
        if self._error:
            raise self._error
        return self._result

    def begin(self) -> bool:
        """Begin it; false where it was given up before."""
        with self._lock:
            if self._done.is_set():
                return False
            self.begun = time.monotonic()
            return True

    def end(self, result: Any = None, error: DynamoError | None = None) -> bool:
        """Give it an outcome; false where it has one already."""
        with self._lock:
            if self._done.is_set():
                return False
            self._result, self._error = result, error
            self._done.set()
            return True


class Calls:
    """The threads in which one provider is called.

    Parameters
    ----------
    name
        Of the provider in the slice.
    connect
        Makes what is called; called in each thread itself, for a provider's object serves one thread.
    threads
        How many calls are under way at one time, at most.
    limit
        Seconds after which a call is given up.
    """

    def __init__(
        self, name: str, connect: Callable[[], Any], *, threads: int = 4, limit: float = LIMIT
    ) -> None:
        self.name = name
        self._connect = connect
        self._limit = limit
        self._most = threads
        self._waiting: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: dict[threading.Thread, Call | None] = {}

    def call(self, verb: str, *arguments: Any) -> Call:
        """Have a verb called; returns at once."""
        call = Call(verb, arguments, self._limit, self._replace)
        self._check_late()
        with self._lock:
            hung = self._hung()
            if hung >= 2 * self._most:
                call.end(error=UnavailableError(f"{self.name} answers no more: {hung} calls of it hang"))
                return call
            if len(self._threads) - hung < self._most:
                self._start()
        self._waiting.put(call)
        return call

    def _check_late(self) -> None:
        """Give up calls that take too long."""
        with self._lock:
            under_way = [one for one in self._threads.values() if one is not None]
        for one in under_way:
            one.done  # noqa: B018 - asking is what gives it up

    def _hung(self) -> int:
        """How many threads are at a call that was given up."""
        return sum(one is not None and one.given_up for one in self._threads.values())

    def _start(self) -> None:
        thread = threading.Thread(target=self._serve, name=f"provider-{self.name}", daemon=True)
        self._threads[thread] = None
        thread.start()

    def _replace(self) -> None:
        """Have another thread take the place of one that hangs, where calls are waiting."""
        with self._lock:
            hung = self._hung()
            if not self._waiting.empty() and len(self._threads) - hung < self._most and hung < 2 * self._most:
                self._start()

    def close(self) -> None:
        """Have the threads end when they have nothing more to do; those that hang end with the process."""
        with self._lock:
            for _ in self._threads:
                self._waiting.put(None)

    def _serve(self) -> None:
        provider: Any = None
        me = threading.current_thread()
        while (call := self._waiting.get()) is not None:
            if not call.begin():
                continue
            with self._lock:
                self._threads[me] = call
            try:
                provider = provider or self._connect()
                call.end(getattr(provider, call.verb)(*call.arguments))
            except DynamoError as error:
                call.end(error=error)
            except Exception as error:  # noqa: BLE001 - a fault of a provider stops nothing but this call
                # Only the kind is told: the text of an error of a library may hold what must not be shown.
                what = f"{self.name}: {call.verb} failed in a way that its provider does not know: {_kind(error)}"
                known = OutcomeUnknownError if call.verb in _CHANGING else ProviderError
                call.end(error=known(what))
                provider = None
            with self._lock:
                self._threads[me] = None
                if len(self._threads) - self._hung() > self._most:  # another has taken the place of this one
                    break
        with self._lock:
            del self._threads[me]


def _kind(error: Exception) -> str:
    """Name an error and where it was raised."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    place = f" at {at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at else ""
    return f"{type(error).__name__}{place}"
