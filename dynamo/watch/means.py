"""The means of telling people that a run file names: its channels, its subscribers, and who may say where they are.

Enters: a run file as far as it can be understood. Leaves: what of it is right. Goes wrong: all that is wrong is added
to the faults of the run file, at its place there or in the file of subscribers. Nobody is connected to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dynamo.delivery.channel import Channel
from dynamo.errors import Place, UserError
from dynamo.runfile.alerts import AlertsRule
from dynamo.runfile.draft import Draft, read
from dynamo.runfile.inputs import beside
from dynamo.runfile.paths import under
from dynamo.watch.channels import make_channels
from dynamo.watch.feed import Feed
from dynamo.watch.people import TOLD, FaultyPeopleError, People, Posted
from dynamo.watch.secret import read_secret

__all__ = ["Means", "find_means", "means_of"]


@dataclass(frozen=True, slots=True)
class Means:
    """Channels by name; the subscribers, None where they are faulty; the token of who posts where they are."""

    channels: dict[str, Channel]
    people: People | None
    token: str = field(default="", repr=False)


def find_means(draft: Draft, posted: Posted = lambda _: {}, label: str = "") -> Means | None:
    """Return the means of a run file, None where it tells nobody; add what is wrong to its faults.

    `posted` returns who said where he is; lines of the log begin with `label`.
    """
    alerts, base = draft.runfile.alerts if draft.runfile else None, draft.path.parent
    if alerts is None:
        return None
    channels = make_channels(alerts, base, draft.tell)
    token = ""
    if alerts.positions.token:
        try:
            token = read_secret(alerts.positions.token, base)
        except UserError as error:
            at = ("alerts", "positions", "token")
            draft.tell(at, f"positions: {alerts.positions.token}: {error.message}")
    return Means(channels, _people(draft, alerts, posted, label), token)


def means_of(feed: Feed, posted: Posted = lambda _: {}, label: str = "") -> Means | None:
    """Return the means of a run file that is watched; raise `UserError` with all that is wrong with them."""
    draft = read(feed.path, text=feed.text)
    means = find_means(draft, posted, label)
    draft.faults.check()
    return means


def _people(draft: Draft, alerts: AlertsRule, posted: Posted, label: str) -> People | None:
    at, path = ("alerts", "subscribers"), under(draft.path.parent, alerts.subscribers)
    if not path.exists():
        draft.tell(at, f"subscribers: no file {alerts.subscribers!r}{beside(path)}")
        return None
    # Where the section has faults not all channels are known, and who asks for one of the others is not at fault.
    names = None if ("alerts",) in draft.lost else alerts.names
    try:
        return People(alerts, draft.path.parent, names, posted, label)
    except FaultyPeopleError as error:
        for one in error.faults[:TOLD]:
            who = f"{one.subscriber!r}: " if one.subscriber else ""
            said = f"{who}{one.message}" if one.line else str(one)
            draft.faults.add(Place(str(path), one.line), said, lacking=str(one))
        if (more := len(error.faults) - TOLD) > 0:
            draft.tell(at, f"subscribers: {more:,} more rows of {alerts.subscribers} are wrong")
    except UserError as error:
        draft.faults.add(error.place or Place(str(path)), error.message)
    return None
