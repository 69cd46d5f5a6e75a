"""The loop: compile, plan, submit, follow; then bring home what was made.

The workflow is Pegasus' own once it is submitted: who follows it may end, and go on later from where the log was left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dynamo.engine.events import Event, Summary
from dynamo.engine.request import Request
from dynamo.errors import UserError
from dynamo.journal import Journal, Workspace
from dynamo.pegasus.home import bring_home
from dynamo.pegasus.planner import check_installed, plan, run_again
from dynamo.pegasus.record import Record
from dynamo.pegasus.states import FINISHED, Told, read_states
from dynamo.pegasus.work import work_of
from dynamo.targets.pegasus import compile_pegasus
from dynamo.targets.pegasus_work import Work

__all__ = ["run"]

#: Seconds between looks at the log.
REST = 1.0


def run(
    workspace: Workspace,
    request: Request,
    *,
    modules: Sequence[str] = (),
    container: str = "",
    metadata: Mapping[str, str] | None = None,
    observer: Callable[[Event], None] = lambda _: None,
    rest: float = REST,
) -> Summary:
    """Run one graph with the site's Pegasus to its end, or go on with one that it has.

    Parameters
    ----------
    modules, container, metadata
        As `dynamo.pegasus.work.work_of` has them.
    observer
        Called with every `Event`, once what it tells is durable.
    rest
        Seconds between looks at Pegasus' log.

    Raises
    ------
    UserError
        What `compile_pegasus` refuses; ``--only``, for Pegasus runs a graph whole.
    InfrastructureError
        Pegasus is not installed, or could not plan.
    KeyboardInterrupt
        On Ctrl-C: the workflow goes on without us, and the run is marked as interrupted.
    """
    if request.selection.only:
        raise UserError("--only: Pegasus runs a graph whole; leave out what is not wanted with --until")
    check_installed()
    folder = workspace.runs / request.run / "pegasus"
    graph = request.selection.restrict(request.graph)
    with workspace.lock(request.run), Journal(workspace.journal) as journal:
        began = time.time()
        record = Record(request, graph, journal, began)
        if request.resume and journal.submission(request.run):
            _go_on(record, journal)
        else:
            work = work_of(
                workspace,
                graph,
                request.products.wants,
                modules=modules,
                images=request.images,
                container=container,
                metadata=metadata,
                reports=True,
                run=request.run,
                runfile=request.settings.get("runfile"),
                began=began,
            )
            _begin(record, journal, work, folder)
        try:
            _follow(record, observer, rest)
        except KeyboardInterrupt:
            with journal.change():
                journal.set_run(request.run, "interrupted", time.time())
            raise
        return bring_home(record, folder, observer)


def _begin(record: Record, journal: Journal, work: Work, folder: Path) -> None:
    """Compile, plan and submit the workflow; a run that could not be planned has failed."""
    command = compile_pegasus(work, folder)
    with journal.change():
        record.open()
    try:
        submit = plan(command, folder)
    except BaseException:  # also Ctrl-C: nothing was submitted, and nothing will be
        record.end(ok=False)
        raise
    record.submitted(submit)


def _go_on(record: Record, journal: Journal) -> None:
    """Follow a workflow again, which is submitted again where its end was seen already."""
    with journal.change():
        record.open()
    told, _ = read_states(_text(record.submit / "jobstate.log")[: record.read])
    if any(one.state == FINISHED and one.at >= record.since for one in told):
        since = int(time.time())
        run_again(record.submit)
        record.submitted(record.submit, since)


def _follow(record: Record, observer: Callable[[Event], None], rest: float) -> None:
    """Record what the log says until it says that the workflow is over."""
    log = record.submit / "jobstate.log"
    while not record.over:
        for told in _news(record, log):
            record.take_in(told)
        record.keep()
        for event in record.account.take_news():
            observer(event)
        if not record.over:
            time.sleep(rest)


def _news(record: Record, log: Path) -> list[Told]:
    """Return what was told since the last look; from the begin where monitord began another log."""
    text = _text(log)
    if len(text) < record.read:
        record.read = 0
    told, length = read_states(text[record.read :])
    record.read += length
    return [one for one in told if one.at >= record.since]


def _text(log: Path) -> str:
    try:
        return log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:  # monitord has not begun
        return ""
