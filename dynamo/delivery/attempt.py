"""An attempt: one delivery is handed to its channel once, whatever the channel does.

A delivery enters, an outcome leaves, in bounded time. Nothing goes wrong: what does is the outcome.
"""

from __future__ import annotations

import asyncio

from dynamo.delivery.channel import Channel, Outcome
from dynamo.delivery.records import Item

__all__ = ["attempt"]

#: How much longer a channel that ends its tries by itself may take for that.
LONGER = 1.1


async def attempt(channel: Channel, item: Item, most: float) -> Outcome:
    """Send one delivery once; in `most` seconds, or as many as the channel gives itself where these are more."""
    try:
        most = max(most, LONGER * getattr(channel, "timeout", 0.0))
        async with asyncio.timeout(most):
            return await channel.send(item.alert, item.id)
    except TimeoutError:
        return Outcome("again", f"no outcome within {most:g} s")
    except Exception as error:  # noqa: BLE001 - a user's channel may raise anything, and must not stop the others
        # Its message is left out: nobody knows whether a secret is in it.
        return Outcome("again", f"the channel failed: {type(error).__name__}")
