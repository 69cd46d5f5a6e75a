"""``dynamo alerts test RUNFILE --subscriber ID``: an exercise, on the way that a real alert goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynamo.errors import UserError

if TYPE_CHECKING:
    from dynamo.alerts.match import Match
    from dynamo.alerts.records import Delivery
    from dynamo.alerts.subscriber import Subscribers
    from dynamo.delivery.channel import Channel
    from dynamo.delivery.sender import Sender

__all__ = ["test"]

#: Seconds for which an exercise is tried, and between looks whether it has been settled, by whomever.
_PATIENCE, _LOOK = 30.0, 0.05


@click.command("test")
@click.argument("runfile", type=click.Path(path_type=Path))
@click.option("--subscriber", required=True, metavar="ID", help="Who is told.")
def test(runfile: Path, subscriber: str) -> int:
    """Send a marked exercise to a subscriber of RUNFILE, on all of his channels, and say how it went."""
    from dynamo.alerts.store import AlertStore
    from dynamo.delivery.sender import Sender
    from dynamo.journal import Workspace
    from dynamo.watch.channels import address
    from dynamo.watch.feed import read_feed
    from dynamo.watch.means import means_of

    feed = read_feed(runfile)
    means = means_of(feed)
    if means is None or means.people is None:
        raise UserError(f"{runfile} has no section 'alerts'")
    channels = means.channels
    match, names = _pretended(means.people.known, subscriber, sorted(channels))
    workspace = Workspace.open(feed.workspace)
    with AlertStore(workspace.journal) as store:
        told = [address(feed.name, name) for name in names]
        alert = store.exercise(match, feed.name, datetime.now(UTC), told)
        # A watch that is under way may send it first: they share the work.
        addressed = {address(feed.name, name): channel for name, channel in channels.items()}
        sender = Sender(workspace.journal, addressed, scope=address(feed.name))
        shown: dict[str, str] = {}
        try:
            asyncio.run(_send(sender, channels.values(), lambda: _show(store.deliveries(alert.id), shown)))
        finally:  # also after Ctrl-C
            _show(store.deliveries(alert.id), shown, whole=True)
    return 0 if set(shown.values()) == {"sent"} else UserError.exit_code


def _show(deliveries: Iterable[Delivery], shown: dict[str, str], *, whole: bool = False) -> bool:
    """Print what is news of deliveries: the first failed try, and how each ended; at the last, all that wait still.

    Return whether all have ended; `shown` has the state of each as it was printed last, by its id.
    """
    ended = True
    for one in deliveries:
        waits = one.state == "waiting"
        ended = ended and not waits
        last = one.tries[-1] if one.tries else None
        if (waits and last is None and not whole) or (
            shown.get(one.id) == one.state and not (waits and whole)
        ):
            continue
        shown[one.id] = one.state
        status = f"HTTP {last.status} " if last and last.status else ""
        answer = f"{status}{last.response}".rstrip() if last else ""
        if waits and not whole:
            print(f"{one.channel}: failed: {answer or 'no answer'}; it is tried again", flush=True)
            continue
        said = f"{answer or 'no answer'}; a watch goes on trying" if waits else answer or "accepted"
        print(f"{one.channel}: {one.state}: {one.reason or said}", flush=True)
    return ended


async def _send(sender: Sender, channels: Iterable[Channel], ended: Callable[[], bool]) -> None:
    """Send what waits until the test is settled, by whomever; what else waits stays for the next sender."""
    sending = asyncio.create_task(sender.run())
    try:
        async with asyncio.timeout(_PATIENCE):
            while not ended() and not sending.done():
                await asyncio.wait([sending], timeout=_LOOK)
    except TimeoutError:
        pass  # what became of it so far is said
    finally:
        sender.stop()
        await sending
        for channel in channels:
            await channel.close()


def _pretended(people: Subscribers, subscriber: str, channels: list[str]) -> tuple[Match, list[str]]:
    """Return a match as if a hazard that the subscriber asks for were there now, and the names of his channels."""
    from dynamo.alerts.match import Match

    place = people.at(subscriber)
    rows = [row for row, owner in enumerate(people.owner.tolist()) if owner == place]
    if not rows:
        raise UserError(f"subscriber {subscriber!r} asks to be told of nothing")
    named = {people.channels[people.channel[row]] for row in rows}
    level = float(people.min_level[rows[0]])
    now = datetime.now(UTC)
    within_km = float(people.within_km[rows[0]])
    match = Match(
        subscriber=subscriber,
        lon=float(people.lon[place]),
        lat=float(people.lat[place]),
        hazard=people.hazards[people.hazard[rows[0]]] or "EXERCISE",
        level=level if abs(level) < float("inf") else 0.0,
        units="",
        onset=now,
        ends=now + timedelta(minutes=30),
        inside=False,
        distance_km=0.0,
        bearing_deg=0.0,
        within_km=within_km,
        narrowest_km=within_km,
    )
    return match, channels if "" in named else sorted(named)
