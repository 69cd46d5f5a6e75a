"""``dynamo compile RUNFILE --target ...``: write what another engine runs, without running anything."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynamo.cli.options import overriding, workspace_option
from dynamo.errors import UserError
from dynamo.graph.units import format_count

if TYPE_CHECKING:
    from dynamo.engine import Products
    from dynamo.images.image import Image
    from dynamo.runfile import Prepared

__all__ = ["Asked", "command"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be compiled: a run file made real, or a run of a workspace; where to; and options of one target."""

    prepared: Prepared | None
    run: str | None
    workspace: Path
    to: Path
    version: str
    slots: int | None
    python: str | None

    def plan(self, target: str) -> Prepared:
        """Return the run file; raises `UserError` where a run was named instead, which `target` does not take."""
        if self.prepared is None:
            raise UserError(f"--run is for --target wfformat: name a run file to compile for {target}")
        return self.prepared


def _dagman(asked: Asked) -> str:
    from dynamo.cli.dag import write

    return write(asked.plan("dagman"), asked.to, asked.slots, asked.python)


def _pegasus(asked: Asked) -> str:
    from dynamo import __version__
    from dynamo.journal import Workspace
    from dynamo.pegasus.work import work_of
    from dynamo.runfile.workflow import module_folders
    from dynamo.targets.pegasus import compile_pegasus

    prepared = asked.plan("pegasus")
    said = {
        "workflow": prepared.graph.name,
        "runfile": str(prepared.path),
        "dynamo": __version__,
        "time": f"{prepared.data_time:%Y-%m-%dT%H:%M:%SZ}" if prepared.data_time else "",
    }
    work = work_of(
        Workspace.open(prepared.workspace),
        prepared.graph,
        _products(prepared).wants,
        modules=module_folders(prepared.runfile.workflow, prepared.path.parent),
        images=_images(prepared),
        container=prepared.engine.container or "",
        metadata={name: value for name, value in said.items() if value},
        runfile=str(prepared.path),
    )
    command = compile_pegasus(work, asked.to)
    count = format_count(len(prepared.graph.tasks), "job")
    return f"{count}; plan and submit: cd {shlex.quote(str(asked.to))} && {shlex.join(command)}"


def _products(prepared: Prepared) -> Products:
    """Return what is published, wherever that is."""
    from dynamo.engine import Products

    return Products("products", tuple(prepared.products.only))


def _images(prepared: Prepared) -> Mapping[str, Image]:
    """Return all images that the run file names, also where its own engine uses no containers."""
    from dynamo.runfile.paths import under

    base = prepared.path.parent
    return {
        name: replace(image, apptainer=str(under(base, image.apptainer)) if image.apptainer else "")
        for name, image in prepared.runfile.images.items()
    }


def _wfformat(asked: Asked) -> str:
    from dynamo.cli.instance import write_instance

    return f"{write_instance(asked.prepared, asked.run, asked.workspace, asked.to, asked.version)}"


#: Target to what compiles for it and says what to do next.
TARGETS: Mapping[str, Callable[[Asked], str]] = {
    "dagman": _dagman,
    "pegasus": _pegasus,
    "wfformat": _wfformat,
}


class Target(click.Choice):  # type: ignore[type-arg]  # not generic before click 8.2
    """A target; whoever names HTCondor is told what its is called."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Return the target; fail where there is none of this name."""
        if value in ("htcondor", "condor"):
            self.fail(f"{value!r} is none: what HTCondor runs is 'dagman'", param, ctx)
        return super().convert(value, param, ctx)


@click.command("compile")
@click.argument("runfile", required=False)
@overriding
@click.option("--target", type=Target(list(TARGETS)), required=True, help="For which engine, or format.")
@click.option(
    "--output",
    "-o",
    "to",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder to write into; for wfformat also a file that ends in .json.",
)
@click.option("--run", metavar="RUN", help="Take a finished run instead of a run file (wfformat only).")
@click.option(
    "--schema-version",
    "version",
    type=click.Choice(["1.5", "1.6"]),
    default="1.5",
    show_default=True,
    help="Which WfFormat (wfformat only).",
)
@click.option(
    "--slots",
    type=click.IntRange(min=0),
    help="Pack tasks into about so many jobs side by side, 8 by default; 0 makes a job of each task or label "
    "(dagman only).",
)
@click.option(
    "--python",
    metavar="PATH",
    help="The Python with dynamo on the machine that submits, which runs the last node; the one here by default "
    "(dagman only).",
)
@workspace_option
def command(
    runfile: str | None,
    params: tuple[str, ...],
    inputs: tuple[str, ...],
    target: str,
    to: Path,
    run: str | None,
    version: str,
    slots: int | None,
    python: str | None,
    workspace: Path,
) -> int:
    """Compile the workflow of RUNFILE for another engine, into a folder; nothing is run.

    `dagman` writes a DAG with its submit descriptions for HTCondor, `pegasus` a workflow with its catalogues,
    `wfformat` a WfCommons instance: of a plan, or with --run of a finished run, with its times, machines and bytes.
    """  # fmt: skip
    from dynamo.runfile import prepare
    from dynamo.runfile.overrides import input_options, param_options

    if (runfile is None) == (run is None):
        raise UserError("compile what? Name a run file, or a finished run with --run")
    if target != "dagman":
        for option, said in (("--slots", slots), ("--python", python)):
            if said is not None:
                raise UserError(f"{option} is for --target dagman, not for {target}: leave it out")
    if python is not None and not Path(python).is_absolute():
        raise UserError(
            f"--python {python}: HTCondor looks along no PATH; give the whole path on the machine that submits, like "
            "/opt/dynamo/bin/python"
        )
    prepared = None
    if runfile is not None:
        prepared = prepare(runfile, params=param_options(params), inputs=input_options(inputs))
    print(TARGETS[target](Asked(prepared, run, workspace, to.resolve(), version, slots, python)))
    return 0
