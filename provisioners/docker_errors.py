"""What Docker refuses, told as what `dynamo.fleet.refusals` names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dynamo.errors import UserError
from dynamo.fleet.refusals import (
    AuthError,
    BadRequestError,
    GoneError,
    NoCapacityError,
    OutcomeUnknownError,
    ProviderError,
    ThrottledError,
    UnavailableError,
    caused_by,
)

__all__ = ["refusals", "status_of"]

#: What stands in an error of 500 where the machine below has nothing left to give.
_FULL = (
    "no space left",
    "cannot allocate memory",
    "no available",
    "exhausted",
    "too many open files",
    "resource temporarily",
)
#: Of a request that Docker takes for wrong, whatever its status.
_WRONG = ("overlaps", "invalid", "range of cpus", "minimum memory limit")
_BUSY = ("active endpoints", "is in use")


@contextmanager
def refusals(what: str, *, changes: bool) -> Iterator[None]:
    """Raise Docker's errors as a provider's; `what` was asked, and `changes` something where it was done."""
    try:
        import docker
        import requests
    except ImportError:
        raise UserError(
            "the driver docker needs the Docker bindings for Python: pip install 'dynamo-weather[docker]'"
        ) from None
    try:
        yield
    except docker.errors.APIError as error:
        raise _answered(what, error) from error
    except docker.errors.DockerException as error:
        raise _silent(what, error, changes=False) from error
    except (requests.exceptions.RequestException, OSError) as error:
        raise _silent(what, error, changes=changes) from error


def status_of(error: Exception) -> int:
    """Return the status of HTTP that Docker answered with; 0 where it did not answer."""
    response = getattr(error, "response", None)
    return int(getattr(response, "status_code", 0) or 0)


def _answered(what: str, error: Exception) -> ProviderError:
    said = str(getattr(error, "explanation", "") or error)
    text = f"Docker refuses to {what}: {said}"
    small = said.lower()
    if "overlaps" in small:
        text += (
            "; some other network has these addresses (docker network ls), and Docker itself gives out those of "
            "172.16.0.0/12 and 192.168.0.0/16: take others, as of 10.0.0.0/8"
        )
    status = status_of(error)
    if status in {401, 403} and not any(word in small for word in (*_WRONG, *_BUSY)):
        return AuthError(f"{text}; see that you may use this Docker")
    if any(word in small for word in _BUSY):
        return UnavailableError(text)
    if any(word in small for word in _WRONG):
        return BadRequestError(text)
    if any(word in small for word in _FULL):
        return NoCapacityError(text)
    if status == 429:
        return ThrottledError(text)
    if "no such image" in small:
        return BadRequestError(f"{text}; dynamo pool build makes the image of workers")
    if "no such container" in small or (status == 404 and "network" not in small):
        return GoneError(text)
    return BadRequestError(text) if 400 <= status < 500 else UnavailableError(text)


def _silent(what: str, error: Exception, *, changes: bool) -> ProviderError:
    """Tell of a Docker that did not answer: where it was never reached, nothing was done."""
    if caused_by(error, PermissionError):
        return AuthError(
            f"Docker cannot be asked to {what}: its socket is closed to this user, who must join the group docker"
        )
    if caused_by(error, FileNotFoundError, ConnectionRefusedError):
        return UnavailableError(
            f"Docker cannot be asked to {what}: none runs there; start it, or mend DOCKER_HOST or its `host`"
        )
    kind = OutcomeUnknownError if changes else UnavailableError
    return kind(f"Docker did not answer when asked to {what} ({type(error).__name__})")
