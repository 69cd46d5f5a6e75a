"""``dynamo alerts move RUNFILE ID LON LAT``: a subscriber is somewhere else now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from dynamo.errors import UserError

__all__ = ["move"]


# Unknown options are arguments: a longitude may begin with a minus.
@click.command("move", context_settings={"ignore_unknown_options": True})
@click.argument("runfile", type=click.Path(path_type=Path))
@click.argument("subscriber", metavar="ID")
@click.argument("lon", type=float)
@click.argument("lat", type=float)
def move(runfile: Path, subscriber: str, lon: float, lat: float) -> int:
    """Say that the subscriber ID of RUNFILE is at LON, LAT now (WGS 84 degrees).

    A watch goes by that from its next cycle on, for an hour or as long as `positions: keep` of the run file says; then
    by the file of subscribers again.
    """
    from dynamo.alerts.positions import Position, record_positions
    from dynamo.journal import Workspace
    from dynamo.watch.feed import read_feed
    from dynamo.watch.people import read_people
    from dynamo.watch.swapped import Whereabouts

    feed, now = read_feed(runfile), datetime.now(UTC)
    alerts = feed.runfile.alerts
    if alerts is None:
        raise UserError(f"{runfile} has no section 'alerts'")
    # Faults of others' rows stop nobody from moving.
    people, _ = read_people(replace(alerts, faults="skip"), feed.path.parent, None)
    people.at(subscriber)
    position = Position(feed.name, subscriber, lon, lat, now.timestamp())
    if wrong := Whereabouts(people).wrong(lon, lat):
        raise UserError(wrong)
    (later,) = record_positions(Workspace.open(feed.workspace).journal, [position])
    if later is not None:
        raise UserError(
            f"a later position of {subscriber!r} is known, of {datetime.fromtimestamp(later, UTC):%Y-%m-%d %H:%M:%SZ}"
        )
    until = now + timedelta(seconds=alerts.positions.keep)
    print(f"{subscriber} is at {lon:g}, {lat:g} until {until:%Y-%m-%d %H:%M:%SZ}")
    return 0
