"""A Dask graph of the shape of `noops.layers`: ``dask_graph.py COUNT``; prints seconds and peak memory (MB)."""

import json
import resource
import sys
import time

import dask
from dask.base import collections_to_expr
from dask.order import order


@dask.delayed
def follow(before, n):
    """Do nothing."""


def main(count):
    start = time.perf_counter()
    first = follow(None, -1)
    last = [follow(follow(follow(first, n), n), n) for n in range((count - 1) // 3)]
    graph = collections_to_expr(last).optimize(fuse=False).__dask_graph__()
    assert len(order(dict(graph))) >= 3 * len(last)
    spent = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    print(json.dumps({"build": spent, "peak": peak}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
