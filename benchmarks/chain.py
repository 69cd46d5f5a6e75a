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
        "Parsl, threads in one process": figure(
            measured("parsl_tasks.py", "threads", "chain", small), "per_task", 1000
        )
    }
    for name, shape in (("chain", noops.chain), ("fan", noops.fan)):
        graphs = {n: shape(n) for n in (small, large)}
        cpu = {n: spent(g, inline=True, clock=time.process_time) / n for n, g in graphs.items()}
        for n, graph in graphs.items():
            raced = threads | peers if name == "chain" and n == small else {}
            per = 1000 * spent(graph, inline=False) / n
            yield Row(f"{name} of {n:,}, 2 worker processes", per, "ms/task", None, raced, tuple(peers))
        yield Row(
            f"{name}, inline: CPU of a task among {large:,} over one among {small:,}",
            cpu[large] / cpu[small],
            "times",
            note=f"1 is linear; {1000 * cpu[small]:.2f} and {1000 * cpu[large]:.2f} ms",
        )
    start = time.perf_counter()
    deep = noops.chain(2 * large)
    yield Row(f"chain of {len(deep.tasks):,}, described and checked", time.perf_counter() - start, "s")


if __name__ == "__main__":
    main(__doc__, measure)
