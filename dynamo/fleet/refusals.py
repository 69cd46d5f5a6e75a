"""Why a provider did not do what it was asked; every provider maps its cloud's own errors to these.

::

    ProviderError               exit code 3
    ├── QuotaError              the account may not have more: this offering rests, the next one is tried
    ├── NoCapacityError         the cloud has none of this offering now: the same
    ├── BadRequestError         the cloud takes the request for wrong; you must act (2)
    ├── AuthError               the credentials are wrong or may not do this; you must act (2)
    ├── ThrottledError          too many calls: tried again later
    ├── GoneError               there is no such machine or network (any more)
    ├── OutcomeUnknownError     nobody knows whether it was done: the listing will tell
    └── UnavailableError        the cloud did not answer, and nothing was done
        └── NotBegunError       nobody came to ask it: too many calls were before
"""

from __future__ import annotations

from dynamo.errors import InfrastructureError

__all__ = [
    "AuthError",
    "BadRequestError",
    "GoneError",
    "NoCapacityError",
    "NotBegunError",
    "OutcomeUnknownError",
    "ProviderError",
    "QuotaError",
    "ThrottledError",
    "UnavailableError",
    "caused_by",
]


class ProviderError(InfrastructureError):
    """A cloud did not do what it was asked."""


class QuotaError(ProviderError):
    """The account may not have more of this."""


class NoCapacityError(ProviderError):
    """The cloud has none of this offering now."""


class BadRequestError(ProviderError):
    """The cloud takes the request for wrong: an image, a size or a network that it does not know."""

    exit_code = 2


class AuthError(ProviderError):
    """The credentials are wrong, or may not do this."""

    exit_code = 2


class ThrottledError(ProviderError):
    """The cloud had too many calls of this account; nothing was done."""


class GoneError(ProviderError):
    """There is no such machine or network, or not any more."""


class OutcomeUnknownError(ProviderError):
    """The call was sent, and nobody knows whether it was done: only the listing can tell."""


class UnavailableError(ProviderError):
    """The cloud did not answer, or failed, and nothing was done."""


class NotBegunError(UnavailableError):
    """The cloud was not asked: other calls of it took too long. It says nothing of the cloud."""


def caused_by(error: BaseException, *kinds: type[BaseException]) -> bool:
    """Whether an error of such a kind is among those that led to this one, also as an argument or a named reason.

    >>> caused_by(OSError("no", TimeoutError()), TimeoutError)
    True
    """
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        if isinstance(one, kinds):
            return True
        seen.add(id(one))
        waiting += [getattr(one, "reason", None), getattr(one, "original_error", None), *one.args]
        waiting += [one.__cause__, one.__context__]
    return False
