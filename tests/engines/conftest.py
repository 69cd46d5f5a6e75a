"""Benches: every engine that comes with dynamo, ready for the conformance suite; a real Docker and a real pool."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from dynamo.testing import Bench, Ended


def _here(folder, arguments):
    done = subprocess.run(
        [sys.executable, "-m", "dynamo.cli", *arguments],
        cwd=folder, check=False, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="session")
def make_bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Bench]:
    """Make the bench of an engine; what it needs is started with the first that needs it."""

    def make(engine: str) -> Bench:
        local: dict[str, Any] = {"name": "local", "cores": 2}
        if engine == "htcondor":
            pool = request.getfixturevalue("pool")

            def afar(folder, arguments):
                done = pool.dynamo(folder, *arguments)
                return Ended(done.returncode, done.stdout + done.stderr)

            return Bench(pool.folder("conformance"), "htcondor", afar)
        folder = tmp_path_factory.mktemp(engine)
        if engine == "docker":
            image = request.getfixturevalue("worker_image")
            return Bench(folder, {**local, "container": "docker"}, _here, {"default": image})
        return Bench(folder, local, _here)

    return make
