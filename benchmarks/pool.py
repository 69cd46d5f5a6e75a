"""A nowcast, and tasks that do nothing, on a real HTCondor pool in containers: ``python benchmarks/pool.py``.

The pool has two slots. The nowcast is of the 32 raw sweeps of `dynamo sample casa`, all 31 lead times with previews.
Its seconds are those from the command (`dynamo run`, `condor_submit_dag`) to the last product in its place, medians of
runs that take turns with the leanest DAGs of the same work that could be written by hand (`pool_hand.py`). All products
are compared byte by byte with those of the local engine. Needs Docker; the pool is brought up and taken down here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pool_hand
from pool_bench import Running, running
from pool_events import most_idle, path_of, reports, stages
from rows import Row, main

HERE = Path(__file__).resolve().parent
NAME = f"bench-{os.getpid()}"
FIRST, LATER = "first cycle of a workspace", "later cycles"
#: Which DAG by hand has the jobs that dynamo's has.
BY_HAND = {pool_hand.PARTED: "by hand, four jobs", pool_hand.ONE: "by hand, one job"}
NOOPS = """workflow: ./noops.py:wide
params: {{tasks: {tasks}, own: true}}
products: {{only: ["0"]}}
engine: htcondor
"""


@dataclass(frozen=True, slots=True)
class Cycle:
    """One nowcast: its seconds, those to the end of the command as well, where they went, and its jobs."""

    seconds: float
    command: float
    spent: Mapping[str, float]
    jobs: int


def lay(folder: Path) -> None:
    """Lay the sweeps and the run file of `dynamo sample casa` into `folder`."""
    subprocess.run(
        [sys.executable, "-m", "dynamo.cli", "sample", "casa", "--to", str(folder)],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def runfile(sweeps: Path, folder: Path, engine: str) -> None:
    """Write the run file of the sample into `folder`, for an engine."""
    folder.mkdir()
    said = (sweeps / "nowcast.yaml").read_text()
    said = re.sub(r"frames: .*", f'frames: "{sweeps}/*.netcdf.gz"', said)
    said = re.sub(r"products: .*", "products: products", said)
    (folder / "nowcast.yaml").write_text(f"{said}\nengine: {engine}\n")


def given(*paths: Path) -> None:
    """Have the owner of the pool's jobs own what was laid here by root."""
    for path in paths:
        for one in (path, *path.rglob("*")) if not os.getuid() else ():
            os.lchown(one, 1000, 1000)


def alike(folder: Path, known: Path) -> None:
    """Refuse products that are not those of the local engine, byte by byte."""
    names, there = ({path.name for path in where.iterdir()} for where in (folder, known))
    wrong = [n for n in sorted(names & there) if (folder / n).read_bytes() != (known / n).read_bytes()]
    if names != there or wrong:
        raise SystemExit(f"{folder}: not the products of the local engine: {wrong}, {sorted(names ^ there)}")


def cycle(pool: Running, known: int, began: float, ended: float, folder: Path, told: Path | None) -> Cycle:
    """Wait for the end of a DAG that was submitted, and say how long its products took."""
    found = pool.since(known, "")
    nodes = [job for job in found if job.node not in ("", "final")]
    over = max(path.stat().st_ctime for path in (folder / "products").iterdir())
    spent = stages(found[0], path_of(nodes), reports(told) if told else {}, began, over)
    return Cycle(over - began, ended - began, spent, len(nodes))


def ours(pool: Running, folder: Path) -> Cycle:
    """Run one nowcast by dynamo."""
    known = pool.last
    shutil.rmtree(folder / "products", ignore_errors=True)
    began, ended = pool.timed("dynamo", "run", "nowcast.yaml", "--force", where=folder)
    (dag,) = [max((folder / ".dynamo" / "runs").glob("*/dag-1"), key=lambda path: path.stat().st_mtime)]
    return cycle(pool, known, began, ended, folder, dag)


def theirs(pool: Running, folder: Path, sweeps: Path, dag: str) -> Cycle:
    """Run one nowcast by the DAG that is written by hand."""
    pool_hand.write(folder, sweeps)
    given(folder)
    known = pool.last
    began, ended = pool.timed("condor_submit_dag", "-f", f"{dag}.dag", where=folder)
    found = pool.since(known, "")
    return cycle(pool, min(job.cluster for job in found) - 1, began, ended, folder, None)


def cycles(pool: Running, sweeps: Path, times: int) -> dict[str, list[Cycle]]:
    """Run nowcasts by dynamo and by hand in turns, after one of each that does not count."""
    local = pool.folder / "local"
    runfile(sweeps, local, "local")
    runfile(sweeps, pool.folder / "again", "htcondor")
    given(pool.folder)
    pool.timed("dynamo", "run", "nowcast.yaml", where=local)
    found: dict[str, list[Cycle]] = {name: [] for name in (FIRST, *BY_HAND, LATER)}
    for n in range(times + 1):
        for name, measured in found.items():
            folder = pool.folder / ("again" if name == LATER else f"{name.split()[0]}-{n}")
            if name == FIRST:
                runfile(sweeps, folder, "htcondor")
                given(folder)
            one = theirs(pool, folder, sweeps, name) if name in BY_HAND else ours(pool, folder)
            alike(folder / "products", local / "products")
            if n:
                measured.append(one)
    return found


