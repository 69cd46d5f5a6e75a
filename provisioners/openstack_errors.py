"""What OpenStack's services and the network say went wrong, told as what `dynamo.fleet.refusals` names.

Each service has a form of error of its own: Nova ``{"forbidden": {"code": 403, "message": ...}}``, Keystone and Glance
``{"error": {"message": ...}}``, Neutron ``{"NeutronError": {"type": ..., "message": ...}}``, Blazar
``{"error_code": 404, "error_message": ...}``, and proxies before them HTML. What a service shows of a request that it
takes for wrong (Nova shows user data) is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import requests
from libcloud.common.exceptions import BaseHTTPError

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
)

__all__ = ["Refused", "no_room", "plain", "told"]

_LONGEST = 300
#: What Nova shows of a request ends its message; a word as long as this may be what must not be shown.
_SHOWN = re.compile(r"[.:]? Value: .*", re.DOTALL)
_LONG_WORD = re.compile(r"[^\s'\"]{48,}")
_MARKUP = re.compile(r"<[^>]*>")

_NO_HOST = re.compile(
    r"no valid host|not enough (hosts?|resources)|no more hosts|insufficient .*resource", re.IGNORECASE
)
_QUOTA = re.compile(r"quota", re.IGNORECASE)
#: Conflicts (409) that no waiting mends.
_WRONG = re.compile(r"multiple possible networks|overlap|not supported by", re.IGNORECASE)

_ACT = {
    AuthError: "see that the credentials are right and may do this",
    BadRequestError: "see what the slice asks for",
    QuotaError: "give something back, or ask the cloud for a higher quota",
    ThrottledError: "it is tried again later",
    UnavailableError: "it is tried again later",
    OutcomeUnknownError: "the listing will tell",
    NoCapacityError: "the next offer is tried",
}


def no_room(said: str) -> bool:
    """Whether a fault says that the cloud has none of these left, or none for us: Nova finds that out after the order.

    >>> no_room("No valid host was found. There are not enough hosts available.")
    True
    """
    return bool(_NO_HOST.search(said) or _QUOTA.search(said))


class Refused(BaseHTTPError):
    """A service of OpenStack answered with an error; Libcloud knows it as one of its own.

    Parameters
    ----------
    code, body, headers
        Of the answer, headers in lower case.
    """

    def __init__(self, code: int, body: str, headers: Mapping[str, str]) -> None:
        kind, text = _text(body)
        super().__init__(code, text)  # type: ignore[no-untyped-call]
        self.code: int = code
        self.kind = kind
        self.text = text
        self.retry_after = headers.get("retry-after", "")


def _text(body: str) -> tuple[str, str]:
    """Return what kind of error a service names, if it does, and its message."""
    try:
        read: Any = json.loads(body)
    except ValueError:
        return "", _MARKUP.sub(" ", body)
    if not isinstance(read, dict):
        return "", ""
    if "error_message" in read:
        return "", str(read["error_message"])
    inner = next(iter(read.values()), None)
    if isinstance(inner, dict):
        return str(inner.get("type") or ""), str(inner.get("message") or "")
    return "", str(read.get("message") or inner or "")


def plain(text: str, hidden: Iterable[str] = ()) -> str:
    """Return a message of a service on one line, cut, and without what it may show of the request.

    >>> plain("Invalid input for field/attribute user_data. Value: I2Nsb3Vk. 'I2Nsb3Vk' is too long")
    'Invalid input for field/attribute user_data'
    """
    for secret in hidden:
        if secret:
            text = text.replace(secret, "(hidden)")
    text = _LONG_WORD.sub("(left out)", _SHOWN.sub("", text))
    text = " ".join(text.split()).rstrip(".")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def told(error: Exception, what: str, *, reading: bool, hidden: Iterable[str] = ()) -> ProviderError:
    """Return a failed call as what it is for the fleet.

    Parameters
    ----------
    error
        What the call raised.
    what
        What was called, for the message: ``"chameleon (Nova): POST /servers"``.
    reading
        Whether the call only reads: then it is never unknown whether it was done.
    hidden
        Texts that no message may show.
    """
    if isinstance(error, Refused):
        kind, says = _refused(error, reading=reading)
    else:
        kind, says = _broken(error, reading=reading)
    says = plain(says, hidden)
    act = _ACT.get(kind)
    return kind(f"{what}: {says or 'it gives no reason'}{f'; {act}' if act else ''}")


def _refused(error: Refused, *, reading: bool) -> tuple[type[ProviderError], str]:
    code, text = error.code, error.text
    says = f"{code} {text}".strip()
    if code in {413, 429} and not _QUOTA.search(text):
        return ThrottledError, f"too many calls{_after(error)}: {says}"
    if error.kind == "OverQuota" or (code in {403, 409, 413, 429} and _QUOTA.search(text)):
        return QuotaError, says
    if not reading and _NO_HOST.search(text):
        return NoCapacityError, says
    if code in {401, 403}:
        return AuthError, says
    if code == 404:
        return GoneError, says
    if code == 409 and not _WRONG.search(text):
        return UnavailableError, f"in use, or busy: {says}"
    if 300 <= code < 500:
        return BadRequestError, says
    if code == 503 or reading:
        return UnavailableError, says
    return OutcomeUnknownError, f"nobody knows whether it was done: {says}"


def _after(error: Refused) -> str:
    return f" (it asks for a pause of {error.retry_after} s)" if error.retry_after.isdigit() else ""


def _broken(error: Exception, *, reading: bool) -> tuple[type[ProviderError], str]:
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return UnavailableError, "its certificate is not trusted; `cacert` in clouds.yaml names the authority"
    if isinstance(error, requests.exceptions.ConnectTimeout) or _not_connected(error):
        return UnavailableError, "no connection to it"
    if isinstance(error, requests.exceptions.Timeout):
        says = "no answer in time"
    elif isinstance(error, requests.exceptions.RequestException):
        says = "the connection broke"
    else:
        says = "what it answered cannot be read"
    if reading:
        return UnavailableError, says
    return OutcomeUnknownError, f"nobody knows whether it was done: {says}"


def _not_connected(error: Exception) -> bool:
    """Whether nothing was sent: no such host, refused, no route. It stands in what `requests` wraps."""
    from urllib3.exceptions import NewConnectionError

    inner = error.args[0] if error.args else None
    return isinstance(getattr(inner, "reason", inner), NewConnectionError)
