"""No-op tasks under dask.distributed: ``dask_tasks.py wide|chain|first COUNT``; prints seconds a task."""

import json
import sys
import time

from dask.distributed import Client, LocalCluster


def nothing(_before, _n):
    """Do nothing."""


def clock():
    """Return when this runs, Unix seconds."""
    return time.time()


def main(shape, count):
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        first = client.submit(clock).result()
        client.gather([client.submit(nothing, None, -n, pure=False) for n in range(1, 9)])
        start = time.perf_counter()
        if shape == "wide":
            client.gather(client.map(nothing, [None] * count, range(count), pure=False))
        elif shape == "chain":
            future = None
            for n in range(count):
                future = client.submit(nothing, future, n, pure=False)
            future.result()
        spent = time.perf_counter() - start
    print(json.dumps({"per_task": spent / max(count, 1), "first": first}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
