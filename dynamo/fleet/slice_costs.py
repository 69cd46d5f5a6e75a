"""Check a slice against what the clouds sell: sizes, prices, and whether the least that it asks for fits its limits."""

from __future__ import annotations

from dynamo.errors import nearest
from dynamo.fleet.slice import Measure, Slice
from dynamo.fleet.slice_file import SliceDraft
from dynamo.fleet.slice_offers import Catalogue, Priced, priced_group
from dynamo.runfile.values import At

__all__ = ["check_costs", "check_least"]


def check_costs(draft: SliceDraft, catalogue: Catalogue) -> None:
    """Add faults of a slice that the catalogue shows; of a provider that is not in it nothing is said."""
    slice_ = draft.slice
    assert slice_ is not None
    for name in slice_.nodes:
        for index, priced in enumerate(priced_group(slice_, name, catalogue)):
            at = draft.offer_at(name, index)
            if priced.offer.provider in catalogue:
                _check_sold(draft, at, priced, catalogue)
                _check_priced(draft, slice_, at, priced)
    check_least(draft, catalogue)


def _check_sold(draft: SliceDraft, at: At, priced: Priced, catalogue: Catalogue) -> None:
    offer, largest = priced.offer, priced.offering
    if isinstance(offer.size, Measure):
        if largest and (
            offer.size.cores > largest.cores or offer.size.memory > (largest.memory or float("inf"))
        ):
            most = Measure(largest.cores, largest.memory)
            draft.tell((*at, "size"), f"{offer.size} is more than {offer.provider!r} has, which is {most}")
        return
    if largest:
        return
    sold = catalogue[offer.provider]
    ways = [one.purchase for one in sold if one.size == offer.size]
    if ways:
        draft.tell((*at, "purchase"), f"{offer.size} is sold {' or '.join(ways)} at {offer.provider!r}")
        return
    sizes = sorted({one.size for one in sold if one.size})
    hint = nearest(offer.size, sizes) or (f"; known are {', '.join(sizes[:8])}" if sizes else "")
    draft.tell((*at, "size"), f"{offer.provider!r} has no size {offer.size!r}{hint}")


def _check_priced(draft: SliceDraft, slice_: Slice, at: At, priced: Priced) -> None:
    if slice_.limits.money and priced.usd is None:
        budget = "usd_per_hour" if slice_.limits.usd_per_hour < float("inf") else "usd_per_day"
        draft.tell(
            (*at, "size"),
            f"nobody knows the price of {priced.offer}, and `limits` has {budget}: say it here by `usd_per_hour`",
        )


def check_least(draft: SliceDraft, catalogue: Catalogue | None = None) -> None:
    """Add limits that not even the fewest machines fit, each by the cheapest and the smallest offer of its group.

    Without a catalogue, sizes that have names count as one core, and offers without a price as free.
    """
    slice_ = draft.slice
    assert slice_ is not None
    cores, usd = 0, 0.0
    for name, group in slice_.nodes.items():
        offers = priced_group(slice_, name, catalogue or {})
        cores += group.fewest * min((one.cores for one in offers), default=0)
        usd += group.fewest * min((one.usd or 0.0 for one in offers), default=0.0)
    limits = slice_.limits
    for key, least, most in (
        ("cores", float(cores), limits.cores),
        ("usd_per_hour", usd, limits.usd_per_hour),
        ("usd_per_day", usd * 24, limits.usd_per_day),
    ):
        if least > most * (1 + 1e-9):
            draft.tell(
                ("limits", key),
                f"is {most:g}, and the fewest machines that the groups ask for (`count`, `min`, `warm`) have {least:g} "
                "at least",
            )
