"""What a feed works with, made ready as its run file says: the workflow, channels, people, and a judge.

Enters: a feed. Leaves: its equipment. Goes wrong: whatever is wrong with the workflow, its parameters, the subscribers
or the channels (`UserError`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dynamo.alerts.lifecycle import Policy
from dynamo.delivery.channel import Channel
from dynamo.runfile.draft import read
from dynamo.runfile.names import match
from dynamo.runfile.params import read_params
from dynamo.runfile.workflow import load_workflow
from dynamo.watch.channels import make_channels
from dynamo.watch.feed import Feed
from dynamo.watch.judge import Judge
from dynamo.watch.people import People

__all__ = ["Equipment", "check_workflow", "equip"]


@dataclass(frozen=True, slots=True)
class Equipment:
    """A feed, the channels of its run file by name, and who judges its products; None where nobody is to be told."""

    feed: Feed
    channels: dict[str, Channel]
    judge: Judge | None


def check_workflow(feed: Feed) -> None:
    """Raise `UserError` where the workflow cannot be loaded, or has no such inputs and parameters."""
    signature = load_workflow(feed.runfile.workflow, feed.path.parent).signature
    draft = read(feed.path, text=feed.text)
    read_params(draft, signature, {})
    match(draft, signature, "inputs", ())
    draft.faults.check()


def equip(feed: Feed, journal: Path) -> Equipment:
    """Make channels, people and judge ready; raise `UserError` where one is wrong."""
    alerts, base = feed.runfile.alerts, feed.path.parent
    if alerts is None:
        return Equipment(feed, {}, None)
    channels = make_channels(alerts, base)
    people = People(alerts, base, channels)
    policy = Policy(clear_after=alerts.clear_after)
    return Equipment(
        feed, channels, Judge(journal, feed.name, people.now, list(channels), alerts.products, policy)
    )
