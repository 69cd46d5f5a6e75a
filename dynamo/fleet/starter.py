"""What a worker of ours is started with: cloud-init's user data with a join token; and the end of its trust."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dynamo.fleet.buying import Market
from dynamo.fleet.calls import Call, Calls
from dynamo.fleet.join import TOKEN_LIFETIME, JoinDesk, Ticket
from dynamo.fleet.join_ledger import JoinLedger
from dynamo.fleet.life import Patience, lasting
from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.provider import Driver
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.slice import NodeGroup, Slice
from dynamo.fleet.trust import Trust
from dynamo.fleet.tunnels import Tunnels
from dynamo.fleet.userdata import STOCK_DEBIAN, Install, WorkerStart, user_data

__all__ = ["LONGEST", "JoinPlace", "WorkerStarter"]

#: Seconds that a worker lives at most whose node group has no lifetime: its token of HTCondor must end some time.
LONGEST = 30 * 86_400.0
#: The same of an access point, whose queue ends with it.
LONGEST_QUEUE = 365 * 86_400.0
_HOUR = 3600.0
#: Seconds that a worker stays without a job when nobody lets it go: longer than who decides takes, so that it is the
#: last resort; and one that is kept warm.
_IDLE, _WARM = 900.0, 7200.0


class JoinPlace:
    """Where workers join: the URL of the join service and its certificate, by which alone it is believed."""

    def __init__(self, url: str, certificate: str) -> None:
        self.url, self.certificate = url, certificate


class WorkerStarter:
    """A `dynamo.fleet.roster.Starter` whose machines join by a one-use token.

    Parameters
    ----------
    journal
        Where tickets are kept.
    place
        Where workers join.
    trust
        Who has those that were let go refused; None where nobody can.
    drivers
        Provider to its driver.
    networks
        Gives, for a provider, the ids of the slice's networks there by their names.
    tunnels
        By which workers come that nothing else leads to the pool.
    clock
        The time, in Unix seconds.
    """

    def __init__(
        self,
        journal: Path,
        place: JoinPlace,
        trust: Trust,
        drivers: Mapping[str, Driver],
        networks: Callable[[str], Mapping[str, str]],
        tunnels: Tunnels,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tickets = JoinLedger(journal)
        self._desk = JoinDesk(self._tickets)
        self._tunnels = tunnels
        self._place, self._drivers, self._networks, self._clock = place, drivers, networks, clock
        self._calls = Calls("the central manager", lambda: trust, threads=1)
        self._revoking: Call | None = None
        self._forgot = 0.0
        self._again = True  # a central manager that was made anew has forgotten who was let go

    def spec(self, worker: WorkerRecord, slice_: Slice, trading: Market) -> MachineSpec:
        """Return the order of a worker; raises `UserError` where it cannot be started so."""
        rule, group, now = trading.rules[worker.offer], slice_.nodes[worker.group], self._clock()
        longest = lasting(LONGEST, worker.token) if group.role == "worker" else LONGEST_QUEUE
        dies = worker.dies if worker.dies is not None else now + longest
        grace = Patience().draining
        ticket = Ticket(
            worker.name, worker.token, worker.group, worker.offer, now + TOKEN_LIFETIME, dies,
            cores=worker.cores if not isinstance(rule.size, str) else 0,
            memory=worker.memory if not isinstance(rule.size, str) else 0,
            idle=idle_limit(group) if group.role == "worker" else 0.0, grace=grace,
        )  # fmt: skip
        driver = self._drivers[worker.provider]
        start = WorkerStart(
            worker.name, worker.token, self._place.url, self._place.certificate, self._desk.issue(ticket),
            lifetime=dies - now, grace=grace, install=Install() if driver.prepared else STOCK_DEBIAN,
            tunnel=self._through_tunnel(worker, slice_), role=group.role,
            bandwidth=0.0 if driver.shapes else bandwidth(slice_, worker),
        )  # fmt: skip
        there = self._networks(worker.provider)
        here = [name for name in group.networks if worker.provider in slice_.networks[name].spans]
        return MachineSpec(
            tags=Tags(slice_.name, worker.group, worker.token),
            name=worker.name,
            size=rule.size if isinstance(rule.size, str) else "",
            image=rule.image or group.image,
            cores=worker.cores,
            memory=worker.memory,
            user_data=user_data(start),
            purchase=rule.bought,
            max_price=rule.max_price,
            networks=tuple(there[name] for name in here),
            reservation=rule.reservation,
            lifetime=dies - now,
            tunnel=start.tunnel,
        )

    def _through_tunnel(self, worker: WorkerRecord, slice_: Slice) -> bool:
        """Return whether a worker comes through a tunnel; it has an address there then."""
        for name in slice_.nodes[worker.group].networks:
            if slice_.networks[name].tunnelled(worker.provider):
                self._tunnels.assign(worker.name, name)
                return True
        return False

    def follow(self, slice_: Slice) -> None:
        """Have the tunnels as the slice says now."""
        self._tunnels.follow(slice_)

    def let_go(self, workers: Sequence[WorkerRecord]) -> None:
        """Have these workers believed no more."""
        for one in workers:
            now = self._clock()
            self._desk.revoke(
                one.name, now, (one.dies or now + LONGEST_QUEUE) if one.joined is not None else 0.0
            )
        self._tunnels.let_go([one.name for one in workers])
        self._again = True
        self.turn()

    def turn(self) -> None:
        """Have the central manager told who was let go, where it does not know, and is not being told."""
        self._tunnels.turn()
        if self._revoking is not None:
            if not self._revoking.done:
                return
            if self._revoking.failed:
                self._again = True
        self._revoking = None
        now = self._clock()
        if now - self._forgot > _HOUR:
            self._forgot = now
            self._tickets.forget(now - _HOUR)
        if self._again:
            self._again = False
            ends = self._tickets.ends(now)
            self._revoking = self._calls.call("revoke", list(ends), ends)

    def close(self) -> None:
        """End its thread, and close the journal."""
        if self._revoking is not None:
            while not self._revoking.done:
                self._revoking.wait(1.0)
        self._calls.close()
        self._tunnels.close()
        self._tickets.close()


def idle_limit(group: NodeGroup) -> float:
    """Return the seconds without a job after which a worker ends by itself."""
    return max(2 * group.idle, _WARM if group.fewest else _IDLE)


def bandwidth(slice_: Slice, worker: WorkerRecord) -> float:
    """Return the bits a second that a worker's connection is to be held to, by its slowest network; 0 for no limit."""
    rules = [slice_.networks[name] for name in slice_.nodes[worker.group].networks]
    here = [rule for rule in rules if worker.provider in rule.spans and not rule.tunnelled(worker.provider)]
    return min((rule.bandwidth for rule in here if rule.bandwidth), default=0.0)
