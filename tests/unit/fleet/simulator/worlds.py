"""Small worlds and traces that can be reckoned by hand."""

from __future__ import annotations

from dynamo.fleet.decision import Buy, Decision, Release
from dynamo.fleet.simulator import Job, Scenario, Trace
from dynamo.fleet.view import Group, Offer

KEY = "w/cloud/one/on-demand"


def offer(key=KEY, **more):
    """A machine of one core that boots in exactly 30 s, unless said otherwise."""
    group, provider, *_ = key.split("/")
    return Offer(
        key, group, provider, **{"cores": 1, "usd_per_hour": 3.6, "boot": 30.0, "boot_high": 30.0} | more
    )


def world(*offers, **more):
    """A world in which a policy decides each 10 s, matching takes 2 s, and what is known is true."""
    found = offers or (offer(),)
    groups = more.pop("groups", {each.group: Group(each.group, idle=60.0) for each in found})
    return Scenario(tuple(found), groups, **{"estimates": "exact", "forecast": "none"} | more)


def jobs(count, release=0.0, due=60.0, work=10.0, **more):
    """So many equal jobs."""
    return [Job("k", release, due, work, **more)] * count


def trace(*some, until=600.0):
    """The trace of lists of jobs."""
    return Trace.of("t", [job for each in some for job in each], until)


class Script:
    """A policy that does what it is told at each time, and keeps the views it was given."""

    name = "script"

    def __init__(self, steps):
        self.steps = steps
        self.views = []
        self.histories = []

    def decide(self, view, history):
        """Return the actions for this time."""
        self.views.append(view)
        self.histories.append(history)
        acts = self.steps.get(view.now, ())
        buys = tuple(each for each in acts if isinstance(each, Buy))
        releases = tuple(each for each in acts if isinstance(each, Release))
        return Decision(buys, releases, history={"now": view.now, "pair": (1, 2)})


def buy(count=1, key=KEY):
    """An order."""
    return Buy(key, count, "told to")


def let_go(number):
    """A release of the machine that was ordered as that number."""
    return Release(f"m{number}", "told to")
