"""``dynamo cancel [RUN]``: end a run that is under way, here or in a pool."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynamo.cli.execute import resuming
from dynamo.cli.options import workspace_option
from dynamo.cli.standing import catch_up, in_pool
from dynamo.errors import UserError

if TYPE_CHECKING:
    from dynamo.journal import RunRecord, Workspace

__all__ = ["command"]


@click.command("cancel")
@click.argument("run", required=False)
@workspace_option
def command(run: str | None, workspace: Path) -> int:
    """End RUN (its id or the beginning of it; by default the latest that is under way); what it has made stays.

    `dynamo resume` goes on with it.
    """
    from dynamo.journal import Journal, Workspace

    found = Workspace.find(workspace)
    with Journal(found.journal) as journal:
        record = _under_way(found, journal.runs()) if run is None else journal.run(run)
    if in_pool(record):
        from dynamo.cli.afar import cancel_afar

        cancel_afar(found, record.id, record.settings)
        catch_up(found, record.id)
    else:
        _interrupt(found, record)
    print(f"{record.id}: cancelled; go on with: {resuming(record.id, found)}")
    return 0


def _under_way(workspace: Workspace, records: list[RunRecord]) -> RunRecord:
    for record in records:
        if record.state == "running" and (in_pool(record) or workspace.is_live(record.id)):
            return record
    raise UserError("no run is under way here; see `dynamo runs`")


def _interrupt(workspace: Workspace, record: RunRecord) -> None:
    """Ask the process that runs it to end, as Ctrl-C does."""
    if not workspace.is_live(record.id):
        raise UserError(f"run {record.id} is not under way: it is {record.state}")
    if "feed" in record.settings:
        raise UserError(f"run {record.id} belongs to `dynamo watch`, which ends its own runs")
    host, pid = workspace.holder(record.id)
    if host != socket.gethostname():
        raise UserError(f"run {record.id} is under way on {host or 'another machine'}: cancel it there")
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return  # it has just ended
    except PermissionError:
        raise UserError(f"run {record.id} is another user's: process {pid}") from None
