"""No-op tasks under Parsl: ``parsl_tasks.py KIND wide|chain|first COUNT``; prints seconds a task.

KIND is ``threads``, ``processes``, or ``recorded``: threads that record each task as it ends, so that a later run
need not do it again (Parsl's checkpoints).
"""

import json
import logging
import sys
import tempfile
import time

import parsl
from parsl.config import Config
from parsl.dataflow.memoization import BasicMemoizer
from parsl.executors import HighThroughputExecutor, ThreadPoolExecutor
from parsl.providers import LocalProvider


@parsl.python_app
def nothing(_before, _n):
    """Do nothing."""


@parsl.python_app(cache=True)
def recorded(_before, _n):
    """Do nothing, once."""


@parsl.python_app
def clock():
    """Return when this runs, Unix seconds."""
    import time

    return time.time()


def executor(kind):
    if kind != "processes":
        return ThreadPoolExecutor(max_threads=2)
    return HighThroughputExecutor(
        address="127.0.0.1",
        max_workers_per_node=2,
        cores_per_worker=1,
        provider=LocalProvider(init_blocks=1, min_blocks=1, max_blocks=1),
    )


def main(kind, shape, count):
    logging.disable(logging.CRITICAL)
    task, mode = (recorded, "task_exit") if kind == "recorded" else (nothing, None)
    config = Config(
        executors=[executor(kind)],
        strategy="none",
        initialize_logging=False,
        memoizer=BasicMemoizer(checkpoint_mode=mode),
        run_dir=tempfile.mkdtemp(),
    )
    with parsl.load(config):
        first = clock().result()
        for future in [task(None, -n) for n in range(1, 9)]:
            future.result()
        start = time.perf_counter()
        if shape == "wide":
            for future in [task(None, n) for n in range(count)]:
                future.result()
        elif shape == "chain":
            future = None
            for n in range(count):
                future = task(future, n)
            future.result()
        spent = time.perf_counter() - start
    print(json.dumps({"per_task": spent / max(count, 1), "first": first}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
