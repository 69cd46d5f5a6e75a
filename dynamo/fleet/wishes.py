"""What people wish of a fleet that is at work: the slice document as it is now, and what was asked meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dynamo.errors import DynamoError, UserError
from dynamo.fleet.asked import Asked, asked
from dynamo.fleet.controller import Controller
from dynamo.fleet.policies.named import named
from dynamo.fleet.policies.shadow import beside
from dynamo.fleet.slice_checks import load

__all__ = ["Wishes"]

#: Under which it is kept which node groups were brought back.
_RESTORED = "restored"


class Wishes:
    """Has a controller do what people wish.

    Parameters
    ----------
    path
        Of the slice document; made before it is read for the first time, so that no change is missed.
    policy
        What decides where nobody has asked for another, see `dynamo.fleet.policies.named.named`.
    tell
        Is told what is done.
    shadow
        What decides on trial beside whatever decides; empty for nothing.
    """

    def __init__(self, path: Path, policy: str, tell: Callable[[str], None], shadow: str = "") -> None:
        self._path, self._policy, self._tell, self._shadow = path, policy, tell, shadow
        self._seen = _changed(path)
        self._asked = Asked()
        self._unknown = ""

    def read_again(self, controller: Controller) -> None:
        """Take the document as it is now; one that is faulty is told, and changes nothing."""
        try:
            changed = _changed(self._path)
            if changed == self._seen:
                return
            self._seen = changed
            new = load(self._path)
            if (
                new.name != controller.slice.name
                or new.providers != controller.slice.providers
                or new.pool != controller.slice.pool
            ):
                self._tell(
                    "the slice has another name, pool or providers now: end this and start it anew; the old one holds"
                )
                return
            controller.edit(new)
            self._tell(f"the slice {new.name} was read again")
        except (OSError, DynamoError) as error:
            self._tell(f"the slice cannot be read, so the old one holds: {error}")

    def obey(self, controller: Controller) -> None:
        """Do what a person has asked for meanwhile."""
        new = asked(controller.ledger)
        if new.paused != controller.paused:
            self._tell("paused: nothing is bought or let go" if new.paused else "at work again")
        controller.paused = new.paused
        wanted = new.policy or self._policy
        if wanted not in {controller.policy.name, self._unknown}:
            try:
                controller.use(beside(named(wanted), self._shadow))
                self._tell(f"the policy is {wanted} now")
            except UserError as error:  # another dynamo knew it
                self._unknown = wanted
                self._tell(
                    f"{error} So {controller.policy.name} goes on deciding; choose one by dynamo fleet policy."
                )
        if new.drain:
            controller.release(
                [one for one in controller.roster.live if one.token in new.drain], "somebody asked for it"
            )
        done = controller.ledger.learned(_RESTORED) or []
        for group, at in new.restore:
            if [group, at] not in done:
                controller.restore(group)
                self._tell(f"{group} is in service again")
        if new.restore != self._asked.restore:
            controller.ledger.learn(_RESTORED, [list(one) for one in new.restore])
        self._asked = new


def _changed(path: Path) -> int:
    """Return when a file was changed, in nanoseconds; 0 where it is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
