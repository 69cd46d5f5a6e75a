"""What is compiled is compiled before the first test, which has only so long for each of its examples."""

from __future__ import annotations

import pytest

from dynamo.alerts.match import warm


@pytest.fixture(scope="session", autouse=True)
def _warm():
    warm()
