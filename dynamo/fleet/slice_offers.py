"""What an offer of a slice is in the catalogue of its provider: cores and price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dynamo.fleet.machine import Machine
from dynamo.fleet.offering import Offering
from dynamo.fleet.slice import Measure, NodeOffer, Slice

__all__ = ["Catalogue", "Priced", "offer_of", "price", "price_machine", "priced_group"]

#: What providers sell, by their names in the slice; a provider that did not say is missing.
Catalogue = Mapping[str, Sequence[Offering]]


@dataclass(frozen=True, slots=True)
class Priced:
    """An offer with what is known of it.

    Parameters
    ----------
    offer
        What the slice says.
    cores, memory
        Of one machine; memory in bytes, 0 where it is not known.
    usd, usd_most
        What one costs an hour now, and at most, for the price of spot changes; None where nobody has said it.
    offering
        What it is in the catalogue; None where it is not there.
    """

    offer: NodeOffer
    cores: int
    memory: int
    usd: float | None
    usd_most: float | None
    offering: Offering | None = None

    def fits(self, provider: str, machine: Machine) -> bool:
        """Whether a machine is of this offer, as far as a listing tells.

        It does not tell what one has that was made to measure, nor with every cloud whether one is of what is reserved.
        """
        if provider != self.offer.provider or (machine.purchase == "spot") != (self.offer.bought == "spot"):
            return False
        return isinstance(self.offer.size, Measure) or machine.size == self.offer.size


def _sold(offer: NodeOffer, sold: Sequence[Offering]) -> Offering | None:
    """Return what a provider sells by that size: in that way, or for what is reserved in any."""
    size = "" if isinstance(offer.size, Measure) else offer.size
    same = [one for one in sold if one.size == size]
    exact = [one for one in same if one.purchase == offer.bought]
    loose = same if offer.bought == "reserved" or not size else []
    return next(iter([*exact, *loose]), None)


def _usd(offer: NodeOffer, offering: Offering | None) -> float | None:
    """Return what an hour of one machine costs now; what is reserved is paid for already."""
    if offer.usd_per_hour is not None:
        return offer.usd_per_hour
    if offer.bought == "reserved":
        return 0.0 if offer.reservation else None
    known = offering.usd_per_hour if offering else None
    if offer.bought == "spot" and offer.max_price is not None:
        return offer.max_price if known is None else min(known, offer.max_price)
    return known


def _most(offer: NodeOffer, usd: float | None, sold: Sequence[Offering]) -> float | None:
    """Return what an hour of one machine may come to: clouds charge up to the price on demand for spot."""
    if offer.bought != "spot" or offer.usd_per_hour is not None:
        return usd
    if offer.max_price is not None:
        return offer.max_price
    prices = (one.usd_per_hour for one in sold if one.size == offer.size and one.purchase == "on-demand")
    return max((one for one in (usd, *prices) if one is not None), default=None)


def price(offer: NodeOffer, catalogue: Catalogue) -> Priced:
    """Return an offer with what the catalogue knows of it; what it does not say is one core and no price."""
    sold = catalogue.get(offer.provider, ())
    offering = _sold(offer, sold)
    usd = _usd(offer, offering)
    most = _most(offer, usd, sold)
    if isinstance(offer.size, Measure):
        return Priced(offer, offer.size.cores, offer.size.memory, usd, most, offering)
    cores, memory = (offering.cores, offering.memory) if offering else (1, 0)
    return Priced(offer, cores, memory, usd, most, offering)


def offer_of(offers: Iterable[Priced], provider: str, machine: Machine) -> Priced | None:
    """Return the offer that a machine is of, rather one that is bought in just that way; None where it is of none."""
    fitting = [one for one in offers if one.fits(provider, machine)]
    return min(fitting, key=lambda one: one.offer.bought != machine.purchase, default=None)


def priced_group(slice_: Slice, group: str, catalogue: Catalogue) -> list[Priced]:
    """Return the offers of a group, best first."""
    return [price(offer, catalogue) for offer in slice_.nodes[group].offers]


def price_machine(
    slice_: Slice, provider: str, machine: Machine, catalogue: Catalogue
) -> tuple[int, float | None]:
    """Return the cores of a machine that there is, and what an hour of it costs; None where nobody has said it."""
    group = machine.tags.group
    offers = priced_group(slice_, group, catalogue) if group in slice_.nodes else []
    own = offer_of(offers, provider, machine)
    if own:
        return own.cores, own.usd
    sold = [one for one in catalogue.get(provider, ()) if one.size == machine.size]
    exact = next((one for one in sold if one.purchase == machine.purchase), None)
    return (sold[0].cores if sold else 1), (exact.usd_per_hour if exact else None)
