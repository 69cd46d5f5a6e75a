"""What a policy sees: the work that waits and when it is due, the workers there are, and what can be bought.

The same in wall-clock time and in the simulator. Times are Unix seconds (or seconds of the simulation), work is in
core-seconds of a core of speed 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Coming", "Group", "Limits", "Load", "Offer", "Stage", "View", "Worker"]

#: Where a worker is in its life, as far as a policy cares; see `dynamo.fleet.life`.
Stage = Literal["booting", "ready", "draining"]


@dataclass(frozen=True, slots=True)
class Load:
    """Jobs in the queue, waiting or running, of one class and with one deadline.

    Parameters
    ----------
    kind
        The class of the jobs: what is learned of how long they take is kept by it.
    due
        When they are to be done; infinite where nobody said.
    waiting, running
        How many.
    work, high
        Core-seconds that are left of them all: what is expected, and what is not exceeded nine times in ten.
    longest
        Seconds that the longest of them still takes; more cores do not make it shorter.
    cores, memory
        What one of them asks for: cores, and bytes.
    groups
        Node groups whose workers can run them; empty for all.
    known
        Whether the seconds were learned; false where they are a guess.
    """

    kind: str
    due: float
    waiting: int
    running: int
    work: float
    high: float
    longest: float = 0.0
    cores: int = 1
    memory: int = 0
    groups: frozenset[str] = frozenset()
    known: bool = True

    @property
    def runnable(self) -> int:
        """Cores that these jobs can use at the same time."""
        return (self.waiting + self.running) * self.cores


@dataclass(frozen=True, slots=True)
class Coming:
    """Jobs that are expected: of the next cycle of a clock, or of a storm that grows.

    Parameters
    ----------
    at, due
        When they come, and when they are to be done.
    work, high, cores
        As in `Load`, and how many cores they can use at the same time.
    why
        What they are expected from, in words.
    kinds
        The classes of the jobs: nothing else of these is to be expected. Empty for all that there are.
    """

    at: float
    due: float
    work: float
    high: float
    cores: int
    why: str = ""
    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Worker:
    """A machine that was ordered and is not gone.

    Parameters
    ----------
    token
        Which order.
    group, offer
        Its node group, and the key of the `Offer` it was bought by.
    stage, since
        Where it is in its life, and since when.
    made
        When it was ordered: it is paid from then on.
    cores, busy
        How many it has, and on how many a job runs.
    idle_since
        Since when no job has run on it; None where one runs.
    ends
        When the last of its jobs is expected to be done; None where none runs.
    urgent
        Whether it has a job with a deadline that it can still meet.
    paid_until
        When its next billing step begins.
    dies
        When its lifetime is over.
    """

    token: str
    group: str
    offer: str
    stage: Stage
    since: float
    made: float
    cores: int
    busy: int = 0
    idle_since: float | None = None
    ends: float | None = None
    urgent: bool = False
    paid_until: float = 0.0
    dies: float = float("inf")


@dataclass(frozen=True, slots=True)
class Offer:
    """What a node group can be bought by, in the order of preference that the slice gives.

    Parameters
    ----------
    key
        ``group/provider/size/purchase``: unique in a slice.
    group, provider
        For which node group, and where.
    cores, memory
        Of one machine.
    usd_per_hour
        The most that it may cost; 0 where it is paid for already.
    usd_now
        What it costs now, as spot does; None for the same.
    speed
        Of a core, as measured.
    boot, boot_high
        Seconds from the order to the first job: half of the machines take no longer, and nine of ten.
    left
        How many more may be had at most, as far as is known: of a quota, of a reservation.
    rests_until
        When it may be asked again after a refusal; 0 for now.
    quantum, minimum
        Seconds billed at a time, and at least.
    ends
        When what is reserved is over; infinite where nothing is.
    spot
        Whether the cloud may want it back.
    """

    key: str
    group: str
    provider: str
    cores: int
    memory: int = 0
    usd_per_hour: float = 0.0
    speed: float = 1.0
    boot: float = 60.0
    boot_high: float = 120.0
    left: int = 10**6
    rests_until: float = 0.0
    quantum: float = 1.0
    minimum: float = 60.0
    ends: float = float("inf")
    spot: bool = False
    usd_now: float | None = None

    @property
    def price(self) -> float:
        """US dollars an hour that it costs now: by this offers are compared, and limits hold by the most."""
        return self.usd_per_hour if self.usd_now is None else self.usd_now


@dataclass(frozen=True, slots=True)
class Group:
    """The bounds of a node group: how many workers at least, at most, and without a job waiting for what may come.

    `idle` is how many seconds a worker without a job is kept; `out` says why nothing is bought for it, if so.
    """

    name: str
    min: int = 0
    max: int = 10**6
    warm: int = 0
    idle: float = 600.0
    out: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the whole slice may have and cost; infinite where nothing is said.

    `usd_per_day` counts from midnight UTC, and `usd_today` is what has been spent of it, with what running machines
    cost up to their next billing step.
    """

    cores: float = float("inf")
    usd_per_hour: float = float("inf")
    usd_per_day: float = float("inf")
    usd_today: float = 0.0


@dataclass(frozen=True, slots=True)
class View:
    """All that a policy decides from.

    Parameters
    ----------
    now
        The time.
    loads
        The queue.
    workers
        All that were ordered and are not gone.
    offers, groups
        What can be bought, and within which bounds.
    coming
        What is expected.
    limits
        Of the slice.
    trusted
        Whether the queue and the pool were seen, both, just now: nothing is released on a view that was not.
    lateness
        Class to the share of its jobs of the last hour that were late.
    """

    now: float
    loads: Sequence[Load] = ()
    workers: Sequence[Worker] = ()
    offers: Sequence[Offer] = ()
    groups: Mapping[str, Group] = field(default_factory=dict)
    coming: Sequence[Coming] = ()
    limits: Limits = Limits()
    trusted: bool = True
    lateness: Mapping[str, float] = field(default_factory=dict)

    @property
    def foretold(self) -> bool:
        """Whether `coming` is all that comes, and not only what clocks start."""
        return any(not one.kinds for one in self.coming)
