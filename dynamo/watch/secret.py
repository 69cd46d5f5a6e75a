"""Secrets that a run file names: read where they are, never shown."""

from __future__ import annotations

import os
from pathlib import Path

from dynamo.errors import UserError
from dynamo.runfile.paths import under

__all__ = ["read_secret"]


def read_secret(reference: str, base: Path) -> str:
    """Return what ``env:NAME`` or ``file:PATH`` (relative to `base`) holds.

    Raises
    ------
    UserError
        It is not there, or empty.
    """
    kind, _, where = reference.partition(":")
    if kind == "env":
        found = os.environ.get(where, "").strip()
        if not found:
            wrong = "is empty" if where in os.environ else "is not set"
            raise UserError(f"the environment variable {where} {wrong}; it should hold a secret")
        return found
    path = under(base, where)
    try:
        found = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UserError(f"the secret in {path} cannot be read: {reason}") from None
    if not found:
        raise UserError(f"the file {path} is empty; it should hold a secret")
    return found
