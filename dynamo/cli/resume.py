"""``dynamo resume [RUN]``: go on with a run that was interrupted or failed."""

from __future__ import annotations

from pathlib import Path

import click

from dynamo.cli.options import workspace_option
from dynamo.errors import UserError

__all__ = ["command"]


@click.command("resume")
@click.argument("run", required=False)
@workspace_option
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print how it ended as JSON.")
def command(run: str | None, workspace: Path, *, quiet: bool, as_json: bool) -> int:
    """Go on with RUN (its id or the beginning of it; by default the latest).

    What was done is not done again, unless its code or inputs have changed since.
    """
    from dynamo.cli.execute import execute
    from dynamo.engine import Products, Request
    from dynamo.journal import Journal, Workspace
    from dynamo.planning import Selection

    found = Workspace.find(workspace)
    with Journal(found.journal) as journal:
        if run is None:
            idle = (r for r in journal.runs() if not found.is_live(r.id))
            record = next(idle, None)
            if record is None or record.state == "done":
                last = f"the latest run, {record.id}, ended well" if record else "every run here is under way"
                raise UserError(f"{last}; name the run to go on with, see `dynamo runs`")
        else:
            record = journal.run(run)
        graph = journal.graph(record.id, expanded=False)
    settings = record.settings
    if "selection" not in settings:
        raise UserError(
            f"run {record.id} was not started by `dynamo run`; go on with it where it was started"
        )
    chosen = {k: tuple(v) for k, v in settings["selection"].items()}
    request = Request(
        record.id,
        graph,
        Products(settings["products"], tuple(settings["only"])),
        Selection(**chosen),
        resume=True,
        settings=settings,
    )
    return execute(
        found,
        request,
        cores=settings["cores"],
        memory=settings["memory"],
        modules=tuple(settings["modules"]),
        first=click.get_current_context().obj,
        quiet=quiet,
        as_json=as_json,
    )
