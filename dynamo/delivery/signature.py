"""Signatures of webhooks, after Standard Webhooks: what is sent, and when, by whoever knows the secret.

A body enters, headers leave; or both enter, and whether they belong together leaves. Several secrets may be valid
at a time, so that one can be replaced without a gap. Goes wrong: a secret that is none (`UserError`).

Source: https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md, symmetric signatures (v1).
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence

from dynamo.errors import UserError

__all__ = ["TOLERANCE", "Secret", "sign", "verify"]

PREFIX = "whsec_"
#: Seconds by which the clocks of sender and receiver may differ, and a request may be under way.
TOLERANCE = 300.0


class Secret:
    """A key that sender and receiver share: ``whsec_`` and base64. Never shown.

    Raises
    ------
    UserError
        The text is no such secret; it is not repeated in the message.
    """

    __slots__ = ("_key",)

    def __init__(self, text: str) -> None:
        if not text.startswith(PREFIX):
            raise UserError(f"a webhook secret begins with {PREFIX!r} (then base64); this one does not")
        said = text.removeprefix(PREFIX).strip()
        try:
            self._key = b64decode(said + "=" * (-len(said) % 4), validate=True)
        except (binascii.Error, ValueError):
            # Without `from`: the cause would show a part of the secret in a traceback.
            raise UserError(
                f"a webhook secret is {PREFIX!r} and base64; what follows is not base64"
            ) from None
        if not self._key:
            raise UserError(f"a webhook secret holds nothing after {PREFIX!r}")

    def __repr__(self) -> str:
        return f"Secret({PREFIX}...)"

    def sign(self, message: str, timestamp: int, body: bytes) -> str:
        """Return the signature, ``v1,<base64 of HMAC-SHA256>``, of a body sent at `timestamp` (Unix seconds)."""
        signed = f"{message}.{timestamp}.".encode() + body
        return "v1," + b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()


def sign(secrets: Sequence[Secret], message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a webhook with the id `message`; without secrets it is not signed."""
    headers = {"webhook-id": message, "webhook-timestamp": str(timestamp)}
    if secrets:
        headers["webhook-signature"] = " ".join(s.sign(message, timestamp, body) for s in secrets)
    return headers


def verify(secrets: Sequence[Secret], headers: Mapping[str, str], body: bytes, now: float) -> str:
    """Return why a webhook is not to be believed, or an empty text.

    Parameters
    ----------
    secrets
        Any of them may have signed it.
    headers
        Of the request, with names in lower case, or a mapping that does not care.
    body
        As it came, byte by byte.
    now
        Unix seconds; the webhook must have been sent within `TOLERANCE` seconds of it.
    """
    message, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    said = headers.get("webhook-signature", "")
    if not (message and at and said):
        return "it is not signed: webhook-id, webhook-timestamp or webhook-signature is missing"
    if not (at.isascii() and at.isdigit() and len(at) < 16):
        return "its webhook-timestamp is no number of seconds"
    if abs(now - int(at)) > TOLERANCE:
        return f"its webhook-timestamp is more than {TOLERANCE:.0f} s away from the time here"
    given = [part.encode("utf-8", "surrogateescape") for part in said.split(" ")]
    wanted = [secret.sign(message, int(at), body).encode() for secret in secrets]
    # All are compared, each in constant time: how long it takes tells nothing.
    alike = [hmac.compare_digest(g, w) for g in given for w in wanted]
    if any(alike):
        return ""
    return "its signature was made with another secret, or it was changed on its way"
