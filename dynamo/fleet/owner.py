"""Whose machines and networks are: of the workspace from which they were ordered, which stands on each as a tag.

Two who choose the same name for a slice, by the same account, would take each other's for their own, and away. What
another workspace has ordered is not touched, until somebody says that it is ours now.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

from dynamo.errors import UserError
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.machine import Machine
from dynamo.fleet.network import Network

__all__ = ["Owned", "Owner", "foreign_words", "refuse_foreign"]

Owned: TypeAlias = Machine | Network
_T = TypeVar("_T", bound=Owned)

#: Under which it is kept whose machines are ours too.
_ADOPTED = "adopted"
#: Letters of a tag that every cloud takes: what is written on a network of OpenStack has 255 with all its tags.
_LONGEST = 100


class Owner:
    """Tells our machines and networks from those of others.

    Parameters
    ----------
    workspace
        Its folder. Who lost the journal but has the same folder on the same host is still the same.
    ledger
        What it knows is ours, wherever it was ordered: a workspace may move.
    """

    def __init__(self, workspace: Path, ledger: Ledger) -> None:
        self._ledger = ledger
        name = f"{socket.gethostname()}:{workspace.resolve()}"
        #: What stands on what is ordered from here.
        self.name = name if len(name) <= _LONGEST else hashlib.sha256(name.encode()).hexdigest()

    def _has(self, one: Owned) -> bool:
        """Whether one is ours: one that says nothing is, for nobody else says that it is his."""
        whose = one.tags.owner
        return (
            whose in {"", self.name}
            or (isinstance(one, Machine) and one.state == "gone")
            or self._ledger.worker(one.tags.token) is not None
            or whose in (self._ledger.learned(_ADOPTED) or ())
        )

    def foreign(self, listed: Mapping[str, Iterable[_T]]) -> dict[str, list[_T]]:
        """Return those that may cost money, and are not ours, by provider; nothing for one that has none."""
        found = {name: [one for one in some if not self._has(one)] for name, some in listed.items()}
        return {name: some for name, some in found.items() if some}

    def remember(self, made: Iterable[Owned]) -> None:
        """Have what was ordered from here be ours also when the workspace was moved."""
        self.adopt(one for one in made if one.tags.owner == self.name)

    def adopt(self, those: Iterable[Owned]) -> None:
        """Have all be ours from now on that were ordered from where these were."""
        before = self._ledger.learned(_ADOPTED) or []
        new = {*before, *(one.tags.owner for one in those)}
        if new != set(before):
            self._ledger.learn(_ADOPTED, sorted(new))


def foreign_words(slice_: str, foreign: Mapping[str, Sequence[Owned]]) -> str:
    """Say what there is of others, by provider."""
    whose = sorted({one.tags.owner for some in foreign.values() for one in some})
    many = [f"{len(some)} at {name}" for name, some in foreign.items()]
    return (
        f"there are machines or networks of a slice {slice_!r} that were not ordered from here: {' and '.join(many)}, "
        f"from {', '.join(whose)}"
    )


def refuse_foreign(slice_: str, foreign: Mapping[str, Sequence[Owned]]) -> None:
    """Raise `UserError` where there is something of others: nothing is to be bought or taken away beside it."""
    if foreign:
        raise UserError(
            f"{foreign_words(slice_, foreign)}. Look after the slice there, or give this one another name; if that "
            "place is no more, dynamo slice adopt makes them yours"
        )
