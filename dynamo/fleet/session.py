"""A fleet at work: everything that a slice needs is opened, and one turn follows the other until it is ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynamo.errors import InfrastructureError, UserError
from dynamo.fleet import registry
from dynamo.fleet.apart import Apart
from dynamo.fleet.calls import Calls
from dynamo.fleet.certificate import join_certificate
from dynamo.fleet.clouds import Clouds
from dynamo.fleet.condor_pool import CondorPool
from dynamo.fleet.controller import Controller
from dynamo.fleet.hearing import Hearing
from dynamo.fleet.join_ledger import JoinLedger
from dynamo.fleet.join_service import JoinService
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.metrics_service import MetricsService, address
from dynamo.fleet.owner import Owner
from dynamo.fleet.place import ReachedPool, reach
from dynamo.fleet.policies.named import named
from dynamo.fleet.policies.shadow import SHADOW, beside
from dynamo.fleet.provider import Driver, Provider
from dynamo.fleet.queue_key import QueueKeys
from dynamo.fleet.slice import Slice
from dynamo.fleet.slice_checks import load
from dynamo.fleet.starter import JoinPlace, WorkerStarter
from dynamo.fleet.status import status_data
from dynamo.fleet.steady import steady_clock, uptime
from dynamo.fleet.surroundings import Surroundings
from dynamo.fleet.telling import Troubles, in_words, undisturbed
from dynamo.fleet.tunnel_hub import Hub
from dynamo.fleet.tunnels import Tunnels
from dynamo.fleet.wishes import Wishes
from dynamo.journal.workspace import Workspace

__all__ = ["Fleet"]

log = logging.getLogger(__name__)

#: Seconds for which a turn waits for the pool and the clouds, so that it decides on what is so now.
_PATIENCE = 3.0

#: Seconds after which what the pool said counts no more.
_STALE = 60.0
#: Under which the port of the join service is kept.
_PORT = "join port"
#: Seconds for which decisions, events and figures are kept, and what decisions were made from.
_KEPT, _VIEWED = 14 * 86_400.0, 86_400.0
#: What charts show.
_CHARTED = (
    "cores", "ready", "busy", "target", "demand", "supply", "waiting", "running", "usd_per_hour", "usd_today",
)  # fmt: skip

Tell = Callable[[str], None]


@dataclass
class Fleet:
    """The fleet of one slice document.

    Parameters
    ----------
    path
        Of the document; it is read again when it changes.
    workspace
        Whose journal keeps what is bought.
    policy
        What decides, see `dynamo.fleet.policies.named.named`.
    interval
        Seconds between two turns.
    tell
        Is told what happens, in lines.
    metrics
        Where to answer who asks how it is, as ``HOST:PORT``; empty for nowhere.
    obeys
        Whether it does what a person has asked of it by `dynamo.fleet.asked`.
    shadow
        What decides beside it on trial, see `dynamo.fleet.policies.shadow.beside`; empty for nothing.
    """

    path: Path
    workspace: Workspace
    policy: str = "work"
    interval: float = 10.0
    tell: Tell = print
    metrics: str = ""
    obeys: bool = True
    shadow: str = ""
    _told: float = 0.0
    _failed: str = ""

    def __post_init__(self) -> None:
        """Go on where nobody can be told."""
        self.tell = undisturbed(self.tell)
        self._troubles = Troubles(self.tell)

    def run(self, stop: threading.Event, until: Callable[[Controller], bool] | None = None) -> None:
        """Look after the slice until `stop` is set, or `until` holds; the machines stay."""
        clock = steady_clock()
        wishes = Wishes(self.path, self.policy, self.tell, self.shadow)
        slice_ = load(self.path)
        with ExitStack() as stack:
            service = self._served(stack, slice_.name, clock)
            controller, starter = stack.enter_context(self._opened(slice_, clock))
            if service is not None:
                service.begin(controller, clock())
            self._told = clock()
            around = Surroundings(self.workspace.journal, clock, self.tell)
            while not stop.is_set():
                begun = time.monotonic()
                if not around.sound(controller.ledger):
                    stop.wait(self.interval)
                    continue
                try:
                    self._turn(controller, starter, service, wishes, clock)
                except UserError:
                    raise
                except Exception as error:
                    # A full disk, a journal that is locked, a fault of ours: what is ordered is written down before, so
                    # nothing is lost, and what runs must be looked after.
                    log.debug("a turn failed", exc_info=True)
                    self.tell(f"this turn failed, the next may not: {in_words(error)}")
                if until is not None and until(controller):
                    break
                stop.wait(max(self.interval - (time.monotonic() - begun), 0.0))
            try:
                controller.hearing.keep(clock())
            except InfrastructureError as error:
                self.tell(f"what was learned in the last minute is not kept: {error}")

    def _turn(
        self,
        controller: Controller,
        starter: WorkerStarter,
        service: MetricsService | None,
        wishes: Wishes,
        clock: Callable[[], float],
    ) -> None:
        """Look, decide, act, and tell of it."""
        begun = time.monotonic()
        controller.ask()
        controller.hearing.wait(_PATIENCE)
        controller.clouds.wait(max(_PATIENCE - (time.monotonic() - begun), 0.0))
        wishes.read_again(controller)
        if self.obeys:
            wishes.obey(controller)
        starter.follow(controller.slice)
        controller.turn()
        starter.turn()
        data = self._write(controller, clock())
        if service is not None:
            service.show(controller, data, clock())
        self._troubles.follow(data["troubles"])
        self._told = self._tell_since(controller, self._told, clock())

    def _served(self, stack: ExitStack, slice_: str, clock: Callable[[], float]) -> MetricsService | None:
        """Answer who asks how it is, before anything else: a port that is taken ends it before anything is bought."""
        if not self.metrics:
            return None
        host, port = address(self.metrics)
        made = MetricsService(host, port, slice_, clock=clock, interval=self.interval)
        service = stack.enter_context(made)
        self.tell(f"metrics at {service.url}/metrics, health at {service.url}/healthz")
        return service

    @contextmanager
    def _opened(
        self, slice_: Slice, clock: Callable[[], float]
    ) -> Iterator[tuple[Controller, WorkerStarter]]:
        """Open all that a controller needs."""
        journal = self.workspace.journal
        drivers = {name: registry.driver(rule.driver) for name, rule in slice_.providers.items()}
        reached = reach(slice_.pool, slice_.name)
        keys = QueueKeys(self.workspace.root / "fleet", reached.place.trust_domain)
        with ExitStack() as stack:
            ledger = stack.enter_context(Ledger(journal, slice_.name))
            _check_known(ledger, slice_)
            clouds = _clouds(slice_, drivers, clock, Owner(self.workspace.root, ledger))
            stack.callback(clouds.close)
            # A drain may take a minute: it is not to keep the pool from being heard.
            pool, drains = (
                _asking(stack, name, lambda by: CondorPool(reached.asked, reached.drain, keys, by, clock))
                for name in ("the pool", "who drains workers")
            )
            tunnels = Tunnels(journal, slice_, Hub(reached.manager), reached.networks, self.tell)
            tunnels.begin(lambda: bool(ledger.workers()) or clouds.all_ours())
            hearing = Hearing(pool, ledger, drains=drains, stale=max(3 * self.interval, _STALE))
            place = stack.enter_context(
                _joining(reached, self.workspace, keys, ledger, clock, self.tell, tunnels)
            )
            there = clouds.networks
            starter = WorkerStarter(
                journal, place, reached.trust, drivers, lambda name: there.get(name, {}), tunnels, clock
            )
            stack.callback(starter.close)
            policy = beside(named(self.policy), self.shadow)
            controller = Controller(
                slice_, ledger, clouds, hearing, policy, starter,
                clock=clock, interval=self.interval, uptime=uptime,
            )  # fmt: skip
            yield controller, starter

    def _write(self, controller: Controller, now: float) -> dict[str, Any]:
        """Write down how it stands, and forget what is old; return how it stands."""
        data = status_data(controller, now)
        with controller.ledger.change():
            controller.ledger.learn("status", data)
            controller.ledger.stands(now, {"at": now, **{key: data[key] for key in _CHARTED}})
            controller.ledger.forget(now - _KEPT, views=now - _VIEWED)
        return data

    def _tell_since(self, controller: Controller, since: float, now: float) -> float:
        """Tell what happened since the last time, and once what a policy on trial fails by."""
        failed = str(controller.decision.history.get(SHADOW, {}).get("failed", ""))
        if failed and failed != self._failed:
            self.tell(f"the policy on trial failed ({failed}): nothing else comes of it")
        self._failed = failed
        names = {one.token: one.name for one in controller.roster.all}
        for event in controller.ledger.events(since=since):
            if event.what != "destroy" and since < event.at <= now:
                self.tell(f"{names.get(event.token, event.token[:8])}: {event.what}: {event.why}")
        return now


def _asking(stack: ExitStack, name: str, pool: Callable[[Apart], CondorPool]) -> Calls:
    """Return calls of a pool, which is asked in a process of their own."""
    apart = stack.enter_context(Apart())
    calls = Calls(name, lambda: pool(apart), threads=1)
    stack.callback(calls.close)
    return calls


def _check_known(ledger: Ledger, slice_: Slice) -> None:
    """Raise `UserError` where workers are at a provider that the slice does not name any more: nobody could ask it."""
    left = sorted({one.provider for one in ledger.workers() if one.provider not in slice_.providers})
    if left:
        raise UserError(
            f"there are workers at {', '.join(left)}, which the slice does not name any more: put it back, and let "
            "them go first"
        )


def _clouds(slice_: Slice, drivers: Mapping[str, Driver], clock: Callable[[], float], owner: Owner) -> Clouds:
    """Return the providers of a slice, each with threads of its own, and others for orders."""
    settings = {name: rule.settings(name) for name, rule in slice_.providers.items()}

    def connector(name: str) -> Callable[[], Provider]:
        return lambda: drivers[name].connect(settings[name])

    calls, ordering = ({name: Calls(name, connector(name)) for name in slice_.providers} for _ in range(2))
    return Clouds(slice_.name, calls, clock, owner, ordering)


@contextmanager
def _joining(
    reached: ReachedPool,
    workspace: Workspace,
    keys: QueueKeys,
    ledger: Ledger,
    clock: Callable[[], float],
    tell: Tell,
    tunnels: Tunnels,
) -> Iterator[JoinPlace]:
    """Let workers join, at the port where those that were ordered before a restart look for it."""
    certificate = join_certificate(workspace.root / "fleet", [reached.host])
    ports = [reached.port] if reached.port else [int(ledger.learned(_PORT) or 0), 0]
    with ExitStack() as stack:
        service = None
        for port in dict.fromkeys(ports):
            made = JoinService(
                lambda: JoinLedger(workspace.journal), reached.trust, reached.place, certificate,
                keys, host=reached.host, port=port, clock=clock, gate=tunnels,
            )  # fmt: skip
            try:
                service = stack.enter_context(made)
                break
            except InfrastructureError as error:
                if port == ports[-1]:
                    raise
                tell(f"{error.message}: machines that are booting cannot join, and end themselves")
        assert service is not None
        ledger.learn(_PORT, service.port)
        yield JoinPlace(service.url(), certificate.text)
