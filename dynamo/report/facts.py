"""What the report of a run tells, taken from the journal and the workspace; nothing of it is HTML yet."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from dynamo.graph import Graph
from dynamo.journal import Attempt, Journal, RunRecord, TaskRecord, Workspace
from dynamo.report.picture import family
from dynamo.worker.logs import tail

__all__ = ["Fault", "Reason", "RunFacts", "StepFacts", "gather"]

#: What a task is that the run did not come to, or was not asked to run.
WAITING = "waiting"
#: Failures that are told in full.
TOLD = 25

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Fault:
    """A task that failed: why, the last lines it wrote, what was kept (paths), and what could not run.

    ``alike`` are more tasks of the step that failed in the same way, but for numbers; ``blocked`` is for all.
    """

    task: str
    place: str
    error: str
    attempts: int
    log: str
    tail: str
    sandbox: str
    alike: tuple[str, ...]
    blocked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepFacts:
    """The tasks of one step: how many in each state, seconds of their attempts, and peak memory (bytes)."""

    step: str
    states: Mapping[str, int]
    attempts: int
    total: float
    median: float
    longest: float
    cpu: float
    peak: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why tasks of one step ran or did not: one of them and its reason, and how many there are alike."""

    step: str
    state: str
    task: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run: its record, the graph with all that was added, and what became of every task.

    ``state`` is that of the record, but ``interrupted`` where its engine is gone; ``now`` ends what is under way.
    """

    run: RunRecord
    state: str
    now: float
    graph: Graph
    tasks: Mapping[str, TaskRecord]
    states: Mapping[str, str]
    attempts: Sequence[Attempt]
    faults: Sequence[Fault]
    steps: Sequence[StepFacts]
    reasons: Sequence[Reason]

    @property
    def ended(self) -> float:
        """When the run ended: now where it is under way, and where its engine is gone, what is last known of it."""
        if self.run.ended is not None or self.state == "running":
            return self.run.ended or self.now
        return max((a.ended or a.started for a in self.attempts), default=self.run.created)

    @property
    def counts(self) -> Counter[str]:
        """Number of tasks in each state."""
        return Counter(self.states.values())


def gather(workspace: Workspace, journal: Journal, run: str, *, now: float | None = None) -> RunFacts:
    """Return all that is known of `run`; raises `UserError` where there is no such run."""
    record = journal.run(run)
    graph = journal.graph(record.id)
    # A resumed run may have described other tasks at run time than the first time; those count no more.
    live = record.state != "running" or workspace.is_live(record.id)
    tasks = {i: task for i, task in journal.tasks(record.id, live=live).items() if i in graph.tasks}
    attempts = [a for a in journal.attempts(record.id) if a.task in graph.tasks]
    states = {i: tasks[i].state if i in tasks else WAITING for i in graph.tasks}
    return RunFacts(
        run=record,
        state=record.state if live else "interrupted",
        now=time.time() if now is None else now,
        graph=graph,
        tasks=tasks,
        states=states,
        attempts=attempts,
        faults=_faults(workspace, record.id, graph, tasks, attempts),
        steps=_steps(graph, states, attempts),
        reasons=_reasons(tasks.values()),
    )


def _faults(
    workspace: Workspace, run: str, graph: Graph, tasks: Mapping[str, TaskRecord], attempts: Sequence[Attempt]
) -> list[Fault]:
    last = {a.task: a.n for a in attempts}
    blocked: dict[str, list[str]] = {}
    for task in tasks.values():
        if task.state == "blocked":
            blocked.setdefault(task.reason, []).append(task.task)
    groups: dict[tuple[str, str], list[TaskRecord]] = {}
    for task in tasks.values():
        if task.state == "failed":
            groups.setdefault((family(task.step), _NUMBER.sub("#", task.reason)), []).append(task)
    found: list[Fault] = []
    for first, *others in groups.values():
        n = last.get(first.task, 0)
        log, kept = workspace.log(run, first.task, n), workspace.kept(run, first.task)
        found.append(
            Fault(
                task=first.task,
                place=graph.tasks[first.task].place,
                error=first.reason,
                attempts=n,
                log=log if Path(log).is_file() else "",
                tail=tail(log) if len(found) < TOLD else "",
                sandbox=kept if Path(kept).is_dir() else "",
                alike=tuple(t.task for t in others),
                blocked=tuple(b for t in (first, *others) for b in blocked.get(f"{t.task} failed", ())),
            )
        )
    return found


def _steps(graph: Graph, states: Mapping[str, str], attempts: Sequence[Attempt]) -> list[StepFacts]:
    members: dict[str, Counter[str]] = {}
    ran: dict[str, list[Attempt]] = {}
    for task in graph.tasks.values():
        members.setdefault(family(task.step), Counter())[states[task.id]] += 1
    for attempt in attempts:
        if attempt.ended is not None:
            ran.setdefault(family(graph.tasks[attempt.task].step), []).append(attempt)
    found = []
    for step, counts in members.items():
        tried = ran.get(step, [])
        seconds = [a.ended - a.started for a in tried if a.ended is not None] or [0.0]
        cpu, peak = sum(a.cpu for a in tried), max((a.peak for a in tried), default=0)
        found.append(
            StepFacts(step, counts, len(tried), sum(seconds), median(seconds), max(seconds), cpu, peak)
        )
    return found


def _reasons(tasks: Iterable[TaskRecord]) -> list[Reason]:
    """Join the reasons that differ only in numbers, the most common first."""
    alike: dict[tuple[str, str, str], list[TaskRecord]] = {}
    for task in tasks:
        if task.state in ("done", "reused", "running"):
            alike.setdefault((family(task.step), task.state, _NUMBER.sub("#", task.reason)), []).append(task)
    found = [Reason(step, state, t[0].task, t[0].reason, len(t)) for (step, state, _), t in alike.items()]
    return sorted(found, key=lambda reason: -reason.count)
