"""Calls of an OpenStack cloud, each with its time limits and its failures told apart."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from dynamo.provisioners.openstack_errors import Refused, told
from dynamo.provisioners.openstack_keystone import TIME_LIMITS, Identity, Reach, Service

from dynamo.fleet.refusals import (
    BadRequestError,
    GoneError,
    OutcomeUnknownError,
    ProviderError,
    UnavailableError,
)

__all__ = ["Calls"]

#: Names of services in messages.
_NAMES = {"compute": "Nova", "network": "Neutron", "image": "Glance", "reservation": "Blazar"}
#: How many are asked for at a time; a cloud may give fewer, and says where the next begin.
PAGE = 200
#: How often a listing begins anew because what its page ended with is gone.
_LISTINGS = 3
_UNAUTHORIZED = 401
_ID = re.compile(r"[\w.-]+")


class Calls:
    """The services of one cloud; an object serves one thread.

    Parameters
    ----------
    reach
        Where it is, and who asks.
    limits
        Seconds to connect, and to wait for each part of an answer.
    """

    def __init__(self, reach: Reach, limits: tuple[float, float] = TIME_LIMITS) -> None:
        self.reach = reach
        self._identity = Identity(reach, limits)
        self._services = {kind: Service(kind, self._identity, reach, limits) for kind in _NAMES}

    def get(self, kind: str, path: str, params: Mapping[str, str | int] | None = None) -> dict[str, Any]:
        """Read; raises `GoneError` where there is no such thing."""
        return self._call(kind, "GET", path, params=params)

    def one(self, kind: str, path: str, id_: str, key: str) -> dict[str, Any]:
        """Read one thing by its id; raises `GoneError` where there is none."""
        if not _ID.fullmatch(id_):
            raise GoneError(f"{self._named(kind)}: nothing has the id {id_!r}")
        found = self.get(kind, f"{path}/{id_}").get(key)
        if not isinstance(found, dict):
            raise UnavailableError(f"{self._named(kind)}: what it says of {path}/{id_} cannot be read")
        return found

    def make(self, kind: str, path: str, key: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Make something; one that names what is not there is a `BadRequestError`."""
        try:
            made = self._call(kind, "POST", path, data=data).get(key)
        except GoneError as error:
            raise BadRequestError(error.message) from None
        if not isinstance(made, dict) or "id" not in made:
            raise OutcomeUnknownError(
                f"{self._named(kind)}: POST {path}: it does not say what was made; the listing will tell"
            )
        return made

    def put(self, kind: str, path: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Change something."""
        return self._call(kind, "PUT", path, data=data)

    def delete(self, kind: str, path: str) -> None:
        """Take something away; what is gone already is no error."""
        try:
            self._call(kind, "DELETE", path)
        except GoneError:
            logging.getLogger(__name__).debug("%s was gone already", path)

    def has(self, kind: str) -> bool:
        """Whether the cloud has a service of a type."""
        try:
            self._sign_in(self._services[kind])
        except BadRequestError:
            return False
        return True

    def every(
        self, kind: str, path: str, key: str, params: Mapping[str, str | int] | None = None
    ) -> list[dict[str, Any]]:
        """Return all that a listing has, page after page: complete, or an error.

        A page begins after the last one of the page before. Where that one is gone by then, the service refuses the
        page, and the listing begins anew.
        """
        for _ in range(_LISTINGS):
            try:
                found = {
                    one["id"]: one for page in self._pages(kind, path, key, params or {}) for one in page
                }
            except BadRequestError as error:
                if "marker" not in error.message.lower():
                    raise
                continue
            return list(found.values())
        raise UnavailableError(f"{self._named(kind)}: the listing of {path} changes faster than it is read")

    def _pages(
        self, kind: str, path: str, key: str, params: Mapping[str, str | int]
    ) -> Iterator[list[dict[str, Any]]]:
        marker, seen = "", set[str]()
        while True:
            asked = {**params, "limit": PAGE} | ({"marker": marker} if marker else {})
            answer = self.get(kind, path, asked)
            if not isinstance(answer.get(key), list):
                raise UnavailableError(f"{self._named(kind)}: the listing of {path} cannot be read")
            yield answer[key]
            marker = _next_marker(answer, key)
            if not marker:
                return
            if marker in seen:
                raise UnavailableError(f"{self._named(kind)}: the listing of {path} has no end")
            seen.add(marker)

    def _call(
        self,
        kind: str,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        service = self._services[kind]
        self._sign_in(service)
        try:
            try:
                return _object(service, method, path, params, data)
            except Refused as error:
                if error.code != _UNAUTHORIZED:
                    raise
            self._sign_in(service)  # the token was forgotten; what is refused for it was not done
            return _object(service, method, path, params, data)
        except Exception as error:  # noqa: BLE001 - whatever Libcloud and requests raise
            what = f"{self._named(kind)}: {method} {path}"
            raise told(error, what, reading=method == "GET", hidden=self._hidden()) from None

    def _sign_in(self, service: Service) -> None:
        try:
            service.sign_in()
        except ProviderError:
            raise
        except Exception as error:  # noqa: BLE001
            what = f"{self.reach.name} (Keystone at {self.reach.auth_url}, credentials {self.reach.source})"
            refusal = told(error, what, reading=True, hidden=self._hidden())
            if isinstance(refusal, GoneError):
                refusal = BadRequestError(
                    f"{refusal.message}; auth_url is not that of a Keystone with version 3"
                )
            raise refusal from None

    def _hidden(self) -> tuple[str, ...]:
        return (*self.reach.hidden, str(self._identity.auth_token or ""))

    def _named(self, kind: str) -> str:
        return f"{self.reach.name} ({_NAMES[kind]})"


def _object(
    service: Service,
    method: str,
    path: str,
    params: Mapping[str, str | int] | None,
    data: Mapping[str, Any] | None,
) -> dict[str, Any]:
    answer = service.request(  # type: ignore[no-untyped-call]
        quote(path), method=method, params=dict(params or {}), data=dict(data) if data else ""
    ).object
    if answer is None and method == "DELETE":
        return {}
    if not isinstance(answer, dict):
        raise TypeError(f"{path} was answered with something else than JSON")
    return answer


def _next_marker(answer: Mapping[str, Any], key: str) -> str:
    """Return where the next page begins, empty at the end: Nova and Neutron have a list of links, Glance ``next``."""
    links = answer.get(f"{key}_links") or ()
    href = next(
        (str(link.get("href")) for link in links if link.get("rel") == "next"), answer.get("next") or ""
    )
    return next(iter(parse_qs(urlsplit(href).query).get("marker", ())), "")
