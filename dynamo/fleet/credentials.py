"""Credentials of clouds: named in a slice, found where it says, and shown nowhere.

A slice holds no secret. It says where one is:

``env:PREFIX``
    In environment variables that begin with ``PREFIX_``: ``env:AWS`` finds ``AWS_ACCESS_KEY_ID``, as ``access_key_id``.
``profile:NAME``
    In a section of the shared configuration of AWS (``~/.aws/credentials``, or ``AWS_SHARED_CREDENTIALS_FILE``).
``cloud:NAME``
    In a cloud of OpenStack's ``clouds.yaml`` (here, in ``~/.config/openstack`` or ``/etc/openstack``, or where
    ``OS_CLIENT_CONFIG_FILE`` says), with what its ``auth`` holds.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dynamo.errors import UserError

__all__ = ["FORMS", "Credentials", "find_credentials"]

#: How credentials may be named.
FORMS = ("env:PREFIX", "profile:NAME", "cloud:NAME")


class Credentials(Mapping[str, str]):
    """Names and values that are not shown by ``repr`` or ``str``, nor written anywhere."""

    def __init__(self, values: Mapping[str, str] | None = None, source: str = "") -> None:
        self._values = dict(values or {})
        self.source = source

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Credentials({self.source or 'none'}: {', '.join(sorted(self._values)) or 'empty'})"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("credentials are not written anywhere")

    def need(self, *names: str) -> tuple[str, ...]:
        """Return these values; raises `UserError` that says which are missing, and where they were looked for."""
        missing = [name for name in names if not self._values.get(name)]
        if missing:
            raise UserError(f"no {', '.join(missing)} in the credentials {self.source or '(none are named)'}")
        return tuple(self._values[name] for name in names)


def find_credentials(named: str) -> Credentials:
    """Return the credentials that a slice names; raises `UserError` where there are none, or not in that form."""
    kind, _, name = named.partition(":")
    find = {"env": _environment, "profile": _profile, "cloud": _cloud}.get(kind)
    if find is None or not name:
        raise UserError(
            f"credentials are named as {', '.join(FORMS)}: {_hidden(named)} is none of these, and a slice holds no "
            "secret itself"
        )
    return Credentials(find(name), named)


def _hidden(named: str) -> str:
    """Show so much of what may well be a secret that it is found again."""
    return repr(named if len(named) <= 6 else f"{named[:3]}...")


def _environment(prefix: str) -> dict[str, str]:
    begin = f"{prefix}_"
    found = {
        name.removeprefix(begin).lower(): value
        for name, value in os.environ.items()
        if name.startswith(begin) and value
    }
    if not found:
        raise UserError(f"no credentials: no environment variable begins with {begin}")
    return found


def _profile(name: str) -> dict[str, str]:
    path = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws" / "credentials")
    read = configparser.RawConfigParser()
    try:
        if not read.read(path):
            raise UserError(f"no credentials: there is no file {path}")
    except configparser.Error:  # its message shows the line, which may hold the secret
        raise UserError(f"{path} cannot be read as AWS writes it: sections with name = value") from None
    if not read.has_section(name):
        raise UserError(f"no credentials: {path} has no section [{name}]")
    return {key.removeprefix("aws_"): value for key, value in read.items(name) if value is not None}


def _cloud(name: str) -> dict[str, str]:
    import yaml

    places = [os.environ.get("OS_CLIENT_CONFIG_FILE"), "clouds.yaml"]
    places += [str(Path.home() / ".config/openstack/clouds.yaml"), "/etc/openstack/clouds.yaml"]
    path = next((Path(one) for one in places if one and Path(one).is_file()), None)
    if path is None:
        raise UserError(
            "no credentials: there is no clouds.yaml here, in ~/.config/openstack or /etc/openstack"
        )
    try:
        clouds: Any = yaml.safe_load(path.read_text("utf-8"))
        found = clouds["clouds"][name]
        values = {key: found[key] for key in found if key != "auth"} | dict(found.get("auth") or {})
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError):
        raise UserError(f"no credentials: {path} has no cloud {name!r} below `clouds`") from None
    return {key: str(value) for key, value in values.items() if isinstance(value, (str, int))}
