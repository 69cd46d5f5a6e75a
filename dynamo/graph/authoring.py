"""How a user writes: ``@task``, ``@command``, ``@workflow`` and ``with fuse(...)``.

Inside a workflow a call of a task adds a node and returns its output files; passing them on makes the edges.
Outside, a task is an ordinary function, and a workflow returns its `Graph`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypedDict, Unpack, overload

from dynamo.errors import WorkflowError, nearest
from dynamo.graph.build import building
from dynamo.graph.callee import Command, Function, TaskFunction, Workflow
from dynamo.graph.needs import Needs
from dynamo.graph.signature import place_of
from dynamo.graph.units import parse_bytes, parse_seconds

__all__ = ["Command", "Resources", "TaskFunction", "Workflow", "command", "fuse", "task", "workflow"]


class Resources(TypedDict, total=False):
    """What `task`, `command` and a run-time `workflow` can be told; what is left out is as in `Needs`.

    Parameters
    ----------
    cores, image, priority, retries
        See `Needs`.
    memory
        ``"512 MiB"``, ``"2 GB"`` or a number of bytes.
    timeout, deadline
        ``"60 s"``, ``"5 min"`` or a number of seconds.
    """

    cores: int
    memory: str | int
    timeout: str | float
    deadline: str | float
    priority: int
    retries: int
    image: str


#: The least that each whole number may be.
_LEAST: dict[str, int | None] = {"cores": 1, "retries": 0, "priority": None}


def _needs(function: Function, resources: Resources) -> Needs:
    """Read what a user gave; raises `WorkflowError` at the function's own line."""
    try:
        return Needs(**{name: _need(name, value) for name, value in resources.items()})
    except ValueError as error:
        raise WorkflowError(f"{function.__name__}(): {error}", place=place_of(function)) from None


def _need(name: str, value: Any) -> Any:
    if name not in Resources.__annotations__:
        known = list(Resources.__annotations__)
        raise ValueError(f"no option {name!r}{nearest(name, known)}; known are {', '.join(known)}")
    if name == "memory":
        return parse_bytes(value)
    if name in ("timeout", "deadline"):
        return parse_seconds(value)
    if name in _LEAST:
        least = _LEAST[name]
        if type(value) is not int or (least is not None and value < least):
            expected = "a whole number" if least is None else f"a whole number from {least}"
            raise ValueError(f"{name}={value!r} is not {expected}")
    elif not isinstance(value, str):
        raise ValueError(f"{name}={value!r} is not a name")
    return value


@overload
def task(function: Function, /) -> TaskFunction: ...
@overload
def task(**resources: Unpack[Resources]) -> Callable[[Function], TaskFunction]: ...
def task(function: Function | None = None, /, **resources: Unpack[Resources]) -> Any:
    """Mark a Python function as a task: files in, files out, the other parameters as JSON.

    Parameters
    ----------
    resources
        What it needs of the machine, how long it may take and how urgent it is: see `Resources`.

    Raises
    ------
    WorkflowError
        At the function's own line, where its signature cannot be a task's.

    Examples
    --------
    >>> from dynamo import Input, Output, task
    >>> @task(memory="512 MiB", timeout="60 s")
    ... def count(text: Input, number: Output, *, what: str = "storm") -> None:
    ...     words = open(text).read().split()
    ...     open(number, "w").write(str(words.count(what)))
    """

    def mark(f: Function) -> TaskFunction:
        return TaskFunction(f, _needs(f, resources))

    return mark if function is None else mark(function)


@overload
def command(function: Function, /) -> Command: ...
@overload
def command(**resources: Unpack[Resources]) -> Callable[[Function], Command]: ...
def command(function: Function | None = None, /, **resources: Unpack[Resources]) -> Any:
    """Mark a function that returns an argument list as a command task.

    The function is called while the workflow is described, with file names that are valid in the folder the
    command runs in, so nothing of Python is needed where it runs.

    Parameters
    ----------
    resources
        As for `task`: see `Resources`.

    Examples
    --------
    >>> from dynamo import Input, Output, command
    >>> @command(timeout="30 s")
    ... def merge(sweeps: list[Input], grid: Output, *, step: float = 0.5) -> list[object]:
    ...     return ["merge", "--step", step, "-o", grid, *sweeps]
    """

    def mark(f: Function) -> Command:
        return Command(f, _needs(f, resources))

    return mark if function is None else mark(function)


@overload
def workflow(function: Function, /) -> Workflow: ...
@overload
def workflow(*, runtime: bool = ..., **resources: Unpack[Resources]) -> Callable[[Function], Workflow]: ...
def workflow(
    function: Function | None = None, /, *, runtime: bool = False, **resources: Unpack[Resources]
) -> Any:
    """Mark a function that describes a graph by calling tasks.

    Parameters
    ----------
    runtime
        Describe it only once its inputs exist, so that it may read them (one task per storm found).
    resources
        As for `task`, of a run-time workflow: what it may use while it describes. See `Resources`.

    Raises
    ------
    WorkflowError
        At the function's own line, where resources mean nothing, or are given without ``runtime=True``: no
        machine runs a plain workflow.

    Examples
    --------
    >>> from dynamo import Input, workflow
    >>> @workflow
    ... def chain(frames: list[Input], leads: int = 3) -> None:
    ...     for lead in range(leads):
    ...         ...
    """

    def mark(f: Function) -> Workflow:
        needs = _needs(f, resources)
        if resources and not runtime:
            raise WorkflowError(
                f"{f.__name__}(): {', '.join(resources)} would bound nothing: a plain workflow is described before "
                "the run; give it to its tasks, or add runtime=True",
                place=place_of(f),
            )
        return Workflow(f, needs, runtime=runtime)

    return mark if function is None else mark(function)


@contextmanager
def fuse(label: str) -> Iterator[None]:
    """Let one job run all tasks called inside, one after another in one process.

    Each task keeps its own record, log and reuse; what is saved is a dispatch and a transfer per task.
    """
    builder = building.get()
    if builder is None:
        yield
        return
    outer, builder.label = builder.label, label
    try:
        yield
    finally:
        builder.label = outer
