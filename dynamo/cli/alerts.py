"""``dynamo alerts``: what was told, to whom, and how it went on its way."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynamo.cli.exercise import test
from dynamo.cli.move import move
from dynamo.cli.options import workspace_option
from dynamo.errors import UserError
from dynamo.graph.units import format_count, parse_seconds

if TYPE_CHECKING:
    from dynamo.alerts.alert import Alert
    from dynamo.alerts.store import AlertStore

__all__ = ["command"]

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("alerts")
def command() -> None:
    """Show what subscribers were told, and how it went on its way."""


command.add_command(move)
command.add_command(test)


@command.command("list")
@workspace_option
@click.option("--active", is_flag=True, help="Only what is not over.")
@click.option("--subscriber", metavar="ID", help="Only of this subscriber.")
@click.option("--hazard", metavar="KIND", help="Only of this kind.")
@click.option("--since", metavar="TIME", help="Only what was told in this time, like '2 h'.")
@click.option(
    "--limit", "-n", type=click.IntRange(min=1), default=20, show_default=True, help="At most this many."
)
@_json
def list_alerts(
    workspace: Path,
    subscriber: str | None,
    hazard: str | None,
    since: str | None,
    limit: int,
    *,
    active: bool,
    as_json: bool,
) -> int:
    """List alerts, the latest first."""
    from dynamo.alerts.words import headline

    with _store(workspace) as store:
        alerts = store.alerts(
            active=active, subscriber=subscriber, hazard=hazard, since=_since(since), limit=limit
        )
    if as_json:
        print(json.dumps([alert.to_json() for alert in alerts], indent=2))
        return 0
    now = datetime.now(UTC)
    for alert in alerts:
        expired = "  (expired)" if active and alert.expires <= now else ""
        print(f"{alert.id}  {alert.sent:%Y-%m-%d %H:%M:%SZ}  {alert.kind:9}  {headline(alert)}{expired}")
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


@command.command("audit")
@click.argument("alert")
@workspace_option
@_json
def audit(alert: str, workspace: Path, *, as_json: bool) -> int:
    """Print all that led to ALERT and came of it: scans, run, polygon, rule, message, tries and answers."""
    with _store(workspace) as store:
        found = store.alert(alert)
        chain = _chain(workspace, store, found)
    if as_json:
        print(json.dumps(chain, indent=2))
        return 0
    for title, said in _told(chain, found):
        print(f"{title:10} {said}")
    return 0


@command.command("deadletter")
@workspace_option
@click.option("--channel", metavar="NAME", help="Only of this channel.")
@_json
def deadletter(workspace: Path, channel: str | None, *, as_json: bool) -> int:
    """List what could not be delivered, and why; `dynamo alerts replay` tries again."""
    with _store(workspace) as store:
        dead = store.dead_letters(channel)
    if as_json:
        print(json.dumps([_plain(asdict(one)) for one in dead], indent=2))
        return 0
    for one in dead:
        ended = f"{one.ended:%Y-%m-%d %H:%M:%SZ}" if one.ended else ""
        print(f"{one.id}  {ended}  after {format_count(len(one.tries), 'try', 'tries')}: {one.reason}")
    return 0


@command.command("replay")
@click.argument("which", required=False)
@click.option("--all", "everything", is_flag=True, help="All that could not be delivered.")
@workspace_option
def replay(which: str | None, workspace: Path, *, everything: bool) -> int:
    """Have WHICH (a delivery, or an alert) delivered after all; a watch of this workspace sends it."""
    import time

    from dynamo.delivery.outbox import Outbox
    from dynamo.journal import Workspace

    if (which is None) != everything:
        raise UserError("name one delivery or alert of `dynamo alerts deadletter`, or give --all")
    with Outbox(Workspace.find(workspace).journal) as outbox:
        count = outbox.replay(which, time.time())
    print(f"{count} to be delivered")
    return 0


def _store(workspace: Path) -> AlertStore:
    from dynamo.alerts.store import AlertStore
    from dynamo.journal import Workspace

    return AlertStore(Workspace.find(workspace).journal)


def _since(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.now(UTC) - timedelta(seconds=parse_seconds(text))
    except ValueError as error:
        raise UserError(f"--since: {error}") from None


def _chain(workspace: Path, store: AlertStore, alert: Alert) -> dict[str, Any]:
    from dynamo.journal import Journal, Workspace
    from dynamo.triggers.store import Store

    journal_path = Workspace.find(workspace).journal
    with Store(journal_path) as windows:
        window = windows.of_run(alert.run) if alert.run else None
    with Journal(journal_path) as journal:
        runs = [run for run in journal.runs() if run.id == alert.run]
    products = str(runs[0].settings.get("products", "")) if runs else ""
    return {
        "alert": alert.to_json(),
        "files": {} if window is None else {name: list(paths) for name, paths in window.window.files.items()},
        "seen": None if window is None else window.queued,
        "run": alert.run,
        "products": products,
        "product": _product(products, alert.source),
        "cycles": [_plain(asdict(cycle)) for cycle in store.cycles(alert.run)],
        "episode": [
            {"id": one.id, "kind": one.kind, "sent": one.to_json()["sent"]}
            for one in store.episode(alert.episode)
        ],
        "lapsed": _plain(store.lapsed(alert.episode)),
        "deliveries": [_plain(asdict(one)) for one in store.deliveries(alert.id)],
    }


def _product(folder: str, digest: str) -> str:
    """Return the product whose content the alert was read from, as long as it is there."""
    from dynamo.worker.store import digest_file

    if not digest or not folder or not Path(folder).is_dir():
        return ""
    files = sorted(path for path in Path(folder).rglob("*.geojson*") if path.is_file())
    return next((str(path) for path in files if digest_file(path) == digest), "")


def _told(chain: dict[str, Any], alert: Alert) -> Iterable[tuple[str, str]]:
    from dynamo.alerts.words import headline

    for name, paths in chain["files"].items():
        yield from (("scan", f"{name}: {path}") for path in paths)
    if chain["seen"] is not None:
        yield "complete", _time(chain["seen"])
    yield "run", alert.run or "none: this is an exercise"
    for cycle in chain["cycles"]:
        yield "judged", f"{cycle['judged']}: {cycle['hazard']}, data of {cycle['issued']}, {cycle['outcome']}"
    if alert.polygons:
        yield "polygon", f"{chain['product'] or 'a product that is gone'}, digest {alert.source[:12]}"
    yield "rule", f"{alert.hazard} within {alert.within_km:g} km of {alert.lon:.5f}, {alert.lat:.5f}"
    yield (
        "match",
        f"{alert.level:g} {alert.units}, {alert.distance_km:.1f} km away"
        + (", inside" if alert.inside else ""),
    )
    for one in chain["episode"]:
        yield "episode", f"{one['id']} {one['kind']} {one['sent']}" + ("  <" if one["id"] == alert.id else "")
    if chain["lapsed"]:
        at, reason = chain["lapsed"]
        yield "lapsed", f"{at}: without an all clear: {reason}"
    yield "message", headline(alert)
    for delivery in chain["deliveries"]:
        yield "delivery", f"{delivery['id']}: {delivery['state']}{_because(delivery['reason'])}"
        for one in delivery["tries"]:
            status = f" {one['status']}" if one["status"] else ""
            yield (
                f"  try {one['n']}",
                f"{one['at']}, {one['seconds']:.3f} s: {one['outcome']}{status} {one['response']}".rstrip(),
            )


def _because(reason: str) -> str:
    return f", {reason}" if reason else ""


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
