"""Jobs that run a command in an image of the user's own, where nothing of dynamo, Python or a shell need be.

Pure. HTCondor runs the argument list itself: its inputs lie under their own names where it starts, and what it makes
comes back to where other jobs look for it. No report comes back; `dynamo.condor.direct` writes one from the event log.
Formats: HTCondor manual 25, "condor_submit" (arguments, transfer_output_remaps), "DAGMan input file" (VARS).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import PurePosixPath

from dynamo.errors import UserError
from dynamo.graph.model import Task
from dynamo.targets.jobs import Compiled, TargetJob

__all__ = ["IN", "MADE", "is_direct", "lines", "links", "seconds", "variables"]

#: Folder, in that of a job, of its inputs under the names that the command knows.
IN = "in"
#: That a job is not held because there is no such file of those that it should have made (ENOENT), which is its fault.
MADE = "(HoldReasonCode != 12 || HoldReasonSubCode != 2)"
#: What HTCondor's lists of files and of new names are written with.
_SIGNS = ',;="\\\n'
#: What HTCondor's arguments are quoted for.
_QUOTED = " \t'\""


def is_direct(compiled: Compiled, job: TargetJob, container: str) -> bool:
    """Whether a job runs a command as it is: its one task names an image of its own, and runs in a `container`."""
    task = _task(compiled, job)
    return bool(container) and len(job.tasks) == 1 and task.kind == "command" and bool(task.needs.image)


def _task(compiled: Compiled, job: TargetJob) -> Task:
    return compiled.graph.tasks[job.tasks[0]]


def links(compiled: Compiled, job: TargetJob) -> Iterator[tuple[str, str]]:
    """Yield each file below `IN`, and the path that it leads to, empty for a folder in which an output is written.

    Both are relative to the compiled folder.
    """
    for name, path in job.inputs.items():
        yield f"{job.folder}/{IN}/{name}", path
    for name in _task(compiled, job).output_names:
        yield f"{job.folder}/{IN}/{PurePosixPath(name).parent}", ""


def seconds(compiled: Compiled, job: TargetJob) -> int:
    """Return how long the command may take, whole seconds; 0 where it says nothing."""
    return math.ceil(_task(compiled, job).needs.timeout)


def variables(compiled: Compiled, job: TargetJob) -> dict[str, str]:
    """Return what the submit description asks for, as values of VARS.

    Raises `UserError` where HTCondor cannot be told a file's name or an argument.
    """
    task = _task(compiled, job)
    first, *others = task.argv
    remaps = []
    made: dict[str, str] = {}
    for name in task.output_names:
        base = PurePosixPath(name).name
        if any(sign in name for sign in _SIGNS):
            raise UserError(
                f'{task.place}: {task.id} makes {name!r}, and HTCondor takes no name with a comma, ; = " or \\ in it '
                "from a command in its own image: name the file otherwise"
            )
        if base in made:
            raise UserError(
                f"{task.place}: {task.id} makes {made[base]!r} and {name!r}, which HTCondor brings back under one "
                "name from a command in its own image: name one of them otherwise"
            )
        made[base] = name
        remaps.append(f"{base}={compiled.paths[name].removeprefix(f'{job.folder}/')}")
    if any("\n" in argument for argument in task.argv):
        raise UserError(
            f"{task.place}: {task.id} has an argument of several lines, which HTCondor cannot be told: write it to a "
            "file, and name that"
        )
    values = {
        "program": first,
        "args": " ".join(map(_argument, others)),
        "outputs": ", ".join(made.values()),
        "remaps": ";".join(remaps),
        "tries": str(task.needs.retries),
    }
    return {key: _variable(value) for key, value in values.items()}


def _argument(text: str) -> str:
    """Quote one argument in HTCondor's newer syntax: within single quotes, both kinds of quotes doubled."""
    if text and not any(sign in text for sign in _QUOTED):
        return text
    return "'" + text.replace("'", "''").replace('"', '""') + "'"


def _variable(text: str) -> str:
    """Write a value for VARS: what a macro begins with is itself a macro."""
    return text.replace("$", "$(DOLLAR)").replace("\\", "\\\\").replace('"', '\\"')


def lines(container: str, timeout: int) -> list[str]:
    """Return the part of a submit description that says what runs, with which files; `timeout` in seconds, or 0."""
    return [
        *(["docker_override_entrypoint = true"] if container == "docker" else []),
        "executable = $(program)",
        "transfer_executable = false",
        'arguments = "$(args)"',
        "initialdir = jobs/$(JOB)",
        "should_transfer_files = YES",
        "# Only one that ended well is asked for what it made: one that failed has not made it.",
        "when_to_transfer_output = ON_SUCCESS",
        "success_exit_code = 0",
        "max_retries = $(tries)",
        f"transfer_input_files = {IN}/",
        "transfer_output_files = $(outputs)",
        'transfer_output_remaps = "$(remaps)"',
        *([f"allowed_execute_duration = {timeout}"] if timeout else []),
    ]
