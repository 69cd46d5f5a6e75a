"""Conformance suites: what a part of your own must hold to work with dynamo; the built-in parts pass them too.

Call them from your own tests; they raise `AssertionError` that says what does not hold.
"""

from __future__ import annotations

from dynamo.testing.bench import Bench, Ended
from dynamo.testing.cloud import Cloud, CloudProvider, Fault, cloud_driver
from dynamo.testing.engines import (
    CHECKS,
    check_failures,
    check_interrupted,
    check_lost_worker,
    check_products,
    check_reuse,
)
from dynamo.testing.pool import MemoryJob, MemoryPool
from dynamo.testing.providers import PROVIDER_CHECKS, ProviderBench
from dynamo.testing.readers import check_grid, check_reader

__all__ = [
    "CHECKS",
    "PROVIDER_CHECKS",
    "Bench",
    "Cloud",
    "CloudProvider",
    "Ended",
    "Fault",
    "MemoryJob",
    "MemoryPool",
    "ProviderBench",
    "check_failures",
    "check_grid",
    "check_interrupted",
    "check_lost_worker",
    "check_products",
    "check_reader",
    "check_reuse",
    "cloud_driver",
]
