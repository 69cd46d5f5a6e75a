"""How a run stands when nobody follows it here: it was interrupted, or a pool has it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo.journal import RunRecord, Workspace

__all__ = ["IN_POOL", "catch_up", "in_pool", "state_of"]

#: What a run is that a pool has, and that nobody follows at the moment.
IN_POOL = "in the pool"


def in_pool(record: RunRecord) -> bool:
    """Whether a pool has a run, as far as the journal knows."""
    return record.state == "running" and record.settings.get("engine") == "htcondor"


def state_of(workspace: Workspace, record: RunRecord) -> str:
    """Return the state of a run in words; one whose engine was killed says `running`, and nobody holds its lock."""
    if record.state != "running" or workspace.is_live(record.id):
        return record.state
    return IN_POOL if in_pool(record) else "interrupted"


def catch_up(workspace: Workspace, run: str | None) -> None:
    """Have the journal know what became of a run in its pool meanwhile, where nobody follows it."""
    from dynamo.errors import InfrastructureError, UserError
    from dynamo.journal import Journal

    with Journal(workspace.journal) as journal:
        try:
            record = journal.run(run)
        except UserError:
            return  # whoever asked says so
        if not in_pool(record) or workspace.is_live(record.id) or not journal.submission(record.id):
            return
    from dynamo.cli.afar import look_afar

    try:
        look_afar(workspace, record.id)
    except InfrastructureError as error:
        print(f"warning: {error}; what follows is what was known before", file=sys.stderr)
