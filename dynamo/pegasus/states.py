"""What Pegasus tells of a run while it goes on: the lines that pegasus-monitord appends to ``jobstate.log``.

Pure: text in, records out. A line is ``time job state value site walltime sequence``, or ``time INTERNAL *** word value
***`` for the workflow itself (Pegasus 5.1 user guide, "Monitoring, debugging and statistics").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

__all__ = ["FAILED", "FINISHED", "HELD", "STARTED", "SUCCEEDED", "Told", "read_states", "task_of"]

STARTED = frozenset({"EXECUTE"})
SUCCEEDED = frozenset({"JOB_SUCCESS", "POST_SCRIPT_SUCCESS"})
FAILED = frozenset({"JOB_FAILURE", "POST_SCRIPT_FAILURE", "JOB_ABORTED", "SUBMIT_FAILED"})
HELD = frozenset({"JOB_HELD", "JOB_HELD_REASON"})
#: Of the workflow: no more jobs will run. Its value is 0 where all went well.
FINISHED = "DAGMAN_FINISHED"


@dataclass(frozen=True, slots=True)
class Told:
    """One line: Unix seconds; the job, empty for the workflow itself; its state; a whole number, if there is one."""

    at: int
    job: str
    state: str
    value: int | None = None
    site: str = ""


def read_states(text: str) -> tuple[list[Told], int]:
    """Return what whole lines say, and how many characters these are; lines of another form are passed over."""
    end = text.rfind("\n") + 1
    return list(_told(text[:end].splitlines())), end


def _told(lines: Iterable[str]) -> Iterator[Told]:
    for line in lines:
        words = line.split()
        if len(words) < 4 or not words[0].isdigit():
            continue
        at, job, state = int(words[0]), words[1], words[2]
        if job == "INTERNAL":
            yield Told(at, "", words[3], _number(words[4]) if len(words) > 4 else None)
        elif len(words) >= 6:
            yield Told(at, job, state, _number(words[3]), words[4])


def _number(word: str) -> int | None:
    try:
        return int(word)
    except ValueError:  # an id of HTCondor, like 8.0, or a dash
        return None


def task_of(job: str, tasks: Mapping[str, str]) -> str | None:
    """Return the task that a job of the planned workflow runs, for a map of ids in Pegasus to tasks.

    Pegasus names it by its program and its id. None for jobs that it adds by itself, and for those that stand for
    several tasks.

    >>> task_of("dynamo-worker_plot_a", {"plot_a": "plot/a", "a": "a"}), task_of("stage_out_local_0", {"a": "a"})
    ('plot/a', None)
    """
    begin = job.find("_")
    while begin >= 0:
        if job[begin + 1 :] in tasks:
            return tasks[job[begin + 1 :]]
        begin = job.find("_", begin + 1)
    return None
