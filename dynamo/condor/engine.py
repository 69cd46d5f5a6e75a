"""The HTCondor engine: compile what must run, submit it, follow it to its end.

Once submitted, the run is in the scheduler's queue and goes on without us; whoever follows it later, finds it by the
journal. Goes wrong: a task's failure is in the `Summary`; `InfrastructureError` where the pool gives out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

from dynamo.condor.compilation import compile_run, dag_options, is_same
from dynamo.condor.fits import check_fits
from dynamo.condor.folder import DagFolder
from dynamo.condor.follow import Follower
from dynamo.condor.inform import Inform
from dynamo.condor.options import PoolOptions
from dynamo.condor.outage import Outage
from dynamo.condor.run import PoolRun
from dynamo.condor.schedd import Schedd, Slot
from dynamo.condor.spooled import Spooled
from dynamo.condor.submission import submit
from dynamo.engine.events import Event, Summary
from dynamo.engine.known import Facts
from dynamo.engine.request import Request
from dynamo.engine.termination import terminable
from dynamo.errors import DynamoError, InfrastructureError
from dynamo.graph.model import Graph
from dynamo.images.image import Image
from dynamo.journal import Journal, Workspace
from dynamo.journal.workspace import UnderWayError

__all__ = ["HTCondorEngine"]

#: Seconds between looks at the logs.
TICK = 0.05
#: States of a DAG's own job in which it will go on, or does: idle, running, held.
WAITING = (1, 2, 5)


class HTCondorEngine:
    """Runs graphs on an HTCondor pool, as one DAG each.

    Parameters
    ----------
    workspace
        Where journal, store and DAGs are.
    options
        Which pool, and how.
    modules
        Folders from which the tasks' modules are imported first.
    observer
        Called with every `Event`, once what it tells is durable.
    """

    def __init__(
        self,
        workspace: Workspace,
        options: PoolOptions,
        *,
        modules: Sequence[str] = (),
        observer: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self.workspace, self.options, self.observer = workspace, options, observer
        self._modules = tuple(modules)

    @cached_property
    def schedd(self) -> Schedd:
        """The access point; raises `UserError` and `InfrastructureError` as `Schedd` does, when first asked for."""
        return Schedd(self.options)

    @cached_property
    def slots(self) -> list[Slot]:
        """What the pool's machines have at the moment."""
        return self.schedd.slots()

    def look(self, request: Request) -> None:
        """Have the journal know what became of a run that nobody follows; where somebody does, that is done there."""
        with ExitStack() as stack:
            journal = stack.enter_context(Journal(self.workspace.journal))
            try:
                stack.enter_context(self.workspace.lock(request.run))
            except UnderWayError:
                return
            facts = Facts(self.workspace, journal, self._modules)
            # It was submitted long ago: it fits.
            run = PoolRun(request, self.workspace, journal, facts, lambda _: None, time.time())
            folder, cluster = self._found(run)
            follower = self._attached(run, folder, cluster)
            if follower.ended or run.over:
                self._close(run, follower, last=True)
                if not (run.over or follower.removed):
                    self._abandon(run, follower)
                self._end(run, facts, removed=follower.removed)
            elif not cluster:  # nothing was submitted
                self._end(run, facts, removed=True)
            else:
                Inform(run, follower, self.schedd, cluster)(time.time())
                if not follower.begun:
                    self.schedd.release(cluster)

    def cancel(self, run: str) -> None:
        """Remove a run from the pool; whoever follows it sees that.

        One that is not there any more, and that nobody follows, is interrupted. Raises `UnderWayError` where somebody
        follows such a one.
        """
        with Journal(self.workspace.journal) as journal:
            known = journal.submission(run)
            cluster = (known and known["cluster"]) or self.schedd.find(run)
            if cluster and self.schedd.state(cluster):
                self.schedd.remove(cluster)
                return
            with self.workspace.lock(run), journal.change():
                journal.lose_attempts(run, time.time())
                journal.set_run(run, "interrupted", time.time())

    def run(self, request: Request) -> Summary:
        """Run one graph to its end; with ``resume``, follow it again or submit what is left of it.

        Raises
        ------
        UserError
            Before anything runs: an input cannot be read, a task asks for more than any slot has.
        InfrastructureError
            The pool cannot be reached, or refuses us.
        KeyboardInterrupt
            On Ctrl-C or SIGTERM; the run goes on in the pool.
        """
        with ExitStack() as stack:
            stack.enter_context(terminable())
            journal = stack.enter_context(Journal(self.workspace.journal))
            stack.enter_context(self.workspace.lock(request.run))
            request.selection.check(request.graph)
            self.schedd.check_shared()
            facts = Facts(self.workspace, journal, self._modules)
            fits = partial(self._fits, images=request.images)
            run = PoolRun(request, self.workspace, journal, facts, fits, time.time())
            follower = self._resumed(run) if request.resume else None
            if follower is None:
                follower = self._submitted(run)
            while follower is not None:
                left = len(run.ready.open)
                self._follow(run, follower)
                if run.over or follower.removed:
                    break
                if len(run.ready.open) == left and not follower.again():
                    self._abandon(run, follower)
                    break
                # Of jobs that wait for one of which a part failed, some tasks can run all the same.
                follower = self._submitted(run, more=True)
            return self._end(run, facts, removed=follower is not None and follower.removed)

    def _fits(self, graph: Graph, images: Mapping[str, Image]) -> None:
        check_fits(graph, self.slots, self.options.container, images)

    def _resumed(self, run: PoolRun) -> Follower | None:
        """Take up what was submitted before; None where something must be submitted anew, or nothing was."""
        if not run.journal.submission(run.id):
            with run.journal.change():
                run.open()
            return None
        folder, cluster = self._found(run)
        if cluster and self.schedd.state(cluster).get("JobStatus") in WAITING:
            return self._attached(run, folder, cluster)
        follower = self._attached(run, folder, cluster, failing=False)
        if run.over:
            return follower
        # To DAGMan a job is done that ended well, also where what it sent came damaged: no rescue runs it again.
        if not folder.rescued or self.schedd.spools or follower.spoilt or not is_same(run, folder):
            return None
        folder.renew_logs()
        return self._submit(run, folder, rescue=True)

    def _found(self, run: PoolRun) -> tuple[DagFolder, int]:
        """Return where the DAG of a run is, and its cluster, 0 where there is none: we may have died meanwhile."""
        known = run.journal.submission(run.id)
        cluster = known["cluster"] or self.schedd.find(run.id)
        with run.journal.change():
            run.journal.set_submission(run.id, {**known, "cluster": cluster})
        return DagFolder(Path(known["folder"])), cluster

    def _attached(self, run: PoolRun, folder: DagFolder, cluster: int, *, failing: bool = True) -> Follower:
        """Take in all that is known of a submission."""
        with run.journal.change():
            run.attach()
            run.settle(time.time())
        follower = self._follower(run, folder, cluster, failing=failing)
        follower.catch_up()
        self._tell(run)
        return follower

    def _follower(self, run: PoolRun, folder: DagFolder, cluster: int, *, failing: bool = True) -> Follower:
        spooled = Spooled(self.schedd, cluster) if self.schedd.spools else None
        return Follower(run, folder, failing=failing, spooled=spooled)

    def _submitted(self, run: PoolRun, *, more: bool = False) -> Follower | None:
        """Compile and submit what must run, once `more` of it; None where all can be reused."""
        now = time.time()
        with run.journal.change():
            if not (run.request.resume or more):
                run.open()
            graph = run.settle(now)
        run.facts.keep()
        self._tell(run)
        if not graph.tasks:
            return None
        try:
            folder, first = self._compile(run, graph)
        except DynamoError:  # nothing was submitted, and nothing will be
            with run.journal.change():
                run.journal.set_run(run.id, "failed", time.time())
            raise
        return self._submit(run, folder, first=first)

    def _compile(self, run: PoolRun, graph: Graph) -> tuple[DagFolder, list[str]]:
        home = self.workspace.runs / run.id
        path = home / f"dag-{1 + sum(1 for _ in home.glob('dag-*'))}"
        options = dag_options(run, self.options, len(self.slots), here=not self.schedd.spools)
        folder, first = compile_run(run, graph, path, options)
        return folder, [] if self.schedd.spools else first

    def _submit(
        self, run: PoolRun, folder: DagFolder, *, rescue: bool = False, first: Sequence[str] = ()
    ) -> Follower:
        return self._follower(run, folder, submit(run, folder, self.schedd, rescue=rescue, first=first))

    def _follow(self, run: PoolRun, follower: Follower) -> None:
        """Take in what happens until all is done, or the DAG has ended.

        Where something failed its end is waited for, so that who goes on with the run at once finds it ended; and where
        its files were sent with it, for they are removed then.
        """
        cluster = run.journal.submission(run.id)["cluster"]
        inform, outage, waits = Inform(run, follower, self.schedd, cluster), Outage(), not follower.begun
        while not self._through(run, follower):
            try:
                if waits:
                    self.schedd.release(cluster)
                    waits = False
                    outage.over()
                if follower.catch_up():
                    outage.over()
                    self._tell(run)
                    continue
                if outage.to_ask():
                    if not self.schedd.state(cluster):
                        follower.catch_up()
                        break
                    outage.over()
                if not outage.away:
                    inform(time.time())
            except InfrastructureError as error:
                outage.bear(error, run)
            self._tell(run)
            time.sleep(TICK)
        self._close(run, follower)
        if self.schedd.spools and follower.ended:
            self.schedd.remove(cluster)  # it stays in the queue until its files were fetched

    def _through(self, run: PoolRun, follower: Follower) -> bool:
        return follower.ended or (run.over and not run.account.failed and not self.schedd.spools)

    def _close(self, run: PoolRun, follower: Follower, *, last: bool = False) -> None:
        """Fail what the DAG has left undone, unless somebody removed it."""
        if not (run.over or follower.removed):
            with run.journal.change():
                follower.give_up(time.time(), last=last)
            self._tell(run)

    def _abandon(self, run: PoolRun, follower: Follower) -> None:
        with run.journal.change():
            follower.abandon(time.time())
        self._tell(run)

    def _tell(self, run: PoolRun) -> None:
        run.account.publish()
        for news in run.account.take_news():
            self.observer(news)

    def _end(self, run: PoolRun, facts: Facts, *, removed: bool) -> Summary:
        now = time.time()
        summary = run.account.summary(run.ready.tasks, now)
        if removed and run.ready.open:
            summary = replace(
                summary,
                warnings=(*summary.warnings, "it was cancelled; resume goes on with it"),
                interrupted=True,
            )
        facts.keep()
        with run.journal.change():
            state = "interrupted" if removed and run.ready.open else "done" if summary.ok else "failed"
            run.journal.set_run(run.id, state, now)  # type: ignore[arg-type]
        return summary
