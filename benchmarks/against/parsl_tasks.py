"""No-op tasks under Parsl: ``parsl_tasks.py threads|processes wide|chain|first COUNT``; prints seconds a task."""

import json
import logging
import sys
import time

import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor, ThreadPoolExecutor
from parsl.providers import LocalProvider


@parsl.python_app
def nothing(_before, _n):
    """Do nothing."""


@parsl.python_app
def clock():
    """Return when this runs, Unix seconds."""
    import time

    return time.time()


def executor(kind):
    if kind == "threads":
        return ThreadPoolExecutor(max_threads=2)
    return HighThroughputExecutor(
        address="127.0.0.1",
        max_workers_per_node=2,
        cores_per_worker=1,
        provider=LocalProvider(init_blocks=1, min_blocks=1, max_blocks=1),
    )


def main(kind, shape, count):
    logging.disable(logging.CRITICAL)
    with parsl.load(Config(executors=[executor(kind)], strategy="none", initialize_logging=False)):
        first = clock().result()
        for future in [nothing(None, n) for n in range(8)]:
            future.result()
        start = time.perf_counter()
        if shape == "wide":
            for future in [nothing(None, n) for n in range(count)]:
                future.result()
        elif shape == "chain":
            future = None
            for n in range(count):
                future = nothing(future, n)
            future.result()
        spent = time.perf_counter() - start
    print(json.dumps({"per_task": spent / max(count, 1), "first": first}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
