"""``dynamo slice``: machines of several clouds as one document says. Errors are those of `dynamo.fleet`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynamo.cli.slice_adopt import adopt
from dynamo.cli.slice_apply import apply, destroy
from dynamo.cli.slice_options import journal_of, workspace_
from dynamo.errors import UserError

if TYPE_CHECKING:
    from dynamo.fleet.slice import Slice
    from dynamo.fleet.slice_file import SliceDraft
    from dynamo.fleet.slice_world import World

__all__ = ["command", "looked"]

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_file = click.argument("file")


@click.group("slice", short_help="Check, plan and show machines of several clouds, as one document says.")
def command() -> None:
    """Check, plan and show slices: machines and networks of several clouds, as one document in JSON or YAML says."""


command.add_command(adopt)
command.add_command(apply)
command.add_command(destroy)


@command.command("check")
@_file
@_json
def check_(file: str, *, as_json: bool) -> int:
    """Check FILE without asking any cloud: its form, names, networks, credentials, limits.

    Prints what it asks for, or every fault with file:line:column. Sizes and prices are checked by `plan`.
    """
    try:
        draft = _checked(file)[0]
        slice_ = draft.sound()
    except UserError as error:
        if not as_json:
            raise
        print(json.dumps({"ok": False, "faults": _faults(error)}, indent=2))
        return error.exit_code
    if as_json:
        groups = {name: {"least": one.fewest, "most": one.most} for name, one in slice_.nodes.items()}
        print(json.dumps({"ok": True, "slice": slice_.name, "nodes": groups}, indent=2))
        return 0
    print(f"{slice_.name}:")
    for name, group in slice_.nodes.items():
        many = f"{group.fewest}" if group.fewest == group.most else f"{group.fewest} to {group.most}"
        print(f"  {name}: {many}, {group.role}, by {'; '.join(map(str, group.offers))}")
    for name, network in slice_.networks.items():
        print(f"  network {name}: {', '.join(f'{cidr} at {at}' for at, cidr in network.parts().items())}")
    return 0


@command.command("plan")
@_file
@workspace_
@_json
def plan_(file: str, workspace: Path | None, *, as_json: bool) -> int:
    """Say what would be made, kept, changed and removed for FILE, and at which price. Nothing is bought.

    Where a provider does not answer, the plan is partial, and the exit code is 3 (2 where it refuses the credentials).
    """
    from dynamo.fleet.slice_plan import plan
    from dynamo.fleet.slice_words import plan_json, plan_words
    from dynamo.fleet.tunnel_ends import with_tunnels

    slice_, world = looked(file, costs=True)
    found = with_tunnels(plan(slice_, world), slice_, journal_of(Path(file), workspace))
    print(json.dumps(plan_json(found), indent=2) if as_json else plan_words(found, slice_))
    return world.code


@command.command("show")
@_file
@workspace_
@_json
def show(file: str, workspace: Path | None, *, as_json: bool) -> int:
    """Show the machines and networks that there are of FILE, as the clouds list them, and its tunnels.

    Where a provider does not answer, the exit code is 3 (2 where it refuses the credentials).
    """
    from dynamo.fleet.slice_words import show_json, show_words
    from dynamo.fleet.tunnel_ends import shown

    slice_, world = looked(file, costs=False)
    tunnels = shown(slice_, journal_of(Path(file), workspace))
    if as_json:
        print(json.dumps(show_json(slice_, world, tunnels), indent=2))
    else:
        print(show_words(slice_, world, tunnels, time.time()))
    return world.code


@command.command("convert")
@click.argument("old", type=click.Path(path_type=Path))
@click.option("--name", default="", help="Name of the slice; by default what OLD says, or its name.")
@click.option(
    "--form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True, help="What to print."
)
@_json
def convert_(old: Path, name: str, form: str, *, as_json: bool) -> None:
    """Print OLD, requests of the older form with one node each, as a slice.

    What could not be carried over is printed to standard error, each field with the reason; with `--json` beside it.
    """
    from dynamo.fleet.older import convert, read_older
    from dynamo.fleet.older_text import slice_text

    converted = convert(read_older(old), name or old.stem, named=bool(name))
    if as_json:
        lost = [{"request": one.request, "field": one.field, "reason": one.reason} for one in converted.lost]
        print(json.dumps({"slice": converted.slice, "lost": lost}, indent=2))
        return
    print(slice_text(converted.slice, form), end="")
    for one in converted.lost:
        click.echo(f"not carried over: request {one.request}: {one.field}: {one.reason}", err=True)


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of slice documents, for editors."""
    from dynamo.fleet.slice_file import schema_text

    print(schema_text(), end="")


def _checked(file: str) -> tuple[SliceDraft, dict[str, Any]]:
    """Return a document with all faults that can be found without a cloud, and its drivers."""
    from dynamo.fleet.slice_checks import check
    from dynamo.fleet.slice_file import read

    draft = read(file)
    return draft, check(draft)


def looked(file: str, *, costs: bool) -> tuple[Slice, World]:
    """Return a slice without faults, and what its clouds say; with `costs`, also held against what they sell."""
    from dynamo.fleet.slice_checks import reach
    from dynamo.fleet.slice_costs import check_costs
    from dynamo.fleet.slice_world import look

    draft, drivers = _checked(file)
    world = look(draft.sound(), reach(draft, drivers))
    if costs:
        check_costs(draft, world.offerings)
    return draft.sound(), world


def _faults(error: UserError) -> list[dict[str, Any]]:
    from dynamo.fleet.slice_file import FaultySliceError

    told = error.faults if isinstance(error, FaultySliceError) else [error]
    return [
        {
            "file": one.place.file if one.place else None,
            "line": one.place.line if one.place else 0,
            "column": one.place.column if one.place else 0,
            "message": one.message,
        }
        for one in told
    ]
