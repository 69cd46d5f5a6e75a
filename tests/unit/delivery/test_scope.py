"""Senders of several run files share a journal: each sends what is its own, and leaves the rest alone."""

from __future__ import annotations

import asyncio

from dynamo.delivery.channel import Outcome
from dynamo.delivery.sender import Sender


class Silent:
    """A channel that takes everything and remembers it."""

    name = "desk"

    def __init__(self):
        self.took = []

    async def send(self, alert, delivery):
        self.took.append(delivery)
        return Outcome("sent")

    async def close(self):
        pass


def test_a_sender_leaves_the_channels_of_others_alone(rows):
    """What another run file's channel waits for is neither sent nor given up, and is sent by its own sender."""
    rows.add("a.yaml/desk")
    rows.add("b.yaml/desk")
    one, two = Silent(), Silent()
    left = asyncio.run(Sender(rows.path, {"a.yaml/desk": one}, scope="a.yaml/", clock=rows.clock).drain())
    assert (left, one.took) == (0, ["m1"])
    assert rows.states() == {"m1": "sent", "m2": "waiting"}
    left = asyncio.run(Sender(rows.path, {"b.yaml/desk": two}, scope="b.yaml/", clock=rows.clock).drain())
    assert (left, two.took) == (0, ["m2"])
