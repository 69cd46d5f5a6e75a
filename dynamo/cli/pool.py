"""``dynamo pool``: a small real HTCondor pool in containers on this machine.

The number of workers enters; a pool, how it stands, or what a command in it printed leaves. Errors are those of
`dynamo.pool`.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynamo.errors import UserError
from dynamo.graph.units import format_count, parse_bytes

if TYPE_CHECKING:
    from dynamo.pool.settings import PoolSettings

__all__ = ["command", "words"]

_name = click.option("--name", default="pool", show_default=True, help="Which pool, where there are several.")
_base = click.option("--base", metavar="IMAGE", help="The base of the image; a Debian forky or later.")


@click.group("pool", short_help="Start a small HTCondor pool in containers here.")
def command() -> None:
    """Start, show and end a small real HTCondor pool in containers on this machine. It needs Docker."""


@command.command("up")
@_name
@click.option(
    "--workers",
    default=2,
    show_default=True,
    type=click.IntRange(0, 100),
    help="How many workers; a fleet adds more.",
)
@click.option(
    "--cores",
    default=1,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Slots of each worker, one core each.",
)
@click.option("--memory", default="2 GiB", show_default=True, help="Memory of each worker.")
@click.option(
    "--mount",
    "mounts",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True),
    help="A folder that the submit container sees at the same path; may be given again. The current one, if none is.",
)
@click.option(
    "--container",
    "containers",
    multiple=True,
    type=click.Choice(["docker", "apptainer"]),
    help="What workers can run jobs in containers with; may be given again. With docker, they reach this machine's.",
)
@click.option(
    "--images",
    multiple=True,
    type=click.Path(path_type=Path, resolve_path=True),
    help="A folder of Apptainer's images that workers see at the same path; may be given again.",
)
@click.option("--shared", is_flag=True, help="Workers see those folders too, for `transfer: shared`.")
@click.option(
    "--tunnel",
    default="",
    metavar="ADDRESS:PORT",
    help="An address of this machine and a UDP port, at which workers of other clouds come through a tunnel.",
)
@_base
def up(
    name: str,
    workers: int,
    cores: int,
    memory: str,
    mounts: tuple[Path, ...],
    containers: tuple[str, ...],
    images: tuple[Path, ...],
    tunnel: str,
    base: str | None,
    *,
    shared: bool,
) -> None:
    """Have a pool run as asked for: built, begun, or changed; what fits already is left alone, with its jobs."""
    from dynamo.pool.host import connect
    from dynamo.pool.image import build
    from dynamo.pool.pool import Pool
    from dynamo.pool.settings import PoolSettings

    try:
        size = parse_bytes(memory)
    except ValueError as error:
        raise UserError(f"--memory: {error}") from None
    settings = PoolSettings(
        name, workers, cores, size, mounts or (Path.cwd(),), containers, images, shared, tunnel
    )
    client = connect()
    image = build(client, print, base)
    pool = Pool(client, name)
    pool.up(settings, image, print)
    print(words(settings, pool.state.client_config))


def words(settings: PoolSettings, config: Path) -> str:
    """Say that a pool is up, how it is used, and who must be able to read and write the folders that it sees."""
    from dynamo.pool.parts import owner

    flag = "" if settings.name == "pool" else f" --name {settings.name}"
    slots = format_count(settings.workers * settings.cores, "slot")
    said = (
        f"the pool {settings.name!r} is up: {slots} on {format_count(settings.workers, 'worker')}\n"
        f"  a command in it, in this folder:  dynamo pool run{flag} -- condor_status\n"
        f"  clients on this machine:          export CONDOR_CONFIG={config}\n"
        f"  how it stands, and its end:       dynamo pool status{flag}; dynamo pool down{flag}"
    )
    if os.getuid() == 0:
        folders = " ".join(shlex.quote(str(folder)) for folder in settings.mounts)
        said += (
            f"\n  root started it, so the jobs are those of its user dynamo (number {owner()}), who must be able to\n"
            f"  read and write what it sees:      chown -R {owner()} {folders}"
        )
    return said


@command.command("build")
@_base
def build_(base: str | None) -> None:
    """Build the images of a pool and of the fleet's workers, and nothing else."""
    from dynamo.pool.host import connect
    from dynamo.pool.image import build, build_worker

    client = connect()
    print(build(client, print, base))
    print(build_worker(client, print))


@command.command("status")
@_name
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status_(name: str, *, as_json: bool) -> int:
    """Show the containers, the slots and the queue of a pool; the exit code is 3 where something does not run."""
    from dynamo.pool.host import connect
    from dynamo.pool.pool import Pool
    from dynamo.pool.status import status
    from dynamo.pool.status import words as stands

    found = status(Pool(connect(), name))
    print(json.dumps(asdict(found), indent=2) if as_json else stands(found))
    return 0 if found.sound else 3


@command.command("down")
@_name
def down(name: str) -> None:
    """Remove a pool: its containers, network, queue and tokens. The image stays."""
    from dynamo.pool.host import connect
    from dynamo.pool.pool import Pool

    count = Pool(connect(), name).down()
    print(f"removed the pool {name!r}: {format_count(count, 'container')}")


@command.command("run", context_settings={"ignore_unknown_options": True})
@_name
@click.argument("arguments", nargs=-1, required=True, metavar="-- COMMAND...")
def run(name: str, arguments: tuple[str, ...]) -> None:
    """Run a command in the submit container, in this folder, as the user whose jobs they are."""
    from dynamo.pool.host import connect
    from dynamo.pool.pool import Pool

    container = Pool(connect(), name).container("submit")
    here = Path.cwd()
    seen = [Path(mount["Destination"]) for mount in container.attrs["Mounts"] if mount["Type"] == "bind"]
    if not any(here.is_relative_to(folder) for folder in seen):
        raise UserError(f"the submit container does not see {here}: dynamo pool up --mount {here}")
    docker = shutil.which("docker")
    if not docker:
        raise UserError("dynamo pool run needs the command docker: apt-get install docker-cli (or docker.io)")
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    sys.stdout.flush()
    command = [docker, "exec", "--interactive", *terminal, "--user", "dynamo", "--workdir", str(here)]
    os.execv(docker, [*command, container.name, *arguments])  # noqa: S606 - the terminal and Ctrl-C go to the command
