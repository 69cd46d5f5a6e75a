"""Clouds to try providers on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cloud.ec2_use import settings
from tests.cloud.fake_ec2 import Between, moto_server, posted, standing_before


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The URL of moto's EC2, in a process of its own."""
    with moto_server() as url:
        yield url


@pytest.fixture
def between(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Between]:
    """Something before moto, which is empty, that fails on demand."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    posted(f"{moto}/moto-api/reset", b"", {})
    with standing_before(moto) as made:
        yield made


@pytest.fixture
def cloud(between: Between):
    """The provider of EC2, through what fails on demand."""
    from dynamo.provisioners.ec2 import connect

    return connect(settings(between.url))
