"""A fleet in memory with a clock that the test turns: a cloud that fails on demand, a pool, and the real controller."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dynamo.fleet import registry, session
from dynamo.fleet.calls import Calls
from dynamo.fleet.clouds import Clouds
from dynamo.fleet.controller import Controller
from dynamo.fleet.hearing import Hearing
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.offering import Offering
from dynamo.fleet.place import ReachedPool
from dynamo.fleet.policies.queue_depth import QueueDepth
from dynamo.fleet.session import Fleet
from dynamo.fleet.slice import Slice
from dynamo.fleet.trust import Trust
from dynamo.fleet.worker_config import PoolPlace
from dynamo.journal.workspace import Workspace
from dynamo.testing import Cloud, MemoryPool
from dynamo.testing.cloud import cloud_driver

START = 86_400.0 * 20_000
SIZES = (Offering("two", 2, 2**32, usd_per_hour=1.0), Offering("four", 4, 2**33, usd_per_hour=1.5))


@dataclass
class Starter:
    """Starts machines with nothing, and remembers who was let go."""

    gone: set[str] = field(default_factory=set)
    networks: dict[str, dict[str, str]] = field(default_factory=dict)

    def spec(self, worker, slice_, trading):
        """Return the order of a worker."""
        rule = trading.rules[worker.offer]
        tags = Tags(slice_.name, worker.group, worker.token)
        there = self.networks.get(worker.provider, {})
        wired = tuple(there[name] for name in slice_.nodes[worker.group].networks)
        return MachineSpec(
            tags, worker.name, size=rule.size, cores=worker.cores, purchase=rule.bought, networks=wired
        )

    def let_go(self, workers):
        """Remember them."""
        self.gone |= {one.token for one in workers}


class World:
    """Clouds and a pool, and a controller that can be killed at any moment: what it wrote is what is left of it."""

    def __init__(self, path: Path, slice_: Slice, *, interval: float = 10.0) -> None:
        self.path, self.slice, self.interval = path / "journal.db", slice_, interval
        self.now = START
        self.clouds = {name: Cloud(SIZES, clock=self.clock, boot=30.0) for name in self.slice.providers}
        self.cloud = self.clouds["c"] if "c" in self.clouds else next(iter(self.clouds.values()))
        self.pool = MemoryPool(self.cloud, self.clock)
        self.policy = QueueDepth()
        self.starter = Starter()
        self.pool.refused = self.starter.gone
        self.open: list[Calls] = []
        self.uptime = lambda: ("", 0.0)
        self.start()

    def clock(self) -> float:
        """Return the time."""
        return self.now

    def start(self) -> None:
        """Start a controller, as after a crash: nothing is known but what is in the journal."""
        self.ledger = Ledger(self.path, self.slice.name)
        calls = {name: Calls(name, cloud.provider) for name, cloud in self.clouds.items()}
        pool = Calls("pool", self.pool.port, threads=1)
        self.open += [*calls.values(), pool]
        clouds = Clouds(self.slice.name, calls, self.clock)
        self.starter.networks = clouds.networks
        hearing = Hearing(pool, self.ledger, stale=3 * self.interval)
        self.controller = Controller(
            self.slice, self.ledger, clouds, hearing, self.policy, self.starter,
            clock=self.clock, interval=self.interval, uptime=self.uptime,
        )  # fmt: skip

    def kill(self) -> None:
        """End the controller there and then, and start another."""
        self.settle()
        self.ledger.close()
        self.start()

    def lose_journal(self) -> None:
        """End the controller, and have nothing of what it wrote; the next is started by `start`."""
        self.settle()
        self.ledger.close()
        for path in self.path.parent.glob("journal.db*"):
            path.unlink()

    def settle(self) -> None:
        """Wait until all that was asked is answered, in the true time of the machine."""
        clouds, hearing = self.controller.clouds, self.controller.hearing
        calls = [
            *clouds._orders.values(),
            *clouds._destroying.values(),
            hearing._call,
            *hearing._drains.values(),
        ]
        asked = (clouds._asked, clouds._pricing, clouds._wiring, clouds._making)
        calls += [call for some in asked for _, call in some.values()]
        for call in calls:
            while call is not None and not call.done:
                call._done.wait(0.01)

    def turn(self) -> None:
        """Let one interval pass."""
        self.now += self.interval
        self.pool.step()
        self.controller.ask()
        self.settle()
        self.controller.turn()
        self.settle()
        self.check()

    def run(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds / self.interval)):
            self.turn()

    def check(self) -> None:
        """Check what always holds: no budget is exceeded by what was bought or adopted."""
        ours = {one.token for one in self.ledger.workers(ended_after=0.0)}
        there = [one for cloud in self.clouds.values() for one in cloud.there() if one.tags.token in ours]
        cores = {one.size: one.cores for one in SIZES}
        prices = {one.size: one.usd_per_hour for one in SIZES}
        limits = self.slice.limits
        assert sum(cores.get(one.size, 0) for one in there) <= limits.cores
        assert sum(prices.get(one.size, 0.0) for one in there) <= limits.usd_per_hour + 1e-9
        tokens = [one.tags.token for one in there]
        assert len(tokens) == len(set(tokens)), "an order was carried out twice"

    @property
    def there(self) -> list:
        """The machines that there really are."""
        return [one for cloud in self.clouds.values() for one in cloud.there()]

    def unknown(self) -> list[str]:
        """Return machines that nobody knows of: they are there, and no worker that lives is theirs."""
        live = {one.token for one in self.ledger.workers()}
        return [one.id for one in self.there if one.tags.token not in live]

    def stages(self) -> list[str]:
        """Return the stages of all workers that live."""
        return sorted(one.stage for one in self.ledger.workers())

    def close(self) -> None:
        """End all."""
        self.settle()
        for calls in self.open:
            calls.close()
        self.ledger.close()


@pytest.fixture
def worlds(tmp_path, request):
    """Return what makes worlds of a slice, which are closed at the end."""

    def made(slice_: Slice) -> World:
        world = World(tmp_path, slice_)
        request.addfinalizer(world.close)
        return world

    return made


@pytest.fixture
def world_type():
    """Return the class itself, for who makes many worlds in one test and closes them."""
    return World


TEXT = """\
slice: dfw
providers: {c: {driver: memory, credentials: "env:RADAR"}}
nodes: {workers: {provider: c, size: two, max: 4, warm: 1}}
limits: {usd_per_hour: 3}
"""


class Manager:
    """A central manager that does what it is told."""

    def run(self, command):
        """Do nothing."""
        return ""

    def write(self, path, text):
        """Keep nothing."""

    def fragment(self, slice_):
        """Have a place for it."""
        return f"revoked-{slice_}.conf"


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    """Return what makes the fleet of a slice whose cloud and pool are in memory, and the lines that it tells."""
    monkeypatch.setenv("RADAR_KEY", "s3cr3t-s3cr3t")
    cloud = Cloud((Offering("two", 2, 2**32, usd_per_hour=1.0),), clock=time.time)
    pool = MemoryPool(cloud, time.time)
    place = PoolPlace("127.0.0.1:9618", "casa")
    reached = ReachedPool(
        "", Trust(Manager(), place, "dfw"), place, "127.0.0.1", 0, lambda _: None, Manager()
    )
    monkeypatch.setattr(registry, "driver", lambda _: cloud_driver(cloud))
    monkeypatch.setattr(session, "reach", lambda *_: reached)
    monkeypatch.setattr(session, "CondorPool", lambda *_: pool)
    (tmp_path / "s.yaml").write_text(TEXT)
    told: list[str] = []

    def made(place: str = ".dynamo", **more) -> Fleet:
        workspace = Workspace.open(tmp_path / place)
        return Fleet(tmp_path / "s.yaml", workspace, tell=told.append, **{"interval": 1.0, **more})

    return made, told, cloud
