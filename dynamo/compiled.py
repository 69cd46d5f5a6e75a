"""Compiled: loops over arrays, by Numba, for what whole arrays of NumPy cannot say without many times the work.

Functions that are `compiled` are called by others that are, and in the end by one that is `kept`, which Python calls.
What that came to is written to disk for the next process (beside its file, or where `NUMBA_CACHE_DIR` says), and made
anew when its file changes: so all that it calls, and all constants, stand in that file. Where nothing can
be written a process compiles for itself, and where what was written cannot be read the next one writes it anew: that
takes some ten seconds. Goes wrong: what the function itself raises.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, TypeVar

import numba

__all__ = ["compiled", "kept"]

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F, *, cache: bool = False) -> F:
    """Return a function compiled; it divides as NumPy does, and runs beside other threads."""
    made: F = numba.njit(function, nogil=True, error_model="numpy", cache=cache)
    return made


def kept(function: F) -> F:
    """Return a function compiled and kept on disk; one that may be called again where it failed."""
    try:
        made = compiled(function, cache=True)
    except RuntimeError as error:  # neither the folder of its file nor that of the user can be written
        log.debug("each process compiles for itself: %s", error)
        return compiled(function)

    @wraps(function)
    def call(*given: Any) -> Any:
        nonlocal made
        try:
            return made(*given)
        except Exception as error:  # noqa: BLE001 - the disk is full, or a file is damaged, in whatever way
            again = compiled(function)
            result = again(*given)  # raises what is no fault of the disk
            log.warning(
                "compiled code cannot be kept in, or read from, %s (%s: %s); it was compiled once more",
                made.stats.cache_path,  # type: ignore[attr-defined]
                type(error).__name__,
                error,
            )
            with suppress(Exception):  # the next process writes it anew
                made._cache.flush()  # type: ignore[attr-defined]  # noqa: SLF001 - there is no other way
            made = again
            return result

    return call  # type: ignore[return-value]
