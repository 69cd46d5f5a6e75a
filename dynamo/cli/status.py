"""``dynamo status [RUN]``: how a run stands."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dynamo.cli.alike import alike, some
from dynamo.cli.execute import resuming
from dynamo.cli.options import workspace_option
from dynamo.cli.standing import IN_POOL, catch_up, in_pool, state_of
from dynamo.errors import UserError, WorkflowError
from dynamo.graph.units import format_count

if TYPE_CHECKING:
    from dynamo.alerts.records import CycleRecord
    from dynamo.delivery.failing import Failing
    from dynamo.graph import Graph
    from dynamo.journal import Journal, RunRecord, Workspace
    from dynamo.triggers.sightings import Waking

__all__ = ["command"]

_Said = TypeVar("_Said")
_CLEAR = {"judged": "", "unknown": ": nothing counts as clear"}
#: Of a run file that waits for weather, how often it woke or fell asleep is told at most.
_WAKINGS = 20
_STATES = ("done", "reused", "running", "failed", "blocked")


@click.command("status")
@click.argument("run", required=False)
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: str | None, workspace: Path, *, as_json: bool) -> int:
    """Show how RUN stands (its id or the beginning of it; by default that of the newest data), step by step."""
    from dynamo.journal import Journal, Workspace

    found = Workspace.find(workspace)
    catch_up(found, run)
    watched = _watched(found)
    with Journal(found.journal) as journal:
        try:
            facts, graph = _of_run(journal, found, run)
        except UserError:
            if run is not None or not watched or journal.runs(limit=1):
                raise
            facts, graph = {"run": None, "state": "no run yet"}, None  # a watch waits for its first
    if as_json:
        print(json.dumps({**facts, "watched": watched}, indent=2))
        return 0
    if graph is None:
        print(facts.get("problem", facts["state"]))
    else:
        _show_run(facts, graph, found)
    for feed, said in watched.items():
        _show_feed(feed, said)
    return 0


def _of_run(journal: Journal, workspace: Workspace, run: str | None) -> tuple[dict[str, Any], Graph | None]:
    """Return how a run stands, and its graph; where another dynamo wrote it, that, if it was not asked for by name."""
    from dynamo.watch.newest import newest_run

    record = newest_run(journal) if run is None else journal.run(run)
    try:
        graph = journal.graph(record.id)
    except WorkflowError as error:
        if run is not None:
            raise
        return {"run": record.id, "state": "unknown", "problem": error.message}, None
    return _facts(journal, workspace, record, graph), graph


def _show_run(facts: Mapping[str, Any], graph: Graph, workspace: Workspace) -> None:
    print(f"{facts['run']}: {facts['state']}")
    if facts["told"]:
        print(f"  {facts['told']}")
    width = max(len(step) for step in facts["steps"])
    for step, counts in facts["steps"].items():
        told = ", ".join(f"{n} {state}" for state, n in counts.items() if n and state != "tasks")
        print(f"  {step:{width}}  {counts['tasks']:5}  {told}")
    _show_failures(facts["failures"], graph)
    if facts["state"] in ("failed", "interrupted", IN_POOL):
        print(
            f"{'follow it' if facts['state'] == IN_POOL else 'go on'} with: {resuming(facts['run'], workspace)}"
        )


def _show_feed(feed: str, said: Mapping[str, Any]) -> None:
    told = ", ".join(f"{n} {state}" for state, n in said["windows"].items()) or "nothing to run yet"
    print(f"watched: {feed}: {told}; newest data done: {said['newest_done'] or 'none'}")
    for one in said["wakings"][:1]:
        print(f"  {one['said']} (since {one['at']})")
    for hazard, one in said["hazards"].items():
        known = f"{one['known']:.0%} of the field known"
        print(f"  {hazard}: data of {one['data']}, {known}{_CLEAR[one['outcome']]}")
    for channel, n in said["waiting"].items():
        print(f"  {format_count(n, 'delivery', 'deliveries')} waiting for {channel}")
    for channel, failing in said["failing"].items():
        tries = format_count(failing["failures"], "try", "tries")
        print(
            f"  {channel} fails since {failing['since']}, {tries}, the last at {failing['last']}: {failing['reason']}"
        )
    for closed in said["closed"].values():
        print(f"  {closed}")
    for channel, n in said["dead"].items():
        told = format_count(n, "dead letter")
        print(f"  {told} for {channel}, see `dynamo alerts deadletter --channel {shlex.quote(channel)}`")
    if said["troubles"] is None:
        print("  no watch is at work")
    for what, trouble in (said["troubles"] or {}).items():
        print(f"  trouble: {what}: {trouble}".replace("\n", "\n    "))


def _watched(workspace: Workspace) -> dict[str, Any]:
    """Return how each feed of the workspace stands, what waits to be delivered, and what troubles its watch."""
    from dynamo.alerts.store import AlertStore
    from dynamo.delivery.failures import failing_channels
    from dynamo.triggers.sightings import Sightings
    from dynamo.watch.closed import closed_channels

    feeds = _feeds(workspace)
    if not feeds:
        return {}
    with AlertStore(workspace.journal) as alerts:
        waiting = {queue.channel: queue.waiting for queue in alerts.queues()}
        dead = alerts.given_up()
        cycles = alerts.newest_cycles()
    with Sightings(workspace.journal) as sightings:
        wakings = {feed: sightings.wakings(feed, _WAKINGS) for feed in feeds}
    closed = {one.channel: str(one) for one in closed_channels(workspace.journal)}
    failing = {one.channel: _failing(one) for one, _ in failing_channels(workspace.journal)}
    return {
        feed: {
            "windows": {state: n for state, (n, _) in states.items()},
            "newest_done": _iso(states["done"][1]) if "done" in states else None,
            "waiting": _own(feed, waiting),
            "closed": _own(feed, closed),
            "failing": _own(feed, failing),
            "dead": _own(feed, dead),
            "troubles": troubles,
            "wakings": [_woke(one) for one in wakings[feed]],
            "hazards": {one.hazard: _judged(one) for one in cycles if one.feed == feed},
        }
        for feed, (states, troubles) in feeds.items()
    }


def _feeds(workspace: Workspace) -> dict[str, tuple[Mapping[Any, tuple[int, float]], dict[str, str] | None]]:
    """Return of each feed its windows by state, and the troubles of its watch: None where nobody watches it.

    Of what was never run only what is watched now is of interest.
    """
    from dynamo.triggers.store import Store
    from dynamo.watch.alone import troubles_of

    with Store(workspace.journal) as windows:
        standing = windows.standing()
    found = {feed: (states, troubles_of(workspace.root, feed)) for feed, states in standing.items()}
    return {feed: one for feed, one in found.items() if one[0] or one[1] is not None}


def _iso(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _judged(one: CycleRecord) -> dict[str, Any]:
    return {"data": f"{one.issued:%Y-%m-%dT%H:%M:%SZ}", "outcome": one.outcome, "known": one.known}


def _woke(one: Waking) -> dict[str, Any]:
    from datetime import UTC, datetime

    at = f"{datetime.fromtimestamp(one.at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {"at": at, "awake": one.awake, "said": one.said}


def _failing(one: Failing) -> dict[str, Any]:
    from datetime import UTC, datetime

    since, last = (f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}" for at in (one.since, one.last))
    return {"since": since, "last": last, "failures": one.failures, "reason": one.reason}


def _own(feed: str, channels: Mapping[str, _Said]) -> dict[str, _Said]:
    """Return what is said of the channels of one feed, as `dynamo.watch.channels.address` names them."""
    return {channel: said for channel, said in channels.items() if channel.startswith(f"{feed}/")}


def _show_failures(failures: Mapping[str, str], graph: Graph) -> None:
    """Tell failures as `dynamo run` does: those alike once, with the names of the others."""
    for (task, error), *others in alike(failures.items(), lambda f: (graph.tasks[f[0]].step, f[1])):
        print(f"  failed: {task}: {error}")
        if others:
            print(f"    failed alike: {some([task for task, _ in others])}")


def _facts(journal: Journal, workspace: Workspace, record: RunRecord, graph: Graph) -> dict[str, Any]:
    live = workspace.is_live(record.id)
    tasks = journal.tasks(record.id, live=live or in_pool(record))
    steps: dict[str, dict[str, int]] = {}
    for step, ids in graph.steps.items():
        states = [tasks[i].state if i in tasks else "waiting" for i in ids]
        steps[step] = {"tasks": len(ids), **{s: states.count(s) for s in (*_STATES, "waiting")}}
    return {
        "run": record.id,
        "state": state_of(workspace, record),
        "told": journal.submission(record.id).get("said", "") if record.state == "running" else "",
        "steps": steps,
        "failures": {t.task: t.reason for t in tasks.values() if t.state == "failed"},
        "products": record.settings.get("products", ""),
    }
