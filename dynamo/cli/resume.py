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
    from dynamo.engine.again import again
    from dynamo.journal import Journal, Workspace

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
        request = again(journal, record.id)
    return execute(
        found,
        request,
        cores=request.settings["cores"],
        memory=request.settings["memory"],
        modules=tuple(request.settings["modules"]),
        first=click.get_current_context().obj,
        quiet=quiet,
        as_json=as_json,
    )
