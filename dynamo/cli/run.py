"""``dynamo run RUNFILE``: run what a run file says."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, TextIO

import click

from dynamo.cli.options import overriding, runfile_of, selecting, selection
from dynamo.errors import UserError

if TYPE_CHECKING:
    from dynamo.engine import Request
    from dynamo.journal import Workspace
    from dynamo.planning import Selection
    from dynamo.runfile import Prepared

__all__ = ["command"]


@click.command("run")
@click.argument("runfile", required=False)
@overriding
@selecting
@click.option(
    "--from",
    "first",
    metavar="TIME",
    help="Run each window of archived data from this time on (ISO 8601, UTC).",
)
@click.option("--to", "last", metavar="TIME", help="... and up to this time.")
@click.option(
    "--at-once",
    type=click.IntRange(1, 1000),
    help="Windows that run at one time, at most; cores + 1 by default.",
)
@click.option("--cores", type=click.IntRange(1, 1 << 20), help="Use at most this many cores (engine: local).")
@click.option("--inline", is_flag=True, help="Run all in one process, one after another, for a debugger.")
@click.option("--report", is_flag=True, help="Write the report of the run into its products folder.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print how it ended as JSON.")
def command(
    runfile: str | None,
    params: tuple[str, ...],
    inputs: tuple[str, ...],
    force: tuple[str, ...],
    only: tuple[str, ...],
    until: tuple[str, ...],
    first: str | None,
    last: str | None,
    at_once: int | None,
    cores: int | None,
    *,
    inline: bool,
    report: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run the workflow of RUNFILE on its inputs, as far as its results are not there already.

    A task whose code, parameters and inputs are as in some earlier run is not run again. Ctrl-C stops the run;
    `dynamo resume` goes on with it.

    With --from or --to, each window that `dynamo watch` would make of the files of that time is run, many at once and
    the oldest first. The same command again runs only what is not done.
    """
    if first is not None or last is not None:
        return _range(
            runfile, params, inputs, (force, only, until), first, last, at_once, cores,
            inline=inline, report=report, quiet=quiet, as_json=as_json,
        )  # fmt: skip
    if at_once:
        raise UserError("--at-once is for a range of time: give --from and --to as well")
    from dynamo.cli.execute import execute
    from dynamo.journal import Workspace
    from dynamo.runfile import prepare
    from dynamo.runfile.overrides import input_options, param_options

    path, force = runfile_of(runfile, force)
    prepared = prepare(path, params=param_options(params), inputs=input_options(inputs))
    if cores and not inline:
        _check_cores(prepared.engine.name)
    chosen = selection(force, only, until)
    chosen.check(prepared.graph)
    workspace = Workspace.open(prepared.workspace)
    request = _request(prepared, chosen, cores)
    code = execute(
        workspace,
        request,
        cores=cores or prepared.engine.cores,
        memory=prepared.engine.memory,
        modules=tuple(request.settings["modules"]),
        inline=inline,
        first=click.get_current_context().obj,
        quiet=quiet,
        as_json=as_json,
    )
    if report:
        _report(workspace, request, to=sys.stderr if as_json else sys.stdout)
    return code


def _range(
    runfile: str | None,
    params: tuple[str, ...],
    inputs: tuple[str, ...],
    chosen: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]],
    first: str | None,
    last: str | None,
    at_once: int | None,
    cores: int | None,
    *,
    inline: bool,
    report: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    from dynamo.cli.archive import run_range
    from dynamo.runfile.overrides import input_options, param_options

    if report:
        raise UserError("--report is for one run; `dynamo report RUN` writes that of a window")
    path, force = runfile_of(runfile, chosen[0])
    return run_range(
        path, first, last,
        params=param_options(params), inputs=input_options(inputs), selection=selection(force, *chosen[1:]),
        at_once=at_once, cores=cores, inline=inline, spawned=click.get_current_context().obj,
        quiet=quiet, as_json=as_json,
    )  # fmt: skip


def _check_cores(engine: str) -> None:
    """Refuse ``--cores`` where nothing runs on this machine: it would bound nothing."""
    if engine != "local":
        instead = "; `slots` and `at_once` bound a pool" if engine == "htcondor" else ""
        raise UserError(
            f"--cores bounds what runs on this machine, and `engine: {engine}` runs it elsewhere: leave it out{instead}"
        )


def _request(prepared: Prepared, chosen: Selection, cores: int | None) -> Request:
    from dynamo.engine import Products, Request, new_run_id
    from dynamo.runfile.settings import settings

    run = new_run_id(prepared.graph.name, time.time())
    products = Products(str(prepared.products.folder(run)), tuple(prepared.products.only))
    said = settings(prepared, products.folder, chosen, cores)
    return Request(run, prepared.graph, products, chosen, settings=said, images=prepared.images)


def _report(workspace: Workspace, request: Request, *, to: TextIO) -> None:
    from pathlib import Path

    from dynamo.report import write_report

    written = write_report(workspace, request.run, Path(request.products.folder) / "report.html")
    print(f"report: {written}", file=to)
