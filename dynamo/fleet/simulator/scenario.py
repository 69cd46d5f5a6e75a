"""What a simulated world is like: what can be bought, how it boots, what is known of the work, and what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dynamo.fleet.simulator.faults import Fault
from dynamo.fleet.view import Group, Limits, Offer

__all__ = ["Scenario", "plain"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A world for a simulation.

    Parameters
    ----------
    offers, groups, limits
        As in the view that the policy is given. Boots take a lognormal time with the offer's `boot` as its median and
        `boot_high` as its ninth decile, unless `boots` says otherwise.
    present
        Offer key to how many machines of it are there, and paid, from the start.
    boots
        Offer key to the median and the ninth decile that are true, where the view's are not.
    interval
        Seconds from a decision to the next.
    match
        Seconds that the negotiator takes to give a job to a slot that is not claimed; a claimed slot takes its next
        job at once.
    paid_from
        What is paid from: ``order``, as an instance is, or ``ready``, as some academic clouds count.
    estimates
        What is known of a job before it ran; a name of `dynamo.fleet.simulator.estimates`.
    order
        In which jobs with one deadline run: ``longest`` first by what is expected of them, as a pool takes those that
        dynamo submits, or by ``arrival``.
    forecast
        What the view tells of the cycles that a clock starts: what a ``nowcast`` expects, what the fleet's own
        ``clocks`` know, or ``none``.
    faults
        What goes wrong, and when.
    """

    offers: tuple[Offer, ...]
    groups: Mapping[str, Group]
    limits: Limits = Limits()
    present: Mapping[str, int] = field(default_factory=dict)
    boots: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    interval: float = 10.0
    match: float = 2.0
    paid_from: str = "order"
    estimates: str = "noisy"
    order: str = "longest"
    forecast: str = "nowcast"
    faults: tuple[Fault, ...] = ()


def plain(boot: float = 45.0, *, cores: int = 1, usd_per_hour: float = 0.05, idle: float = 60.0) -> Scenario:
    """Return the world of one cloud with one size, whose slowest tenth boots take half as long again.

    Two cores are there when it begins, for most minutes need no more, and may be given back.
    """
    key = "workers/cloud/one/on-demand"
    offer = Offer(key, "workers", "cloud", cores, usd_per_hour=usd_per_hour, boot=boot, boot_high=1.5 * boot)
    return Scenario((offer,), {"workers": Group("workers", idle=idle)}, present={key: -(-2 // cores)})
