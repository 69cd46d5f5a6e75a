"""``dynamo slice adopt``: machines and networks that were ordered from elsewhere are ours from now on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynamo.cli.slice_apply import looked
from dynamo.cli.slice_options import confirm, file_, made, workspace_, yes_

if TYPE_CHECKING:
    from dynamo.fleet.owner import Owned
    from dynamo.fleet.slice import Slice

__all__ = ["adopt"]


@click.command("adopt")
@file_
@workspace_
@yes_
def adopt(file: Path, workspace: Path | None, *, yes: bool) -> int:
    """Take over what was ordered of FILE from another workspace, as when its host is no more: machines and networks.

    `dynamo fleet run` then keeps those that work, and takes the others away.
    """
    from dynamo.fleet.ledger import Ledger
    from dynamo.fleet.owner import Owner, foreign_words

    slice_, world = looked(file)
    if world.silent:
        for name, why in world.silent.items():
            print(f"not known: {name} does not say what is there: {why}")
        print("nothing was done: first all providers must answer")
        return world.code
    place = made(file, workspace)
    with Ledger(place.journal, slice_.name) as ledger:
        owner = Owner(place.root, ledger)
        foreign = owner.foreign(world.listed)
        if not foreign:
            print(f"there is nothing of others: all of {slice_.name!r} are looked after from here")
            return 0
        print(foreign_words(slice_.name, foreign))
        confirm("look after them from here, and nowhere else?", yes=yes)
        owner.adopt(one for some in foreign.values() for one in some)
    if points := _points(slice_, foreign):
        print(
            f"their queues cannot be read from here, since the keys are there: no worker is bought for the jobs of "
            f"{', '.join(points)}. Drain them (dynamo fleet drain), and others are made"
        )
    print("they are ours now")
    return 0


def _points(slice_: Slice, foreign: Mapping[str, Sequence[Owned]]) -> list[str]:
    """Return the names of the access points among what there is."""
    from dynamo.fleet.machine import Machine

    groups = {name for name, group in slice_.nodes.items() if group.role == "submit"}
    found = [one for some in foreign.values() for one in some if isinstance(one, Machine)]
    return [one.name for one in found if one.tags.group in groups]
