"""A Dask graph of the shape of `noops.layers`: ``dask_graph.py COUNT``; prints the seconds it takes."""

import json
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
    print(json.dumps({"build": spent}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
