"""Whatever is wrong with a policy, plain queue depth decides in its place, and it is said."""

from __future__ import annotations

import pytest

from dynamo.fleet.decision import Buy, Decision
from dynamo.fleet.policies.fallback import decided
from dynamo.fleet.view import Group, Load, Offer, View

OFFER = Offer("workers/c/two/on-demand", "workers", "c", cores=2, usd_per_hour=1.0)
VIEW = View(
    now=0.0,
    loads=[Load("nowcast", 60.0, waiting=4, running=0, work=40.0, high=80.0)],
    workers=[],
    offers=[OFFER],
    groups={"workers": Group("workers", max=8)},
    coming=[],
)


class Says:
    """A policy that decides what it was given, or raises it."""

    name = "says"

    def __init__(self, what) -> None:
        self.what = what

    def decide(self, _view, _history):
        """Decide it."""
        if isinstance(self.what, Exception):
            raise self.what
        return self.what


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (None, "NoneType"),
        (Decision(buys=(Buy("workers/c/nine/on-demand", 1, ""),)), "which nobody offers"),
        (Decision(buys=(Buy(OFFER.key, -3, ""),)), "buys -3 x"),
        (Decision(buys=(Buy(OFFER.key, 1.5, ""),)), "buys 1.5 x"),
        (Decision(history={"seen": {1, 2}}), "not JSON serializable"),
        (Decision(history={1: 2}), "must be str"),
        (Decision(history={"seen": 2**70}), "64-bit"),
    ],
)
def test_a_policy_that_fails_or_says_what_cannot_be_is_told_and_queue_depth_decides(wrong, told):
    """Two machines of two cores for four jobs; what it kept in mind stays as it was."""
    made, why = decided(Says(wrong), VIEW, {"kept": 1})
    assert told in why
    assert why.startswith("the policy says failed")
    assert made.reasons[0] == why
    assert made.history == {"kept": 1}
    assert [(one.offer, one.count) for one in made.buys] == [(OFFER.key, 2)]


def test_what_a_policy_says_that_can_be_is_done():
    """As it is."""
    said = Decision(buys=(Buy(OFFER.key, 1, "because"),), history={"a": 1})
    assert decided(Says(said), VIEW, {}) == (said, "")


def test_a_policy_that_cannot_read_what_it_kept_in_mind_begins_anew():
    """After an update it is not lost for good."""

    class Forgets(Says):
        def decide(self, _view, history):
            """Decide, unless another dynamo wrote the history."""
            if "old" in history:
                raise KeyError("new")
            return self.what

    said = Decision(buys=(Buy(OFFER.key, 1, "because"),), history={"new": 1})
    made, why = decided(Forgets(said), VIEW, {"old": 1})
    assert (made.buys, made.history) == (said.buys, said.history)
    assert why == "the policy says failed (KeyError: 'new'): it began anew, without what it kept in mind"
    assert made.reasons == (why,)
