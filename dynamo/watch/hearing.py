"""Hearing: descriptors that wake who sleeps in an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

__all__ = ["hearing"]


@contextmanager
def hearing(descriptors: Sequence[int], changed: asyncio.Event) -> Iterator[None]:
    """Take each of these that becomes readable for a change."""
    loop = asyncio.get_running_loop()
    for descriptor in descriptors:
        loop.add_reader(descriptor, changed.set)
    try:
        yield
    finally:
        for descriptor in descriptors:
            loop.remove_reader(descriptor)
