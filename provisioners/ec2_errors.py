"""What EC2 refuses, told as what `dynamo.fleet.refusals` names; no text of it shows a credential or user data.

Source of the codes: Error codes for the Amazon EC2 API, https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from dynamo.fleet.refusals import (
    AuthError,
    BadRequestError,
    GoneError,
    NoCapacityError,
    OutcomeUnknownError,
    ProviderError,
    QuotaError,
    ThrottledError,
    UnavailableError,
    caused_by,
)

__all__ = ["CODES", "Ec2Answer", "changes", "hide", "kind_of", "not_reached", "refusal", "unanswered"]

#: Codes that do not follow a rule of `kind_of`, by what they mean.
CODES: dict[type[ProviderError], frozenset[str]] = {
    QuotaError: frozenset(
        {
            "LimitExceededException",
            "MaxConfigLimitExceededException",
            "MaxSpotFleetRequestCountExceeded",
            "MaxSpotInstanceCountExceeded",
            "ResourceCountExceeded",
            "ServiceQuotaExceededException",
        }
    ),
    NoCapacityError: frozenset(
        {
            "CapacityNotAvailable",
            "InsufficientAddressCapacity",
            "InsufficientCapacity",
            "InsufficientCapacityOnHost",
            "InsufficientFreeAddressesInSubnet",
            "InsufficientHostCapacity",
            "InsufficientInstanceCapacity",
            "InsufficientReservedInstanceCapacity",
            "InsufficientVolumeCapacity",
            "ReservationCapacityExceeded",
            "SpotMaxPriceTooLow",
            "UnfulfillableCapacity",
        }
    ),
    ThrottledError: frozenset(
        {
            "BandwidthLimitExceeded",
            "ConcurrentTagAccess",
            "EC2ThrottledException",
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "SlowDown",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
        }
    ),
    AuthError: frozenset(
        {
            "AccessDenied",
            "AccessDeniedException",
            "AuthFailure",
            "Blocked",
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "MissingAuthenticationToken",
            "NotAuthorized",
            "OptInRequired",
            "PendingVerification",
            "RequestExpired",
            "SignatureDoesNotMatch",
            "UnauthorizedOperation",
            "UnrecognizedClientException",
        }
    ),
    # Something hangs on it that will be gone in a while; or it is there already, and was not listed yet: nothing was
    # done, and what is asked again later goes through.
    UnavailableError: frozenset(
        {
            "DependencyViolation",
            "IncorrectInstanceState",
            "IncorrectState",
            "InvalidGroup.Duplicate",
            "InvalidGroup.InUse",
            "InvalidNetworkInterface.InUse",
            "InvalidPermission.Duplicate",
            "Resource.AlreadyAssociated",
            "ResourceInUse",
            "RouteAlreadyExists",
            "Unavailable",
        }
    ),
    BadRequestError: frozenset({"TagLimitExceeded"}),
}
_KINDS = {code: kind for kind, codes in CODES.items() for code in codes}

_CLOCK = {"RequestExpired", "SignatureDoesNotMatch", "AuthFailure"}
_LONGEST = 300


class Ec2Answer(Exception):
    """An answer of EC2 that is no success: its HTTP status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code)
        self.status = status
        self.code = code
        self.message = message


def changes(action: str) -> bool:
    """Whether a call changes something: one whose answer is lost leaves it unknown what."""
    return not action.startswith("Describe")


def kind_of(answer: Ec2Answer, action: str) -> type[ProviderError]:
    """Return what an answer means.

    >>> kind_of(Ec2Answer(400, "VcpuLimitExceeded", ""), "RunInstances").__name__
    'QuotaError'
    >>> kind_of(Ec2Answer(400, "InvalidInstanceID.NotFound", ""), "DescribeInstances").__name__
    'GoneError'
    """
    code = answer.code
    if code in _KINDS:
        return _KINDS[code]
    if code.endswith("LimitExceeded"):
        return QuotaError
    if code.endswith((".NotFound", ".Malformed", "IDMalformed", "NotFoundException")):
        # What an order names must be there; of anything else it is the answer that it is not.
        return BadRequestError if action == "RunInstances" else GoneError
    return _by_status(answer.status, action)


def _by_status(status: int, action: str) -> type[ProviderError]:
    if status in {401, 403}:
        return AuthError
    if status == 429:
        return ThrottledError
    if 400 <= status < 500:
        return BadRequestError
    # Of an answer such as "internal error", or of one of a gateway before EC2, nobody knows what was done before it.
    return OutcomeUnknownError if changes(action) else UnavailableError


def refusal(answer: Ec2Answer, action: str, where: str, secrets: Iterable[str] = ()) -> ProviderError:
    """Return the error to raise for an answer; `secrets` do not stand in it."""
    kind = kind_of(answer, action)
    code = hide(answer.code, secrets) or f"HTTP status {answer.status}"
    said = f"{where} answered {code} to {action}"
    if kind is AuthError:  # its message may repeat what was signed, or hold a coded copy of the whole request
        clock = "; see also whether the clock of this machine is right" if answer.code in _CLOCK else ""
        return AuthError(f"{said}: the credentials are wrong, or may not do this{clock}")
    message = " ".join(hide(answer.message, secrets).split())[:_LONGEST]
    said += f": {message}" if message else ""
    if kind is OutcomeUnknownError:
        said += "; whether it was done, only the listing tells"
    return kind(said)


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return a text with each secret in it replaced, also where it is written as in a URL.

    >>> hide("no key AB/C= (AB%2FC%3D)", ["AB/C="])
    'no key *** (***)'
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        for form in (secret, quote(secret, safe=""), quote_plus(secret), quote(secret)):
            text = text.replace(form, "***")
    return text


def not_reached(error: BaseException) -> bool:
    """Whether an error of the HTTP client is proof that the request was not sent: no connection was ever made."""
    import ssl

    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    return caused_by(error, NewConnectionError, ConnectTimeoutError, ssl.SSLCertVerificationError)


def unanswered(error: BaseException, action: str, where: str) -> ProviderError:
    """Return the error to raise for a call that got no answer, or one that cannot be read."""
    if not_reached(error):
        return UnavailableError(f"{where} cannot be reached ({_short(error)}); nothing was done")
    if changes(action):
        return OutcomeUnknownError(
            f"{where} did not answer {action} ({_short(error)}); whether it was done, only the listing tells"
        )
    return UnavailableError(f"{where} did not answer {action} ({_short(error)})")


def _short(error: BaseException) -> str:
    """Say what kind of error it is: its own text may hold the request."""
    words = {"ReadTimeout": "no answer in time", "ConnectTimeout": "no connection in time"}
    return words.get(type(error).__name__, type(error).__name__)
