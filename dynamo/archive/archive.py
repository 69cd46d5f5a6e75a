"""Run the windows of a range with one warm engine; what is done already is told and not run.

Enters: what was looked at, and a workspace. Leaves: how each window ended, told one by one. Goes wrong: another
process has the same range file (`UserError`), the machine (`InfrastructureError`), Ctrl-C (`KeyboardInterrupt`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b

from dynamo.archive.case import Case
from dynamo.archive.index import Index
from dynamo.archive.look import Looked, sort_out
from dynamo.archive.work import Ended, Todo, Work
from dynamo.engine import LocalEngine
from dynamo.engine.spawn import Spawned
from dynamo.errors import UserError
from dynamo.journal import Journal, Workspace
from dynamo.journal.locks import opened, take_alone, unopened

__all__ = ["archive"]

#: Runs beside those that the cores are busy with, so that none waits while one ends and the next begins.
BESIDE = 1


def archive(
    looked: Looked,
    workspace: Workspace,
    begin: Callable[[Sequence[Ended], int], None],
    tell: Callable[[Ended], None],
    *,
    at_once: int | None = None,
    cores: int | None = None,
    inline: bool = False,
    first: Spawned | None = None,
) -> None:
    """Run all windows of a range that are not done.

    Parameters
    ----------
    begin
        Is called once, with the windows that are not run and how many are.
    tell
        Is called with each window as it ends.
    at_once
        Runs at one time, at most; by default one more than there are cores.

    Raises
    ------
    UserError
        Another process runs a range of the same run file.
    InfrastructureError
        The disk is full, or the machine fails: all that was done is kept.
    KeyboardInterrupt
        On Ctrl-C or SIGTERM.
    """
    case, feed, rule = looked.case, looked.case.feed, looked.case.feed.runfile.engine
    with (
        _alone(workspace, feed.name),
        Journal(workspace.journal) as journal,
        Index(workspace.journal, feed.name) as index,
    ):
        found = list(sort_out(looked, index))
        todo = [one for one in found if isinstance(one, Todo)]
        begin([one for one in found if isinstance(one, Ended)], len(todo))
        if not todo:
            return
        _check_selection(case, todo[0])
        engine = LocalEngine(
            workspace,
            cores=cores or rule.cores,
            memory=rule.memory,
            modules=tuple(case.modules),
            inline=inline,
            first=first,
        )
        with engine:
            if not rule.container:  # those in containers the engine starts, once it knows the images
                engine.warm()
            most = 1 if inline else at_once or engine.cores + BESIDE
            engine.serve(Work(case, todo, most, workspace, journal, index, tell))


def _check_selection(case: Case, one: Todo) -> None:
    """Refuse at once what no window's graph has; raise `UserError`."""
    chosen = case.selection
    if chosen.force or chosen.only or chosen.until:
        chosen.check(case.request(one.window, 0).graph)


@contextmanager
def _alone(workspace: Workspace, feed: str) -> Iterator[None]:
    """Be the only one who runs a range of a run file; the kernel frees the lock when the process ends."""
    path = workspace.root / f"range-{blake2b(feed.encode(), digest_size=6).hexdigest()}.lock"
    try:
        file = opened(path, workspace.journal, writing=True)
    except OSError as error:
        raise unopened(path, workspace.journal, error) from error
    with file:
        if not take_alone(file):
            number = file.read().decode(errors="replace").strip()
            raise UserError(f"a range of {feed} is run already, by process {number or '?'}")
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        yield
