"""Workflows of tasks that do nothing but leave the file that each task must leave."""

from __future__ import annotations

from dynamo import Input, Output, task, workflow

__all__ = ["chain", "fan", "layers", "wide"]


@task
def empty(done: Output, *, n: int) -> None:  # noqa: ARG001 - makes the tasks different
    """Leave an empty file."""
    done.touch()


@task
def write(done: Output, *, n: int) -> None:
    """Leave a file that no other task leaves."""
    done.write_bytes(b"%d" % n)


@task
def follow(before: Input, done: Output, *, n: int) -> None:  # noqa: ARG001 - only its being there counts
    """Leave a file of its own after another is there."""
    done.write_bytes(b"%d" % n)


@task
def gather(before: list[Input], done: Output) -> None:  # noqa: ARG001 - only their being there counts
    """Leave a file once all others are there."""
    done.touch()


@workflow
def wide(tasks: int, own: bool = False) -> None:
    """Independent tasks; with `own`, each leaves a file of its own."""
    step = write if own else empty
    for n in range(tasks):
        step(n=n, done=f"{n}")


@workflow
def chain(tasks: int) -> None:
    """Each task after the one before."""
    file = write(n=0, done="0")
    for n in range(1, tasks):
        file = follow(file, n=n, done=f"{n}")


@workflow
def fan(tasks: int) -> None:
    """One task, many after it, one after all of these."""
    first = write(n=-1, done="first")
    gather([follow(first, n=n, done=f"{n}") for n in range(tasks)], done="last")


@workflow
def layers(tasks: int) -> None:
    """One task, then three one after another for each of many lead times: the shape of a nowcast."""
    first = write(n=-1, done="first")
    for n in range((tasks - 1) // 3):
        grid = follow(first, n=n, done=f"grid{n}")
        image = follow(grid, n=n, done=f"image{n}")
        follow(image, n=n, done=f"polygons{n}")
