"""How an OpenStack cloud is reached: Keystone's token, and the services that its catalog names.

Libcloud carries the calls. Three things of it are done here in another way: one token serves all services (Libcloud
fetches one for each), the domains of user and project may be named by name or id, and a service is found by its type
(Libcloud wants its name too, which clouds choose).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dynamo.provisioners.openstack_errors import Refused
from libcloud.common.openstack_identity import (
    OpenStackIdentity_3_0_Connection,
    OpenStackIdentityTokenScope,
)
from libcloud.compute.drivers.openstack import OpenStack_1_1_Response, OpenStack_2_Connection

from dynamo.errors import UserError
from dynamo.fleet.credentials import Credentials
from dynamo.fleet.provider import ProviderSettings
from dynamo.fleet.refusals import BadRequestError

__all__ = ["TIME_LIMITS", "Identity", "Reach", "Service", "reach"]

#: Seconds to connect, and to wait for each part of an answer.
TIME_LIMITS = (10.0, 60.0)
#: A token that ends within this time is not used any more.
_SPARE = timedelta(seconds=60)
_VERSION = re.compile(r"/v\d+(\.\d+)?(/[0-9a-f-]+)?$")
#: What a service's URL ends in where the catalog gives it without.
_VERSIONS = {"image": "/v2", "network": "/v2.0", "reservation": "/v1"}


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a cloud is, and who asks.

    Parameters
    ----------
    name
        What the slice calls it.
    source
        Where the credentials are from.
    auth_url
        Keystone, without version.
    auth
        What Keystone is told.
    region, interface, cacert
        Which of the services in its catalog; the authority that signs their certificates, where it is not a known one.
    hidden
        Texts that no message may show.
    """

    name: str
    source: str
    auth_url: str
    auth: Mapping[str, Any] = field(repr=False)
    region: str = ""
    interface: str = "public"
    cacert: str = ""
    hidden: tuple[str, ...] = field(default=(), repr=False)


def reach(settings: ProviderSettings) -> Reach:
    """Return how a provider is reached; raises `UserError` where its credentials do not do."""
    given = settings.credentials
    (auth_url,) = given.need("auth_url")
    if not auth_url.startswith(("https://", "http://")):
        raise UserError(f"auth_url of the credentials {given.source} is no URL: it begins with https://")
    if given.get("verify", "True").lower() in {"false", "no", "0"}:
        raise UserError(f"{given.source} says verify: false: name the authority with `cacert` instead")
    secrets = ("password", "application_credential_secret")
    return Reach(
        name=settings.name,
        source=given.source,
        auth_url=_VERSION.sub("", auth_url.rstrip("/")),
        auth=_auth(given),
        region=settings.region or given.get("region_name", ""),
        interface=given.get("interface", "public").removesuffix("URL"),
        cacert=given.get("cacert", ""),
        hidden=tuple(given[name] for name in secrets if given.get(name)),
    )


def _auth(given: Credentials) -> dict[str, Any]:
    """Return what Keystone is told, by an application credential or by password."""
    if given.get("application_credential_id") or given.get("application_credential_name"):
        return {"identity": _application(given)}
    (password,) = given.need("password")
    user = {**_named(given, "user", "user_id", "username"), "password": password}
    project = _named(given, "project", "project_id", "project_name")
    if "name" in project and not (given.get("project_domain_name") or given.get("project_domain_id")):
        project["domain"] = user.get("domain") or {"id": "default"}
    return {
        "identity": {"methods": ["password"], "password": {"user": user}},
        "scope": {"project": project},
    }


def _application(given: Credentials) -> dict[str, Any]:
    (secret,) = given.need("application_credential_secret")
    if given.get("application_credential_id"):
        which: dict[str, Any] = {"id": given["application_credential_id"]}
    else:  # its name says whose it is, too
        user = _named(given, "user", "user_id", "username")
        which = {"name": given["application_credential_name"], "user": user}
    return {"methods": ["application_credential"], "application_credential": {**which, "secret": secret}}


def _named(given: Credentials, what: str, id_: str, name: str) -> dict[str, Any]:
    """Return a user or project by its id, or by its name and domain."""
    if given.get(id_):
        return {"id": given[id_]}
    if what == "project" and not given.get(name) and given.get("tenant_name"):
        name = "tenant_name"
    (called,) = given.need(name)
    domain = {
        key: given[f"{what}_domain_{key}"] for key in ("id", "name") if given.get(f"{what}_domain_{key}")
    }
    return {"name": called, "domain": domain or {"id": "default"}}


