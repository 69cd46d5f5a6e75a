"""What a feed works with, made ready as its run file says: the workflow, channels, people, and a judge.

Enters: a feed. Leaves: its equipment. Goes wrong: whatever is wrong with the workflow, its parameters, the subscribers
or the channels (`UserError`).
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from dynamo.alerts.policy import Policy
from dynamo.alerts.positions import positions_since
from dynamo.delivery.channel import Channel
from dynamo.graph.signature import Role
from dynamo.journal import Workspace
from dynamo.runfile.draft import read
from dynamo.runfile.inputs import NotFoundError, find
from dynamo.runfile.names import check_absent, match
from dynamo.runfile.params import read_params
from dynamo.runfile.preflight import preflight
from dynamo.runfile.values import At
from dynamo.runfile.workflow import load_workflow
from dynamo.watch.chain import check_products, misfit
from dynamo.watch.channels import address
from dynamo.watch.closed import closed_channels
from dynamo.watch.doubts import doubts, known_of
from dynamo.watch.feed import Feed
from dynamo.watch.judge import Judge
from dynamo.watch.means import means_of
from dynamo.watch.moves import Door
from dynamo.watch.people import People
from dynamo.watch.surroundings import tell_lacking

__all__ = ["Equipment", "check_workflow", "equip"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Equipment:
    """A feed, the channels of its run file by name, who judges its products, and where its people say where they are.

    There is no judge where nobody is to be told, and no door where nobody may say it.
    """

    feed: Feed
    channels: dict[str, Channel]
    judge: Judge | None
    people: People | None = None
    door: Door | None = None


def check_workflow(feed: Feed) -> list[str]:
    """Return, in words, which rules can never match, and what to know of the weather that is waited for.

    Raises `UserError` where the workflow cannot be loaded, or has no such inputs and parameters.
    """
    workflow = load_workflow(feed.runfile.workflow, feed.path.parent)
    signature = workflow.signature
    draft = read(feed.path, text=feed.text)
    values = read_params(draft, signature, {})
    match(draft, signature, "inputs", ())
    check_absent(draft, signature)
    notes = [said for _, said in check_products(draft, feed.when)]
    if wrong := misfit(Workspace(feed.workspace), feed.when):
        notes.append(wrong[1])
    draft.faults.check()
    notes += preflight(workflow, values, _steady(feed))
    if feed.runfile.alerts is None:
        return notes
    defaults = {p.name: p.default for p in signature.of_role(Role.VALUE)}
    return notes + [said for _, said in doubts(feed.runfile.alerts, None, known_of({**defaults, **values}))]


def _steady(feed: Feed) -> dict[str, list[Path]]:
    """Return the files of the inputs that are not watched, as far as they are there: all runs have the same."""
    found: dict[str, list[Path]] = {}
    for name, rule in feed.runfile.inputs.items():
        if name not in feed.globs:
            with suppress(NotFoundError):  # it may come before the first run
                found[name] = [one.path for one in find(rule, feed.path.parent, datetime.now(UTC))]
    return found


def equip(feed: Feed, journal: Path, label: str = "") -> Equipment:
    """Make channels, people and judge ready; raise `UserError` with all that is wrong with them.

    What a watch can go on without is told in the log, in lines that begin with `label`.
    """

    def warn(_: At, message: str) -> None:
        log.warning("%s: %s", feed.name, message)

    means = means_of(feed, partial(positions_since, journal, feed.name), label)
    tell_lacking(feed.runfile, feed.path.parent, warn)
    alerts = feed.runfile.alerts
    if alerts is None or means is None or means.people is None:
        return Equipment(feed, {}, None)
    means.people.tell()
    for closed in closed_channels(journal, [address(feed.name, name) for name in means.channels]):
        log.warning("%s%s", label, closed)
    policy = Policy(clear_after=alerts.clear_after)
    judge = Judge(journal, feed.name, means.people.now, list(means.channels), alerts.products, policy)
    door = Door(feed.name, means.token, alerts.positions.keep, means.people) if means.token else None
    return Equipment(feed, means.channels, judge, means.people, door)
