"""``dynamo slice adopt``: machines that were ordered from elsewhere are ours from now on."""

from __future__ import annotations

from pathlib import Path

import click

from dynamo.cli.slice_apply import looked
from dynamo.cli.slice_options import confirm, file_, made, workspace_, yes_

__all__ = ["adopt"]


@click.command("adopt")
@file_
@workspace_
@yes_
def adopt(file: Path, workspace: Path | None, *, yes: bool) -> int:
    """Take the machines of FILE over that were ordered from another workspace, as when its host is no more.

    `dynamo fleet run` then keeps those that work, and takes the others away.
    """
    from dynamo.fleet.ledger import Ledger
    from dynamo.fleet.owner import Owner, foreign_words

    slice_, world = looked(file)
    place = made(file, workspace)
    with Ledger(place.journal, slice_.name) as ledger:
        owner = Owner(place.root, ledger)
        foreign = owner.foreign(world.machines)
        if not foreign:
            print(f"there are no machines of others: all of {slice_.name!r} are looked after from here")
            return world.code
        print(foreign_words(slice_.name, foreign))
        confirm("look after them from here, and nowhere else?", yes=yes)
        owner.adopt(one for some in foreign.values() for one in some)
    print("they are ours now")
    return world.code