class Answer(OpenStack_1_1_Response):
    """An answer of any of the services; an error is raised as `Refused`."""

    def parse_error(self) -> str:
        """Raise `Refused`; Libcloud's own reading of errors fails for those of Blazar and Neutron."""
        raise Refused(int(self.status), str(self.body or ""), self.headers)


class _Once:
    """In the place of Libcloud's retries, which a variable of the environment turns on even for orders."""

    def __init__(self, **_: object) -> None:
        pass

    def __call__(self, call: Callable[..., Any]) -> Callable[..., Any]:
        return call


class Identity(OpenStackIdentity_3_0_Connection):
    """Keystone: one token for all services of one provider."""

    responseCls = Answer  # type: ignore[assignment]  # noqa: N815 - Libcloud's name
    retryCls = _Once  # type: ignore[assignment]  # noqa: N815

    def __init__(self, where: Reach, limits: tuple[float, float]) -> None:
        self._reach = where
        super().__init__(  # type: ignore[no-untyped-call]
            auth_url=where.auth_url,
            user_id="",
            key="",
            token_scope=OpenStackIdentityTokenScope.UNSCOPED,
            timeout=limits,
        )

    def connect(self, *args: Any, **kwargs: Any) -> None:
        """Connect, trusting the authority that the credentials name."""
        super().connect(*args, **kwargs)  # type: ignore[no-untyped-call]
        _trust(self.connection, self._reach)

    def is_token_valid(self) -> bool:
        """Whether there is a token that serves for a while."""
        return bool(
            self.auth_token
            and self.auth_token_expires
            and self.auth_token_expires > datetime.now(UTC) + _SPARE
        )

    def _get_auth_data(self) -> dict[str, Any]:
        return {"auth": dict(self._reach.auth)}

    def endpoint(self, kind: str) -> str:
        """Return the URL of a service; raises `BadRequestError` where the catalog has none of it in the region."""
        catalog: Any = self.urls or []
        points = [
            point
            for entry in catalog
            if entry.get("type") == kind
            for point in entry.get("endpoints", ())
            if point.get("interface") == self._reach.interface
        ]
        regions = sorted({str(point.get("region") or point.get("region_id") or "") for point in points})
        region = self._reach.region or (regions[0] if len(regions) == 1 else "")
        for point in points:
            if region in {point.get("region"), point.get("region_id")}:
                url = str(point["url"]).rstrip("/")
                return url if _VERSION.search(url) else url + _VERSIONS.get(kind, "")
        known = (
            f"it has it in {', '.join(regions)}: name one of these as `region`" if regions else "it has none"
        )
        raise BadRequestError(
            f"{self._reach.name}: the catalog of Keystone names no service `{kind}` in the region "
            f"{self._reach.region or '(none is named)'}; {known}"
        )


class Service(OpenStack_2_Connection):
    """Nova, Neutron, Glance or Blazar: whichever the catalog names for a type of service."""

    responseCls = Answer  # noqa: N815
    retryCls = _Once  # type: ignore[assignment]  # noqa: N815

    def __init__(self, kind: str, identity: Identity, where: Reach, limits: tuple[float, float]) -> None:
        self.service_type = kind
        self._identity = identity
        self._reach = where
        super().__init__(  # type: ignore[no-untyped-call]
            "", "", timeout=limits, ex_force_auth_url=where.auth_url, ex_force_auth_version="3.x_password"
        )

    def connect(self, *args: Any, **kwargs: Any) -> None:
        """Connect, trusting the authority that the credentials name."""
        super().connect(*args, **kwargs)  # type: ignore[no-untyped-call]
        _trust(self.connection, self._reach)

    def get_auth_class(self) -> Identity:
        """Return Keystone as it is reached; a token that it refuses is forgotten there."""
        return self._identity

    def sign_in(self) -> None:
        """See that there is a token, and where the service is."""
        self._identity.authenticate()  # type: ignore[no-untyped-call]
        self.auth_token = str(self._identity.auth_token)
        self._set_up_connection_info(url=self._identity.endpoint(self.service_type))  # type: ignore[no-untyped-call]

    def _populate_hosts_and_request_paths(self) -> None:
        """Do nothing: `sign_in` has, and a failure of it is not one of the call that comes after."""


def _trust(connection: Any, where: Reach) -> None:
    if where.cacert:
        connection.ca_cert = where.cacert
