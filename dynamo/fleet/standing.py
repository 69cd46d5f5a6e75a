"""How offers and node groups stand: which rest after a refusal, how long machines boot, who is out of service.

Pure, and kept in the journal as JSON over a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from dynamo.fleet.life import Patience
from dynamo.fleet.refusals import (
    AuthError,
    BadRequestError,
    NotBegunError,
    OutcomeUnknownError,
    ProviderError,
    ThrottledError,
    UnavailableError,
)

__all__ = ["BAD_BOOTS", "OUT", "Out", "Rest", "Standing"]

#: Seconds that an offer rests after the first refusal; twice as long after each further one, up to the second.
REST, LONGEST_REST = 180.0, 1800.0
#: More refusals in a row make no rest longer.
_MOST_TIMES = 10
#: Seconds that an offer rests where its provider had too many calls, or did not answer.
THROTTLED = 30.0
#: So many machines in a row that came to nothing take a node group out of service, for so many seconds; then one more
#: that comes to nothing does.
BAD_BOOTS, OUT = 3, 3600.0
#: How many boots of an offer are remembered, and the seconds that are assumed of one that nobody has seen.
KEPT, BOOT, BOOT_HIGH = 50, 120.0, 300.0
#: A boot may take so many times the ninth decile, and so many seconds at least, before it is given up.
SLACK, LEAST = 3.0, 120.0


@dataclass(frozen=True, slots=True)
class Rest:
    """An offer that is not asked again until a time, after so many refusals in a row, and what the last one said."""

    until: float
    times: int
    why: str


@dataclass(frozen=True, slots=True)
class Out:
    """A node group for which nothing is bought until a time, and why."""

    why: str
    until: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How offers and node groups stand.

    Parameters
    ----------
    rests
        Offer to its rest; also one that is over, until something of the offer is had again.
    boots
        Offer to the seconds from the order to the pool of its last machines.
    bad
        Node group to how many machines in a row came to nothing.
    out
        Node group to why it is out of service, and until when.
    """

    rests: Mapping[str, Rest] = field(default_factory=dict)
    boots: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    bad: Mapping[str, int] = field(default_factory=dict)
    out: Mapping[str, Out] = field(default_factory=dict)

    def refused(self, offer: str, error: ProviderError, now: float) -> Self:
        """Return how things stand after an order was refused."""
        if isinstance(error, OutcomeUnknownError | NotBegunError):  # the cloud has refused nothing
            return self
        before = self.rests.get(offer)
        if before and now < before.until:  # of several orders that were under way together
            return self
        times = min(before.times + 1 if before else 1, _MOST_TIMES)
        seconds = min(REST * 2 ** (times - 1), LONGEST_REST)
        if isinstance(error, ThrottledError | UnavailableError):  # it says nothing of what is left
            seconds, times = THROTTLED, before.times if before else 0
        elif isinstance(error, BadRequestError | AuthError):  # somebody must mend something first
            seconds = LONGEST_REST
        return replace(self, rests={**self.rests, offer: Rest(now + seconds, times, error.message)})

    def booted(self, offer: str, group: str, seconds: float) -> Self:
        """Return how things stand after a machine joined the pool, so many seconds after its order."""
        boots = (*self.boots.get(offer, ()), max(seconds, 0.0))[-KEPT:]
        rests = {key: rest for key, rest in self.rests.items() if key != offer}
        bad = {key: count for key, count in self.bad.items() if key != group}
        out = {key: one for key, one in self.out.items() if key != group}
        return replace(self, rests=rests, boots={**self.boots, offer: boots}, bad=bad, out=out)

    def failed(self, offer: str, group: str, why: str, now: float) -> Self:
        """Return how things stand after a machine came to nothing before it joined.

        After some in a row nothing that was learned of boots is believed: where they take longer than they did, each
        machine would be given up just before it joins.
        """
        count = self.bad.get(group, 0) + 1
        new = replace(self, bad={**self.bad, group: count})
        if count < BAD_BOOTS:
            return new
        boots = {key: seconds for key, seconds in self.boots.items() if key != offer}
        return replace(new, boots=boots).withdraw(
            group, f"{count} machines in a row came to nothing, the last because {why}", now + OUT
        )

    def withdraw(self, group: str, why: str, until: float) -> Self:
        """Take a node group out of service."""
        return replace(self, out={**self.out, group: Out(why, until)})

    def out_of_service(self, now: float) -> dict[str, str]:
        """Return the node groups for which nothing is bought now, and why."""
        return {group: one.why for group, one in self.out.items() if now < one.until}

    def restore(self, group: str) -> Self:
        """Bring a node group back into service, with its offers."""
        return replace(
            self,
            out={key: one for key, one in self.out.items() if key != group},
            bad={key: count for key, count in self.bad.items() if key != group},
            rests={key: rest for key, rest in self.rests.items() if not key.startswith(f"{group}/")},
        )

    def boot(self, offer: str) -> tuple[float, float]:
        """Return the seconds from an order to the pool: half take no longer, and nine of ten."""
        seen = sorted(self.boots.get(offer, ()))
        if not seen:
            return BOOT, BOOT_HIGH
        return seen[len(seen) // 2], seen[min(int(0.9 * len(seen)), len(seen) - 1)]

    def boot_limit(self, offer: str) -> float:
        """Return the seconds after which a machine that has not joined is given up."""
        if len(self.boots.get(offer, ())) < 5:
            return Patience().booting
        return max(SLACK * self.boot(offer)[1], LEAST)

    def moved(self, seconds: float) -> Self:
        """Return how things stand after the clock was set by so many seconds."""
        rests = {key: replace(rest, until=rest.until + seconds) for key, rest in self.rests.items()}
        out = {key: replace(one, until=one.until + seconds) for key, one in self.out.items()}
        return replace(self, rests=rests, out=out)

    def data(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "rests": {key: [rest.until, rest.times, rest.why] for key, rest in self.rests.items()},
            "boots": {key: list(seconds) for key, seconds in self.boots.items()},
            "bad": dict(self.bad),
            "out": {key: [one.why, one.until] for key, one in self.out.items()},
        }

    @classmethod
    def of(cls, data: Mapping[str, Any] | None) -> Self:
        """Return what `data` gave; how things stand at first, for None."""
        if data is None:
            return cls()
        return cls(
            {key: Rest(*rest) for key, rest in data["rests"].items()},
            {key: tuple(seconds) for key, seconds in data["boots"].items()},
            data["bad"],
            {key: Out(*out) for key, out in data["out"].items()},
        )
