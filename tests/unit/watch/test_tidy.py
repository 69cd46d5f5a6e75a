"""What a watch removes each hour: what it cannot remove is told once."""

from __future__ import annotations

import asyncio

import pytest

from dynamo.errors import WorkspaceError
from dynamo.journal import Journal, Workspace
from dynamo.journal.retention import Freed
from dynamo.watch import tidy as module
from dynamo.watch.tidy import tidy

LEFT = Freed(0, 0, 0, 0, left={"run-1": "Permission denied", "run-2": "Permission denied"})


@pytest.mark.parametrize(
    ("comes", "told"),
    [
        ([LEFT, LEFT], ["could not remove run-1 and 1 other: Permission denied"]),
        ([WorkspaceError("full"), WorkspaceError("full")], ["what is old could not be removed: full"]),
        ([LEFT, Freed(0, 0, 0, 0), LEFT], ["could not remove run-1 and 1 other: Permission denied"] * 2),
    ],
    ids=["of another user", "nothing can be", "again"],
)
def test_what_cannot_be_removed_is_told_once(tmp_path, monkeypatch, caplog, comes, told):
    """Not each hour: it stays so until somebody acts."""
    workspace = Workspace.open(tmp_path / "ws")
    Journal(workspace.journal).close()
    left = list(comes)

    async def main():
        loop, over = asyncio.get_running_loop(), asyncio.Event()

        def collect(*_, before):
            one = left.pop(0)
            if not left:
                loop.call_soon_threadsafe(over.set)
            if isinstance(one, Exception):
                raise one
            return one

        monkeypatch.setattr(module, "collect", collect)
        monkeypatch.setattr(module, "HOURLY", 0.001)
        await tidy(workspace, list, 1.0, over)

    asyncio.run(main())
    assert [record.getMessage() for record in caplog.records] == told
