"""``dynamo image``: the images that tasks run in, built, listed, checked. Errors are those of `dynamo.images`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynamo.errors import UserError
from dynamo.graph.units import format_bytes

if TYPE_CHECKING:
    from dynamo.images.check import Finding
    from dynamo.runfile import Prepared

__all__ = ["command"]


@click.group("image", short_help="Build, list and check the images that tasks run in.")
def command() -> None:
    """Build, list and check the images that tasks run in, with `container: docker` in a run file. It needs Docker."""


@command.command("build")
@click.argument("recipe", default="algorithms")
@click.option(
    "--base", default="", metavar="IMAGE", help="An image of Debian trixie to build upon, as name@sha256:..."
)
@click.option("--mirror", default="", metavar="URL", help="A mirror of Debian, to make the base from.")
def build_(recipe: str, base: str, mirror: str) -> None:
    """Build an image with the dynamo that is installed here: `algorithms` (the default) or `worker`.

    `algorithms` has all that the radar workflows need; `worker` has dynamo alone, to build images of your own upon.
    The libraries are locked by digest and fetched by this machine's pip. The base is Debian's official image where a
    registry is reached, else one made by debootstrap, which needs root.
    """
    from dynamo.images.build import build, reference_of
    from dynamo.images.client import connect

    image = build(connect(), recipe, base=base, mirror=mirror)
    print(f"{reference_of(recipe)}: {format_bytes(image.attrs['Size'])}, {image.id}")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_(*, as_json: bool) -> None:
    """List the images on this machine that have dynamo in them."""
    from dynamo.images.build import list_images
    from dynamo.images.client import connect

    found = list_images(connect())
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=2))
        return
    if not found:
        print("none; build one with `dynamo image build`")
        return
    width = max(len(one.name) for one in found)
    for one in found:
        state = "as here" if one.same else "other code than here: build it anew"
        digest = one.id.removeprefix("sha256:")[:12]
        print(f"{one.name:{width}}  {digest}  {format_bytes(one.size):>9}  dynamo {one.version}, {state}")


@command.command("check")
@click.argument("what")
def check(what: str) -> int:
    """Check WHAT, an image or a run file: whether it runs, as no root, with the dynamo that is here.

    Of a run file all images that its tasks need are checked, and whether the function of each task can be imported.
    """
    from dynamo.images.check import check_image
    from dynamo.images.client import connect

    client = connect()
    found = (
        _check_run_file(client, what)
        if what.endswith((".yaml", ".yml"))
        else {what: check_image(client, what)}
    )
    for name, findings in found.items():
        print(f"{name}:")
        for finding in findings:
            print(f"  {'ok    ' if finding.ok else 'FAILED'} {finding.text}")
    well = all(finding.ok for findings in found.values() for finding in findings)
    return 0 if well else UserError.exit_code


def _check_run_file(client: Any, path: str) -> dict[str, list[Finding]]:
    from dynamo.images.check import check_image
    from dynamo.runfile import prepare

    prepared = prepare(path)
    if not prepared.images:
        raise UserError(f"{path}: its engine has no `container`, so its tasks run in no image")
    found: dict[str, list[Finding]] = {}
    for name, calls in _calls(prepared).items():
        reference = prepared.images[name].docker
        found[f"{name} ({reference})"] = findings = check_image(client, reference)
        if calls and all(one.ok for one in findings[1:]):
            findings += _check_calls(client, prepared, reference, calls)
    return found


def _calls(prepared: Prepared) -> dict[str, list[str]]:
    """Return the images that tasks run in, and the Python functions that are called in each."""
    from dynamo.images import image_of

    found: dict[str, list[str]] = {}
    for task in prepared.graph.tasks.values():
        image = image_of(task, prepared.images)
        if image is not None:
            calls = found.setdefault(image.name, [])
            if task.kind != "command" and task.call not in calls:
                calls.append(task.call)
    return found


def _check_calls(client: Any, prepared: Prepared, reference: str, calls: list[str]) -> list[Finding]:
    from dynamo.engine.place import Places, theirs
    from dynamo.images.check import check_calls
    from dynamo.images.here import Here
    from dynamo.runfile.workflow import module_folders

    modules = module_folders(prepared.runfile.workflow, Path(prepared.path).parent)
    places = Places(Here(prepared.images), "", "", modules)
    return check_calls(client, reference, calls, theirs(modules), places.seen(prepared.graph))
