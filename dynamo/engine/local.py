"""The loop: take in what happened, record it, decide what starts, send it.

Each turn is one transaction: reports that came in, and the attempts that will start. Only when it is durable
are jobs sent, products published and observers told.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from dynamo.engine.begin import begin
from dynamo.engine.capacity import Capacity
from dynamo.engine.events import Event, Summary
from dynamo.engine.inline import Inline
from dynamo.engine.jobs import TICK, Jobs
from dynamo.engine.known import Facts
from dynamo.engine.place import Places
from dynamo.engine.request import Request
from dynamo.engine.room import Room
from dynamo.engine.run import Run
from dynamo.engine.source import Given, Source
from dynamo.engine.spawn import Spawned
from dynamo.engine.termination import terminable
from dynamo.engine.workers import Workers
from dynamo.errors import UserError
from dynamo.journal import Journal, Workspace
from dynamo.journal.database import DiskFullError
from dynamo.planning.source import State

__all__ = ["LocalEngine"]

#: Seconds between looks while nothing is to be run, where nobody calls.
IDLE = 1.0
#: Seconds for which a turn is tried to be recorded while the disk is full and tasks run; and for which a task that
#: found it full is held back, where that is outlasted.
PATIENCE = 10.0

Observer = Callable[[Event], None]


class LocalEngine:
    """Runs graphs on this machine with warm worker processes.

    A context manager; its workers live until it is closed, so a second run finds them warm.

    Parameters
    ----------
    workspace
        Where journal, store and sandboxes are.
    cores, memory
        Bounds for the declared needs of what runs at one time; by default the machine's cores, and 90 % of the
        memory (bytes) that is free when a run begins. A task is refused only where it needs more than the machine
        has: what is free changes, and one that needs more than that runs alone.
    modules
        Folders from which the tasks' modules are imported; by default those from which this process imports.
    inline
        Run tasks one after another in this very process, for debugging: no time-outs, no protection from
        crashes.
    observer
        Called with every `Event`, once what it tells is durable.
    first
        A worker process that was started before, see `dynamo.engine.spawn`; not for `inline`.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        cores: int | None = None,
        memory: int | None = None,
        modules: Sequence[str] | None = None,
        inline: bool = False,
        observer: Observer = lambda _: None,
        first: Spawned | None = None,
    ) -> None:
        self.workspace = workspace
        self.capacity = Capacity(cores, memory)
        self._modules = tuple(modules or ())
        self.observer = observer
        self.journal = Journal(workspace.journal)
        try:
            self._folder, self._lock = workspace.engine_folder()
        except BaseException:  # also Ctrl-C: no open journal is left behind
            self.journal.close()
            raise
        folders = [os.path.abspath(p) for p in sys.path] if modules is None else modules
        self._folders = tuple(folders)
        self.workers: Workers | Inline = (
            Inline(self._folder) if inline else Workers(self._folder, folders, first, str(workspace.root))
        )
        self._jobs = Jobs(self.workers, self.capacity)
        self._facts = Facts(workspace, self.journal, self._modules)
        self._room = Room(self._folder)
        self._at_work: frozenset[str] = frozenset()  # runs that workers had jobs of when the turn began
        self._read: dict[Path, State] = {}  # source files as they were when workers may have imported them

    @property
    def cores(self) -> int:
        """Cores that tasks side by side may use."""
        return self.capacity.cores

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers and close the journal."""
        self.workers.close()
        self.journal.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.close()

    def warm(self, count: int | None = None, calls: Sequence[str] = ()) -> None:
        """Start workers now, so that they are up when a task is ready; see `Workers.start` for `calls`."""
        self.workers.start(min(count or self.cores, self.cores), calls)

    def run(self, request: Request) -> Summary:
        """Run one graph to its end; see `run_all`."""
        return self.run_all([request])[0]

    def run_all(self, requests: Sequence[Request]) -> list[Summary]:
        """Run graphs at the same time to their end and return how each ended.

        Raises
        ------
        UserError
            Before anything runs: an input cannot be read, a task asks for more than this engine has, a run is
            under way elsewhere.
        WorkspaceError
            The journal cannot be written.
        KeyboardInterrupt
            On Ctrl-C or SIGTERM, after the workers were ended and the runs marked as interrupted.
        """
        given = Given(requests)
        self.serve(given)
        return given.summaries()

    def serve(self, source: Source) -> None:
        """Run what `source` gives, when it gives it, side by side, until it says that no more will come.

        Raises as `run_all` does, but for requests that `source` takes back. Where `source` outlasts a full disk, what
        ran then is begun again once there is room, and so is a task that failed of it.
        """
        runs: dict[Run, ExitStack] = {}
        left: list[Request] = []
        with ExitStack() as stack:
            stack.enter_context(terminable())
            stack.enter_context(self.workers.listening(source))
            try:
                while (
                    wanted := source.take([*(run.id for run in runs), *(r.run for r in left)])
                ) is not None:
                    left += wanted
                    try:
                        self._go_on(left, runs, source)
                    except DiskFullError as error:
                        source.full(error)
                        left[:0] = self._make_room(runs, source)
                        self._room.wait(error, source)
            except BaseException:  # also Ctrl-C: the journal is left as `resume` needs it
                self._abandon(list(runs))
                raise
            finally:
                for lock in runs.values():
                    lock.close()

    def _go_on(self, left: list[Request], runs: dict[Run, ExitStack], source: Source) -> None:
        """Begin what is `left` to be begun, and do one turn."""
        before, self._at_work = len(runs), self._jobs.runs
        try:
            while left and self._room.may_begin():
                self._admit(left[0], runs, source)
                del left[0]
        except DiskFullError as error:
            if not self._at_work:
                raise
            self._room.wait(error, source)  # what runs may leave some
        self._turn(list(runs), source, more=len(runs) > before)
        for run in [run for run in runs if run.over]:
            summary = self._end(run)
            with runs.pop(run):
                source.ended(summary)
        if not (left or self._jobs.held):
            self._room.over(source)

    def _make_room(self, runs: dict[Run, ExitStack], source: Source) -> list[Request]:
        """End all that runs, with what it wrote; return what is to be begun again."""
        self._jobs.stop()
        for lock in runs.values():
            lock.close()
        ended = [run.request for run in runs]
        runs.clear()
        return list(self._room.again(ended, self._at_work, source))

    def _admit(self, request: Request, runs: dict[Run, ExitStack], source: Source) -> None:
        """Begin a run, or tell `source` why it cannot."""
        if not runs:
            self.capacity.look()
        lock = ExitStack()
        try:
            lock.enter_context(self.workspace.lock(request.run))
            runs[self._begin(request)] = lock
        except UserError as error:
            lock.close()
            source.refused(request, error)
        except BaseException:  # also Ctrl-C: the run's lock is let go
            lock.close()
            raise

    def _begin(self, request: Request) -> Run:
        request.selection.check(request.graph)
        images = {} if isinstance(self.workers, Inline) else request.images
        self._facts = Facts(self.workspace, self.journal, self._modules, images)
        places = Places(self._facts.here, str(self._folder), str(self.workspace.root), self._folders)
        run = begin(request, self.workspace, self.journal, self._facts, self.capacity, places)
        self._facts.keep()
        self._renew({task.call for task in run.graph.tasks.values()})
        with self.journal.change():
            run.open()
        self._jobs.add(run)
        self.workers.start_first(places.first(run.graph), self.cores)
        return run

    def _renew(self, calls: set[str]) -> None:
        """Have code that was edited imported anew by all that may have imported it as it was before."""
        for call in calls:
            self._facts.code(call)
        states = self._facts.code_states()
        edited = any(self._read.get(path, state) != state for path, state in states.items())
        if edited:
            self.workers.retire()
        self._read.update(states)

    def _end(self, run: Run) -> Summary:
        now = time.time()
        summary = run.account.summary(run.ready.tasks, now)
        patience = PATIENCE if self._at_work else 0.0
        self._facts.keep(patience)
        with self.journal.change(patience):
            self.journal.set_run(run.id, "done" if summary.ok else "failed", now)
        self._room.forget(run.id)
        return summary

    def _abandon(self, runs: list[Run]) -> None:
        """End what runs and leave a journal that `resume` can go on from."""
        self._jobs.stop()
        now = time.time()
        # Where there is no room to say that they were interrupted, it is seen by their locks.
        with suppress(DiskFullError), self.journal.change():
            for run in runs:
                self.journal.lose_attempts(run.id, now)
                self.journal.set_run(run.id, "interrupted", now)

    def _may_start(self) -> bool:
        """Whether to start something without waiting for what happens."""
        if not self._room.may_begin():
            return False
        due = self._jobs.release()
        return self._room.opened() or due or (self._jobs.ready and not self._at_work)

    def _turn(self, runs: list[Run], source: Source, *, more: bool) -> None:
        """Wait for news, then record it and what starts next as one transaction, then act on it.

        Where there are `more` runs than in the turn before, nothing is waited for.
        """
        begins = self._may_start() or more
        rest = 0.0 if begins else TICK if runs else IDLE
        happened = list(self.workers.wait(rest)) if self._at_work or not begins else []
        broken = self._jobs.look({event.worker for event in happened})
        now, starting = time.time(), []
        self._room.look_at(happened, source)
        if happened or broken or begins:  # else the journal is left alone
            # What runs may fail of a full disk too, and leave room.
            with self.journal.change(PATIENCE if self._at_work else 0.0):
                for event in happened:
                    self._jobs.take_in(event, now, PATIENCE if source.outlasts else 0.0)
                for worker, found in broken:
                    self._jobs.end(worker, found, now)
                if self._room.may_begin():
                    starting = list(self._jobs.start(now))
        self._jobs.check_over(runs)
        for worker, job in starting:
            self.workers.send(worker, job)
        for run in runs:
            run.account.publish()
            for news in run.account.take_news():
                self.observer(news)
