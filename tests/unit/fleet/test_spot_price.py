"""What spot may come to counts in budgets: clouds charge up to the price on demand where no other was said."""

from __future__ import annotations

import pytest

from dynamo.fleet.buying import market
from dynamo.fleet.offering import Offering
from dynamo.fleet.policies.named import by_name
from dynamo.fleet.slice import NodeGroup, NodeOffer, ProviderRule, Slice, SliceLimits
from dynamo.fleet.slice_offers import price
from dynamo.fleet.standing import Standing
from dynamo.fleet.view import Load, View

DEMAND = Offering("c7i", 16, 2**35, "on-demand", usd_per_hour=0.714)
SPOT = Offering("c7i", 16, 2**35, "spot", usd_per_hour=0.25)
OTHER = Offering("c7i.metal", 192, 2**38, "on-demand", usd_per_hour=8.57)


@pytest.mark.parametrize(
    ("sold", "more", "usd", "most"),
    [
        ((DEMAND, SPOT, OTHER), {}, 0.25, 0.714),
        ((DEMAND, SPOT), {"max_price": 0.3}, 0.25, 0.3),
        ((DEMAND, SPOT), {"usd_per_hour": 0.5}, 0.5, 0.5),
        ((SPOT, OTHER), {}, 0.25, 0.25),
    ],
)
def test_spot_counts_at_the_most_that_the_cloud_may_charge(sold, more, usd, most):
    """The price on demand of the same size, or what the slice says; the price of now where nobody knows that."""
    found = price(NodeOffer("aws", "c7i", purchase="spot", **more), {"aws": sold})
    assert (found.usd, found.usd_most) == (usd, most)


def test_what_is_bought_on_demand_counts_at_its_price():
    """Whatever spot costs."""
    found = price(NodeOffer("aws", "c7i"), {"aws": (SPOT, DEMAND)})
    assert (found.usd, found.usd_most) == (0.714, 0.714)


def test_spot_that_costs_less_now_is_bought_before_what_is_bought_on_demand():
    """And counts in the limits at the most: of 3 dollars an hour four are had, at 0.714 each."""
    sold = {"aws": (SPOT, DEMAND)}
    group = NodeGroup((NodeOffer("aws", "c7i", purchase="spot"), NodeOffer("aws", "c7i")), max=9)
    slice_ = Slice("s", {"aws": ProviderRule("ec2")}, {"w": group}, limits=SliceLimits(usd_per_hour=3.0))
    trading = market(slice_, sold, Standing(), [], 0.0)
    spot, demand = trading.offers.values()
    assert (spot.price, spot.usd_per_hour, demand.price) == (0.25, 0.714, 0.714)
    view = View(
        0.0, loads=[Load("a", 600.0, 999, 0, 1e6, 1e6)], offers=list(trading.offers.values()), groups=trading.groups,
        limits=trading.limits,
    )  # fmt: skip
    (buy,) = by_name("work").decide(view, {}).buys
    assert (buy.offer, buy.count) == (spot.key, 4)
