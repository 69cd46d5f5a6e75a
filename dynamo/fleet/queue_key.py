"""Keys of the queues of access points that the fleet started, by which it reads them.

An access point checks a token (IDTOKEN) by the key that it was signed with. The pool's own key would let its superuser
be anybody in the pool, so each gets a key that is good there alone, and that nothing is kept of: it follows from its
name and from a secret of the workspace. The form of key and token is that of HTCondor 25 (``condor_auth_passwd.cpp``,
``generate_token``): a token is a JWT, signed with what HKDF makes of the key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

from dynamo.errors import InfrastructureError

__all__ = ["KEY", "QueueKeys"]

#: What the key is called on each access point: the name of a file there.
KEY = "queue"
#: Seconds that a token is good for: it is made anew whenever a queue is read.
_LIFETIME = 600
#: What HTCondor covers the file of a key with, so that nobody reads it by chance.
_COVER = bytes.fromhex("deadbeef")


class QueueKeys:
    """Makes the keys, and tokens that are good for reading.

    Raises `InfrastructureError` where the secret cannot be kept.

    Parameters
    ----------
    folder
        Where the secret is kept, in a file that its owner alone can read; made where there is none.
    domain
        The pool's domain of trust.
    """

    def __init__(self, folder: Path, domain: str) -> None:
        self._secret = _kept(folder / "queues.key")
        self._domain = domain

    def file(self, name: str) -> str:
        """Return what the file of an access point's key holds, in base64."""
        covered = bytes(one ^ _COVER[at % len(_COVER)] for at, one in enumerate(self._key(name)))
        return base64.b64encode(covered).decode()

    def token(self, name: str, now: float) -> str:
        """Return a token with which the queue of an access point can be read, and nothing else be done."""
        claims = {
            "sub": f"fleet@{self._domain}",
            "iss": self._domain,
            "iat": int(now) - 60,  # its clock may be behind
            "exp": int(now) + _LIFETIME,
            "jti": secrets.token_hex(16),
            "scope": "condor:/READ",
        }
        text = ".".join(_part(json.dumps(one).encode()) for one in ({"alg": "HS256", "kid": KEY}, claims))
        return f"{text}.{_part(_mac(_derived(self._key(name)), text.encode()))}"

    def _key(self, name: str) -> bytes:
        """Return the key of an access point: letters, since HTCondor takes it for a text."""
        return _mac(self._secret, f"queue of {name}".encode()).hex().encode()


def _kept(file: Path) -> bytes:
    """Return the secret of a file; one is made where there is none, and of two that do so at once, one counts."""
    try:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            new = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(secrets.token_bytes(32))
            with suppress(FileExistsError):
                os.link(new, file)
            new.unlink()
        return file.read_bytes()
    except OSError as error:
        raise InfrastructureError(f"cannot keep the key of queues in {file}: {error.strerror}") from error


def _derived(key: bytes) -> bytes:
    """Return what tokens are signed with: HKDF (RFC 5869) of a key, of one block."""
    return _mac(_mac(b"htcondor", key), b"master jwt\x01")


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, hashlib.sha256)


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
