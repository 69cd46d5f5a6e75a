"""``dynamo alerts``: what was told, to whom, and how it went on its way."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynamo.cli.audit import audit, plain
from dynamo.cli.exercise import test
from dynamo.cli.move import move
from dynamo.cli.options import moment_of, workspace_option
from dynamo.errors import UserError, nearest
from dynamo.graph.units import format_count

if TYPE_CHECKING:
    from dynamo.alerts.alert import Alert
    from dynamo.alerts.records import DeliveryState
    from dynamo.alerts.store import AlertStore
    from dynamo.journal import Workspace

__all__ = ["command"]

#: What is said of a name that the journal never had. Of so few that it had all are told, of so many one like it.
NEVER = {
    "subscriber": "no subscriber {!r} was ever told of anything",
    "hazard": "nobody was ever told of {!r}",
    "channel": "nothing was ever to be sent to a channel {!r}",
}
FEW, MANY = 10, 10_000
NOBODY = "nobody was told of anything yet"

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("alerts")
def command() -> None:
    """Show what subscribers were told, and how it went on its way."""


command.add_command(audit)
command.add_command(move)
command.add_command(test)


@command.command("list")
@workspace_option
@click.option("--active", is_flag=True, help="Only what is not over.")
@click.option("--subscriber", metavar="ID", help="Only of this subscriber.")
@click.option("--hazard", metavar="KIND", help="Only of this kind.")
@click.option("--channel", metavar="NAME", help="Only what was to be sent to this channel.")
@click.option(
    "--since", metavar="TIME", help="Only what was told in this time, like '2 h', or since 2026-11-22T10:50Z."
)
@click.option(
    "--limit", "-n", type=click.IntRange(min=1), default=20, show_default=True, help="At most this many."
)
@_json
def list_alerts(
    workspace: Path,
    subscriber: str | None,
    hazard: str | None,
    channel: str | None,
    since: str | None,
    limit: int,
    *,
    active: bool,
    as_json: bool,
) -> int:
    """List alerts, the latest first."""
    from dynamo.alerts.words import headline

    begin = None if since is None else moment_of(since, datetime.now(UTC))
    with _store(workspace) as store:
        alerts = store.alerts(
            active=active, subscriber=subscriber, hazard=hazard, channel=channel, since=begin, limit=limit
        )
        ways = store.ways(alerts)
        if not alerts:
            words = {"under way": active, f"of {hazard}": hazard, f"to {subscriber}": subscriber,
                     f"for {channel}": channel}  # fmt: skip
            said = _none_of(words, begin)
            _say_none(store, said, subscriber=subscriber, hazard=hazard, channel=channel)
    if as_json:
        print(json.dumps([_facts(alert, ways.get(alert.id, {})) for alert in alerts], indent=2))
        return 0
    now = datetime.now(UTC)
    for alert in alerts:
        expired = "  (expired)" if active and alert.expires <= now else ""
        told = f"{alert.id}  {alert.sent:%Y-%m-%d %H:%M:%SZ}  {alert.kind:9}  {headline(alert)}"
        print(f"{told}{_to(ways.get(alert.id, {}))}{expired}")
    return 0


@command.command("show")
@click.argument("alert")
@workspace_option
@click.option(
    "--form",
    type=click.Choice(["text", "geojson", "cloudevents", "cap"]),
    default="text",
    show_default=True,
    help="How it is written.",
)
def show(alert: str, workspace: Path, form: str) -> int:
    """Print ALERT (its id, or the beginning of it) as it is sent."""
    from dynamo.alerts.forms import write

    with _store(workspace) as store:
        found = store.alert(alert)
    print(write(found, form).body.decode())  # type: ignore[arg-type]
    return 0


@command.command("deadletter")
@workspace_option
@click.option("--channel", metavar="NAME", help="Only of this channel.")
@_json
def deadletter(workspace: Path, channel: str | None, *, as_json: bool) -> int:
    """List what could not be delivered, and why; `dynamo alerts replay` tries again."""
    with _store(workspace) as store:
        dead = store.dead_letters(channel)
        if not dead:
            where = f" for {channel}" if channel else ""
            _say_none(store, f"nothing{where} was given up", channel=channel)
        expired = store.expired(channel)
    if as_json:
        print(json.dumps([plain(asdict(one)) for one in dead], indent=2))
        return 0
    if expired:
        told = format_count(expired, "delivery", "deliveries")
        print(f"{told} expired in waiting, and cannot be replayed", file=sys.stderr)
    for one in dead:
        ended = f"{one.ended:%Y-%m-%d %H:%M:%SZ}" if one.ended else ""
        print(f"{one.id}  {ended}  after {format_count(len(one.tries), 'try', 'tries')}: {one.reason}")
    return 0


@command.command("replay")
@click.argument("which", required=False)
@click.option("--all", "everything", is_flag=True, help="All that could not be delivered.")
@click.option("--channel", metavar="NAME", help="All of this channel, which is opened if it is closed.")
@workspace_option
def replay(which: str | None, channel: str | None, workspace: Path, *, everything: bool) -> int:
    """Have WHICH delivered after all: a delivery or an alert, by its id or the beginning of it.

    A watch of this workspace sends it. A channel that its receiver closed is opened by that.
    """
    import time

    from dynamo.delivery.outbox import Outbox
    from dynamo.journal import Workspace

    if [which is not None, channel is not None, everything].count(True) != 1:
        raise UserError(
            "name one delivery or alert of `dynamo alerts deadletter`, or give --channel NAME or --all"
        )
    if channel is not None:
        with _store(workspace) as store:
            if wrong := _unknown(store, "channel", channel):
                raise UserError(wrong)
    found = Workspace.find(workspace)
    with Outbox(found.journal) as outbox:
        now = time.time()
        count = outbox.replay(which, now) if channel is None else outbox.open(channel, now)
    told = f"{count} to be delivered{_unwatched(found)}" if count else "nothing to replay"
    print(told if channel is None else f"{channel} is open, {told}")
    return 0


def _unwatched(workspace: Workspace) -> str:
    """Return that nobody delivers what waits; nothing where a watch is at work for each channel that has any."""
    from dynamo.watch.alone import troubles_of

    with _store(workspace.root) as store:
        feeds = {queue.channel.rpartition("/")[0] for queue in store.queues()}
    idle = sorted(feed for feed in feeds if troubles_of(workspace.root, feed) is None)
    return f"; nobody does that until `dynamo watch {' '.join(idle)}` runs" if idle else ""


def _facts(alert: Alert, ways: Mapping[str, DeliveryState]) -> dict[str, Any]:
    """Return an alert as JSON values, with its channels, and how its delivery to each stands."""
    return {**alert.to_json(), "channels": list(ways), "deliveries": dict(ways)}


def _to(ways: Mapping[str, DeliveryState]) -> str:
    """Return on which channels, without the run file, which is the same for all; and where it was not sent, that."""
    names = [
        name.rpartition("/")[2] + ("" if state == "sent" else f" ({state})") for name, state in ways.items()
    ]
    return f"  to {', '.join(names)}" if names else ""


def _none_of(words: Mapping[str, object], since: datetime | None) -> str:
    """Return that there is no alert of those that were asked for; `words` say of which, each where it was given."""
    chosen = [said for said, given in words.items() if given]
    if since is not None:
        chosen.append(f"since {since:%Y-%m-%d %H:%M:%SZ}")
    return " ".join(("no alert", *chosen)) if chosen else NOBODY


def _say_none(store: AlertStore, words: str, **names: str | None) -> None:
    """Say on standard error why a list is empty: by these words, or because the journal never had such a name."""
    for what, name in names.items():
        if name is not None and (wrong := _unknown(store, what, name)):
            words = wrong
            break
    print(words, file=sys.stderr)


def _unknown(store: AlertStore, what: str, name: str) -> str:
    """Return that the journal never had such a name; nothing where it had."""
    known = store.known(what)  # type: ignore[arg-type]
    if name in known:
        return ""
    return f"{NEVER[what].format(name)}{_close(name, known)}" if known else NOBODY


def _close(name: str, known: list[str]) -> str:
    """Return the known name that is meant, or all where they are few."""
    # In another case, or a channel without its run file.
    meant = [one for one in known if name.casefold() in {one.casefold(), one.casefold().rpartition("/")[2]}]
    said = f" (did you mean {meant[0]!r}?)" if meant else nearest(name, known[:MANY])
    return said or (f"; there are {', '.join(known)}" if len(known) <= FEW else "")


def _store(workspace: Path) -> AlertStore:
    from dynamo.alerts.store import AlertStore
    from dynamo.journal import Workspace

    return AlertStore(Workspace.find(workspace).journal)
