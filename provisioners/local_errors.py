"""What the system of this machine refuses, told as what `dynamo.fleet.refusals` names."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from dynamo.fleet.refusals import AuthError, NoCapacityError, ProviderError, UnavailableError

__all__ = ["refusals"]

#: Of a disk, a memory or a table of processes that is full.
_FULL = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOLCK}
)
_CLOSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextmanager
def refusals(what: str) -> Iterator[None]:
    """Raise errors of the system as a provider's; `what` was asked of it."""
    try:
        yield
    except ProviderError:
        raise
    except OSError as error:
        raise _told(what, error) from error
    except (subprocess.SubprocessError, psutil.Error) as error:
        raise UnavailableError(f"this machine fails to {what}: {type(error).__name__}") from error


def _told(what: str, error: OSError) -> ProviderError:
    place = f" ({error.filename})" if error.filename else ""
    text = f"this machine refuses to {what}: {error.strerror}{place}"
    if error.errno in _FULL:
        return NoCapacityError(text)
    if error.errno in _CLOSED:
        return AuthError(f"{text}; see that who runs the fleet may write there")
    return UnavailableError(text)
