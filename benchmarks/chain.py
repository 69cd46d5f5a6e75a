"""Deep chains and wide fans: is the cost of a task the same in large graphs? ``python benchmarks/chain.py``.

Milliseconds a task for a chain of 1,000 and 10,000 tasks, each reading the file of the one before, and for one
task, then 1,000 or 10,000, then one that reads all their files. Peers pass values, not files.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import noops
from noop import spent
from peer import figure, measured
from rows import Row, main


def measure(quick: bool) -> Iterator[Row]:
    """Chains and fans, inline and in processes."""
    small, large = (200, 2_000) if quick else (1_000, 10_000)
    peers = {
        "dask.distributed, 2 processes": figure(measured("dask_tasks.py", "chain", small), "per_task", 1000),
        "Parsl, HTEX, 2 processes": figure(
            measured("parsl_tasks.py", "processes", "chain", small), "per_task", 1000
        ),
    }
    threads = {
        "Parsl, threads": figure(measured("parsl_tasks.py", "threads", "chain", small), "per_task", 1000)
    }
    for name, shape in (("chain", noops.chain), ("fan", noops.fan)):
        for inline, where in ((True, "inline"), (False, "2 worker processes")):
            per = {n: 1000 * spent(shape(n), inline=inline) / n for n in (small, large)}
            raced = {} if name == "fan" else threads if inline else peers
            yield Row(f"{name} of {small:,}, {where}", per[small], "ms/task", peers=raced, beat=tuple(peers))
            yield Row(f"{name} of {large:,}, {where}", per[large], "ms/task")
            yield Row(
                f"{name}, {where}: a task among {large:,} against one among {small:,}",
                per[large] / per[small],
                "times",
                note="1 is linear",
            )
    start = time.perf_counter()
    deep = noops.chain(2 * large)
    yield Row(f"chain of {len(deep.tasks):,}, described and checked", time.perf_counter() - start, "s")


if __name__ == "__main__":
    main(__doc__, measure)