def where(found: Mapping[str, Sequence[Cycle]]) -> str:
    """A table of stages: medians of seconds, each kind of run a column."""
    titles = [FIRST, BY_HAND[pool_hand.PARTED], LATER, BY_HAND[pool_hand.ONE]]
    columns = [found[name] for name in (FIRST, pool_hand.PARTED, LATER, pool_hand.ONE)]
    names = list(dict.fromkeys(name for column in columns for name in column[0].spent))
    names.sort(key=lambda name: name.startswith("collect"))
    lines = ["where the seconds go, on the path of jobs that the others waited for:"]
    lines.append(f"    {'':<48}" + "".join(f"{title:>28}" for title in titles))
    for name in names:
        figures = [median(one.spent.get(name, 0.0) for one in column) for column in columns]
        lines.append(f"    {name:<48}" + "".join(f"{f'{f:.2f} s' if f else '':>28}" for f in figures))
    for name, take in (("all, command to last product", "seconds"), ("the command's own end", "command")):
        figures = [median(getattr(one, take) for one in column) for column in columns]
        lines.append(f"    {name:<48}" + "".join(f"{f:>26.2f} s" for f in figures))
    lines.append(f"    {'jobs':<48}" + "".join(f"{column[0].jobs:>28}" for column in columns))
    spread = "".join(
        f"{f'{min(s):.2f} to {max(s):.2f} s':>28}" for s in ([c.seconds for c in v] for v in columns)
    )
    return "\n".join([*lines, f"    {'fastest to slowest':<48}{spread}"])


def noop_folder(pool: Running, tasks: int) -> Path:
    """Lay a run file of so many tasks that do nothing."""
    folder = pool.folder / f"noops-{tasks}"
    folder.mkdir()
    shutil.copy(HERE / "noops.py", folder)
    (folder / "run.yaml").write_text(NOOPS.format(tasks=tasks))
    given(folder)
    return folder


def compiled(pool: Running, folder: Path, to: str, *options: str) -> float:
    """Seconds of `dynamo compile`, all of the command."""
    words = ["dynamo", "compile", "run.yaml", "--target", "dagman", "-o", to, *options]
    began, ended = pool.timed(*words, where=folder)
    return ended - began


def noops(pool: Running, quick: bool) -> Iterator[Row | str]:
    """Tasks that do nothing: compiled, run in few jobs, and each as a job of its own."""
    count, alone = (500, 20) if quick else (10_000, 100)
    folder = noop_folder(pool, count)
    for kind, options, budget in (
        ("fused", (), 2 * count / 10_000),
        ("a job for each", ("--slots", "0"), None),
    ):
        figure = min(compiled(pool, folder, f"{kind[0]}{n}", *options) for n in range(3))
        yield Row(
            f"{count:,} no-op tasks compiled, {kind}",
            figure,
            "s",
            budget,
            note="all of the command, best of 3",
        )
    known = pool.last
    with pool.peaks() as peak:
        began, ended = pool.timed("dynamo", "run", "run.yaml", where=folder, timeout=900)
    found = [job for job in pool.since(known, "") if job.node not in ("", "final")]
    yield Row(
        f"{count:,} no-op tasks through the pool, fused",
        (ended - began) * 1000 / count,
        "ms/task",
        note=f"{ended - began:.1f} s in {len(found)} jobs, of which {most_idle(found)} at most waited in the queue",
    )
    for name, megabytes in peak.items():
        yield Row(f"peak memory of {name}, {count:,} no-op tasks, fused", megabytes, "MB")
    yield single(pool, alone)


def single(pool: Running, count: int) -> Row:
    """Jobs of one task each: what the pool can do."""
    folder = noop_folder(pool, count)
    compiled(pool, folder, "dag", "--slots", "0")
    known = pool.last
    with pool.peaks() as peak:
        pool.timed("condor_submit_dag", "-f", "wide.dag", where=folder / "dag")
        found = [job for job in pool.since(known, "", 1800) if job.node not in ("", "final")]
    if len(found) < count or any("ended" not in job.at for job in found):
        raise SystemExit(f"{len(found)} of {count} jobs of one task each came to an end")
    spent = max(job.at["ended"] for job in found) - min(job.at["submitted"] for job in found)
    memory = ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in peak.items())
    return Row(
        f"{count} no-op tasks, a job for each, on two slots",
        spent / count,
        "s/task",
        note=f"{spent:.0f} s; at most {most_idle(found)} waited in the queue; peak memory: {memory}",
    )


def measure(quick: bool) -> Iterator[Row | str]:
    """The nowcast, then tasks that do nothing."""
    times = 1 if quick else 5
    with tempfile.TemporaryDirectory(prefix="dynamo-pool-") as made:
        Path(made).chmod(0o777)
        sweeps = Path(made) / "casa"
        lay(sweeps)
        with running(NAME, Path(made)) as pool:
            found = cycles(pool, sweeps, times)
            medians = {name: median(one.seconds for one in column) for name, column in found.items()}
            hands = {title: medians[dag] for dag, title in BY_HAND.items()}
            for name, peer in ((FIRST, pool_hand.PARTED), (LATER, pool_hand.ONE)):
                yield Row(
                    f"nowcast on a pool of 2 slots, {name} (median of {times})",
                    medians[name],
                    "s",
                    20,
                    hands,
                    (BY_HAND[peer],),
                    note=f"{found[name][0].jobs} jobs; load {os.getloadavg()[0]:.1f}; same bytes as the local engine",
                )
            yield where(found)
            yield from noops(pool, quick)


if __name__ == "__main__":
    main(__doc__, measure)
