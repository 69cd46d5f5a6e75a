"""Why a pool did not do as it was asked, in words that say who must act. Pure, but for reading our own tokens."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["expired", "refusal"]


#: Words of HTCondor for who does not know us, for a schedd that is not there, or not the one that it was, and for who
#: does not answer; it often uses the last for the first.
_DENIED = ("AUTHENTICATE", "DENIED", "SECMAN", "AUTHORIZATION", "TOKEN")
_GONE = ("CEDAR:6001", "SESSION ID", "RESUME SESSION", "PERFORMING ACTION")
_SILENT = ("CONNECT", "LOCATE", "COLLECTOR", "COMMUNICAT", "TIMED OUT", "FAILED TO FETCH")


def refusal(what: str, error: str, tokens: str, *, reached: bool = False, now: float | None = None) -> str:
    """Return the message for `error`, HTCondor's own text, met in trying to do `what`.

    `tokens` is the folder of our tokens, where one that has expired may lie; `reached` tells whether something answers
    at the address of the pool.
    """
    first = next((line.strip() for line in error.splitlines() if line.strip()), "no reason given")
    text = error.upper()
    denied, silent = (any(word in text for word in words) for words in (_DENIED, _SILENT))
    if any(words in text for words in _GONE):
        cause = "its schedd does not answer: it is down, or has just been started anew"
    elif denied or (silent and reached):
        cause = _credentials(tokens, time.time() if now is None else now)
    elif silent:
        cause = (
            "the pool does not answer: is it up, and is its address right (`engine: {pool: ..., schedd: ...}` of a "
            "run file, `pool` of a slice, CONDOR_HOST)? `dynamo pool up` starts one on this machine"
        )
    else:
        cause = "ask the pool's administrator; the schedd's own log says more"
    return f"cannot {what}: {cause} ({first})"


def _credentials(tokens: str, now: float) -> str:
    """Say what is wrong with our tokens, or may be."""
    old = list(expired(tokens, now))
    if old:
        return f"your token {old[0]} has expired: ask the pool's administrator for a new one (condor_token_create)"
    if tokens and not any(_files(tokens)):
        return f"there is no token in {tokens}: ask the pool's administrator for one (condor_token_create)"
    return (
        f"the pool does not know us, or does not let us: check the token in {tokens or 'your tokens folder'}, "
        "and ask the pool's administrator whether it is for this pool and may submit"
    )


def _files(folder: str) -> Iterator[Path]:
    place = Path(folder).expanduser()
    try:
        yield from sorted(p for p in place.iterdir() if p.is_file())
    except OSError:
        return


def expired(folder: str, now: float) -> Iterator[str]:
    """Yield the paths of the tokens (JSON Web Tokens, RFC 7519) in a folder whose time is over."""
    for path in _files(folder) if folder else ():
        try:
            lines = path.read_text().split()
        except (OSError, ValueError):
            continue
        if any(_until(line, now + 1) < now for line in lines):
            yield str(path)


def _until(token: str, otherwise: float) -> float:
    """Return the Unix time at which a token expires; `otherwise` where it never does, or is none."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return float(claims.get("exp", otherwise))
    except (ValueError, TypeError, IndexError, AttributeError):
        return otherwise
