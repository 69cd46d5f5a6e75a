"""Every engine that comes with dynamo passes the suite that engines of others are held to."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from dynamo.testing import CHECKS

ENGINES = ("local", "docker", "htcondor")


@pytest.fixture(scope="module")
def begun(make_bench):
    """Begin all checks of an engine at one time, which is a test of its own; return what becomes of them."""
    with ThreadPoolExecutor(len(CHECKS)) as threads:
        known: dict[str, dict[str, Future[None]]] = {}

        def begin(engine):
            if engine not in known:
                bench = make_bench(engine)
                known[engine] = {name: threads.submit(check, bench) for name, check in CHECKS.items()}
            return known[engine]

        yield begin


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_engine_holds(engine, check, begun):
    """Products, records, failures, reuse and interruption are the same on every engine."""
    begun(engine)[check].result()
