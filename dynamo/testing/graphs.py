"""The graphs that every engine must run; this file is laid beside a run file as a user's workflow, and travels."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from pathlib import Path

from dynamo import Input, Output, command, fuse, task, workflow

__all__ = ["lengthy", "lost", "scales", "shapes", "troubles"]


@task
def say(source: Input, out: Output, *, word: str) -> None:
    """Append a word, and print it."""
    print(f"the word is {word}")
    out.write_text(f"{source.read_text()}{word};")


@task
def join(parts: list[Input], out: Output) -> None:
    """Put texts one after another."""
    out.write_text("|".join(part.read_text() for part in parts))


@task
def stamp(source: Input, out: Output) -> None:  # noqa: ARG001 - it waits for its input
    """Write what no second execution writes again."""
    out.write_text(os.urandom(8).hex())


@task
def scaled(source: Input, out: Output, *, factor: int) -> None:
    """Repeat a text."""
    out.write_text(source.read_text() * factor)


@task
def large(out: Output, *, mebibytes: int) -> None:
    """Write bytes that look random, and are the same each time."""
    block = b"".join(hashlib.sha256(bytes((n % 256, n // 256))).digest() for n in range(2**15))
    with out.open("wb") as file:
        for _ in range(mebibytes):
            file.write(block)


@task
def digest(source: Input, out: Output) -> None:
    """Write the SHA-256 of a file."""
    with source.open("rb") as file:
        out.write_text(hashlib.file_digest(file, "sha256").hexdigest())


@command
def shout(source: Input, out: Output) -> list[object]:
    """Make letters capitals, by programs that every machine has; says so on standard error."""
    return ["sh", "-c", 'echo louder >&2; tr a-z A-Z < "$1" > "$2"', "shout", source, out]


@workflow(runtime=True)
def each(listing: Input, total: Output) -> None:
    """Describe one task for each part of a text, which only the run shows."""
    parts = Path(listing).read_text().split("|")
    join([say(listing, word=f"part {n}", out=f"part {n}.txt") for n in range(len(parts))], out=total)


@workflow
def shapes(source: Input, odd: list[Input], mebibytes: int) -> None:
    """Every shape of graph, every kind of task, files large and oddly named."""
    fan = [say(source, word=f"fan {n}", out=f"fan/{n}.txt") for n in range(6)]
    joined = join(fan, out="fan/all.txt")
    link = source
    for n in range(4):
        link = say(link, word=f"link {n}", out=f"chain/{n}.txt")
    top = say(source, word="top", out="diamond/top.txt")
    sides = [say(top, word=side, out=f"diamond/{side}.txt") for side in ("left", "right")]
    join(sides, out="diamond/bottom.txt")
    with fuse("together"):
        for n in range(3):
            say(say(source, word="one", out=f"fused/{n}.part"), word="two", out=f"fused/{n}.txt")
    for n, file in enumerate(odd):
        say(file, word=f"odd {n}", out=f"of {file.name}")
    say(source, word="dash", out="-dash.txt")
    shout(joined, out='command/it\'s "LOUD", $HOME.txt')
    digest(large(mebibytes=mebibytes, out="large.bin"), out="large.sha256")
    each(joined, total="found/total.txt")


@workflow
def scales(source: Input, factor: int = 2) -> None:
    """A parameter that part of the tasks depend on; each time that a task runs, its product is another."""
    stamp(scaled(source, factor=factor, out="scaled.txt"), out="of the parameter.txt")
    stamp(say(source, word="same", out="same.txt"), out="of the source.txt")


@task
def raises(switch: Input, out: Output) -> None:
    """Fail by an exception, unless the file is good."""
    print("about to fail")
    if switch.read_text() != "good":
        raise ValueError("no echo at all")
    out.write_text("raises: good")


@task(retries=2)
def tries(switch: Input, out: Output) -> None:
    """Fail as often as it may."""
    if switch.read_text() != "good":
        raise ValueError("not this time")
    out.write_text("tries: good")


@task(timeout="1 s")
def late(switch: Input, out: Output) -> None:
    """Take for ever."""
    if switch.read_text() != "good":
        time.sleep(600)
    out.write_text("late: good")


@task
def forgets(switch: Input, out: Output) -> None:
    """End well without its output."""
    if switch.read_text() == "good":
        out.write_text("forgets: good")


@task
def leaves(switch: Input, out: Output) -> None:
    """Leave Python with a code."""
    if switch.read_text() != "good":
        sys.exit(7)
    out.write_text("leaves: good")


@task
def dies(switch: Input, out: Output) -> None:
    """Kill its own process."""
    print("these are my last words", flush=True)
    if switch.read_text() != "good":
        os.kill(os.getpid(), signal.SIGKILL)
    out.write_text("dies: good")


@command
def gives_up(switch: Input, out: Output) -> list[object]:
    """End a program with a code that is not zero."""
    return ["sh", "-c", 'echo given up; grep -q good "$1" && printf good > "$2"', "gives_up", switch, out]


@workflow
def troubles(source: Input, switch: Input) -> None:
    """Tasks that fail in each way, beside tasks that must run all the same."""
    with fuse("mixed"):  # one job, in which one task fails and one does not
        steady = stamp(source, out="steady.txt")
        raised = raises(switch, out="raises.txt")
    for n in range(8):  # more than one job, which need of that job what is there
        say(steady, word=f"after {n}", out=f"after/{n}.txt")
    say(say(raised, word="never", out="blocked 1.txt"), word="never", out="blocked 2.txt")
    tries(switch, out="tries.txt")
    late(switch, out="late.txt")
    forgets(switch, out="forgets.txt")
    leaves(switch, out="leaves.txt")
    gives_up(switch, out="gives_up.txt")
    dies(switch, out="dies.txt")


@workflow
def lost(source: Input, switch: Input) -> None:
    """A task whose worker dies, and nothing else that goes wrong."""
    dies(switch, out="dies.txt")
    stamp(source, out="stamp.txt")


@task
def waits(source: Input, out: Output, *, seconds: float) -> None:  # noqa: ARG001 - it waits for its input
    """Take its time."""
    print("it begins", flush=True)
    time.sleep(seconds)
    out.write_text(os.urandom(8).hex())


@workflow
def lengthy(source: Input, count: int = 6, seconds: float = 2.0) -> None:
    """One task that is done soon, and then some that can be interrupted."""
    first = stamp(source, out="first.txt")
    for n in range(count):
        waits(first, seconds=seconds, out=f"waited/{n}.txt")
