"""``dynamo alerts audit``: all that led to an alert and came of it, by the journal alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynamo.cli.options import workspace_option

if TYPE_CHECKING:
    from dynamo.alerts.alert import Alert
    from dynamo.alerts.records import Clearing, Delivery
    from dynamo.alerts.store import AlertStore

__all__ = ["audit", "plain"]


@click.command("audit")
@click.argument("alert")
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def audit(alert: str, workspace: Path, *, as_json: bool) -> int:
    """Print all that led to ALERT and came of it: scans, run, polygon, rule, message, tries and answers.

    Of an all clear: what was told last, what the rules asked for, and the cycles that held nothing of it.
    """
    from dynamo.alerts.store import AlertStore
    from dynamo.journal import Workspace

    with AlertStore(Workspace.find(workspace).journal) as store:
        found = store.alert(alert)
        if as_json:
            print(json.dumps(_chain(workspace, store, found), indent=2))
        else:
            for title, said in _told(_chain(workspace, store, found), store, found):
                print(f"{title:10} {said}")
    return 0


def plain(value: Any) -> Any:
    """Return a record as JSON values."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def _chain(workspace: Path, store: AlertStore, alert: Alert) -> dict[str, Any]:
    from dynamo.journal import Journal, Workspace
    from dynamo.triggers.store import Store

    journal_path = Workspace.find(workspace).journal
    with Store(journal_path) as windows:
        window = windows.of_run(alert.run) if alert.run else None
    with Journal(journal_path) as journal:
        runs = [run for run in journal.runs() if run.id == alert.run]
    products = str(runs[0].settings.get("products", "")) if runs else ""
    clearing, episode = store.clearing(alert), store.episode(alert.episode)
    return {
        "alert": alert.to_json(),
        "files": {} if window is None else {name: list(paths) for name, paths in window.window.files.items()},
        "seen": None if window is None else window.queued,
        "run": alert.run,
        "products": products,
        "product": _product(products, alert.source),
        "cycles": [plain(asdict(cycle)) for cycle in store.cycles(alert.run)],
        "cleared": clearing and plain(asdict(clearing)),
        "episode": [{"id": one.id, "kind": one.kind, "sent": one.to_json()["sent"]} for one in episode],
        "changes": _changes(alert, episode),
        "lapsed": [plain(asdict(one)) for one in store.lapsed(alert)],
        "deliveries": [plain(asdict(one)) for one in store.deliveries(alert.id)],
    }


def _product(folder: str, digest: str) -> str:
    """Return the product whose content the alert was read from, as long as it is there."""
    from dynamo.worker.store import digest_file

    if not digest or not folder or not Path(folder).is_dir():
        return ""
    files = sorted(path for path in Path(folder).rglob("*.geojson*") if path.is_file())
    return next((str(path) for path in files if digest_file(path) == digest), "")


def _told(chain: dict[str, Any], store: AlertStore, alert: Alert) -> Iterable[tuple[str, str]]:
    from dynamo.alerts.words import headline

    for name, paths in chain["files"].items():
        yield from (("scan", f"{name}: {path}") for path in paths)
    if chain["seen"] is not None:
        yield "complete", _time(chain["seen"])
    yield "run", alert.run or "none: this is an exercise"
    for cycle in chain["cycles"]:
        if cycle["hazard"] == alert.hazard:
            yield "judged", f"{cycle['judged']}: data of {cycle['issued']}, {cycle['outcome']}"
    episode = store.episode(alert.episode)
    if alert.kind == "cancelled":
        yield from _cleared(alert, store.clearing(alert), _before(alert, episode))
    else:
        yield from _met(chain, alert)
    for one in episode:
        yield "episode", f"{one.id} {one.kind} {plain(one.sent)}" + ("  <" if one.id == alert.id else "")
    for end in chain["lapsed"]:
        to = f" to {', '.join(end['channels'])}" if end["channels"] else ""
        yield "lapsed", f"{end['at']}: without an all clear{to}: {end['reason']}"
    yield "message", headline(alert)
    for delivery in store.deliveries(alert.id):
        yield from _delivered(delivery)


def _met(chain: dict[str, Any], alert: Alert) -> Iterator[tuple[str, str]]:
    """Say of what a new or updated alert was made, by which rule, and why it was updated."""
    if alert.polygons:
        yield "polygon", f"{chain['product'] or 'a product that is gone'}, digest {alert.source[:12]}"
    yield "rule", f"{alert.hazard} {_place(alert)}"
    yield "match", _match(alert)
    for change in chain["changes"]:
        yield "update", change


def _before(alert: Alert, episode: Iterable[Alert]) -> Alert | None:
    """Return what an alert replaces: other channels may have been told other things in the same episode."""
    last = [reference.id for reference in alert.references[-1:]]
    return next((one for one in episode if one.id in last), None)


def _changes(alert: Alert, episode: Iterable[Alert]) -> list[str]:
    """Return why an alert was updated; nothing of another, or where the one before is gone."""
    from dynamo.alerts.changes import changes
    from dynamo.alerts.policy import Policy

    before = _before(alert, episode) if alert.kind == "updated" else None
    return [] if before is None else changes(before, alert, Policy())


def _cleared(alert: Alert, why: Clearing | None, last: Alert | None) -> Iterator[tuple[str, str]]:
    """Say what was told before an all clear, what the rules ask for, and since when there is nothing of it."""
    if last is not None:
        yield "last told", f"{_match(last)}, data of {plain(last.issued)}, by {last.id}"
    level = f" from {why.level:g} {alert.units} on" if why and why.level is not None else ""
    lead = f", up to {why.lead_minutes:g} min ahead" if why and why.lead_minutes is not None else ""
    yield "rule", f"{alert.hazard}{level} {_place(alert)}{lead}"
    if why is None:
        return
    for n, cycle in enumerate(why.cycles, why.count - len(why.cycles) + 1):
        yield (
            f"clear {n}/{why.count}",
            f"{plain(cycle.judged)}: nothing of it in data of {plain(cycle.issued)}, run {cycle.run}",
        )


def _match(alert: Alert) -> str:
    inside = ", inside" if alert.inside else ""
    return f"{alert.level:g} {alert.units}, {alert.distance_km:.1f} km away{inside}"


def _place(alert: Alert) -> str:
    near = f"within {alert.within_km:g} km of" if alert.within_km else "at"
    return f"{near} {alert.lon:.5f}, {alert.lat:.5f}"


def _delivered(delivery: Delivery) -> Iterator[tuple[str, str]]:
    reason = f", {delivery.reason}" if delivery.reason else ""
    if delivery.state == "waiting" and delivery.tries:
        reason = f", not tried again before {plain(delivery.due)}"
    yield "delivery", f"{delivery.id}: {delivery.state}{reason}"
    for one in delivery.tries:
        outcome = "failed" if one.outcome == "again" else one.outcome
        answer = " ".join(str(part) for part in (outcome, one.status, one.response) if part)
        yield f"  try {one.n}", f"{plain(one.at)}, {one.seconds:.3f} s: {answer}"


def _time(seconds: float) -> str:
    return str(plain(datetime.fromtimestamp(seconds, UTC)))
