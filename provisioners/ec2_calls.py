"""Calls of the EC2 API: signed and sent by Apache Libcloud's connection, with time limits and without blind retries.

Libcloud's own driver sends each call as a GET, so user data would stand in URLs, and with them in the logs of proxies
and of the HTTP client; and its listing stops at the first page. So calls are made here, over its connection.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit
from xml.etree import ElementTree as ET

from dynamo.provisioners.ec2_errors import Ec2Answer, refusal, unanswered
from libcloud.common.aws import AWSRequestSignerAlgorithmV4
from libcloud.compute.drivers.ec2 import API_VERSION, BaseEC2NodeDriver, EC2Connection, EC2Response
from libcloud.http import LibcloudConnection
from urllib3.exceptions import HTTPError

from dynamo.errors import UserError
from dynamo.fleet.machine import Tags
from dynamo.fleet.refusals import ProviderError

__all__ = ["Calls", "by_tags", "filters", "flat", "tagged", "tags_of"]

#: As many as the shortest of the listings may have on a page.
_PAGE = 100


class _Wire(LibcloudConnection):
    """Sends one request, and follows nobody elsewhere with it."""

    session: Any = None
    host: Any = None

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        raw: bool = False,  # noqa: ARG002
        stream: bool = False,
        hooks: Any = None,  # noqa: ARG002
    ) -> None:
        # Without an `auth` of its own, requests would put what ~/.netrc says in the place of the signature.
        self.session.auth = _as_signed
        self.response = self.session.request(
            method=method,
            url=urljoin(self.host, url),
            data=body,
            headers=headers,
            allow_redirects=False,
            stream=stream,
            verify=self.verification,
            timeout=self.session.timeout,
        )


def _as_signed(request: Any) -> Any:
    return request


class _Response(EC2Response):
    """An answer: XML whose names are read without their namespace, which not all who speak EC2 write alike."""

    def parse_body(self) -> ET.Element:
        root = ET.fromstring(str(self.body))  # noqa: S314 - from the cloud that is trusted with machines
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root

    def parse_error(self) -> str:
        code = message = ""
        try:
            root = self.parse_body()
            code, message = root.findtext(".//Code") or "", root.findtext(".//Message") or ""
        except ET.ParseError:
            pass  # a page of some gateway before EC2
        raise Ec2Answer(int(self.status), code.strip(), message)


class _Signer(AWSRequestSignerAlgorithmV4):
    """Signs as libcloud does, but not what proxies may change; and by a clock that Python will keep."""

    def get_request_headers(
        self, params: Any, headers: Any, method: str = "GET", path: str = "/", data: Any = None
    ) -> tuple[Any, Any]:
        now = datetime.now(UTC)
        headers["X-AMZ-Date"] = now.strftime("%Y%m%dT%H%M%SZ")
        headers["X-AMZ-Content-SHA256"] = self._get_payload_hash(method, data)  # type: ignore[no-untyped-call]
        signed = {name: value for name, value in headers.items() if name != "User-Agent"}
        headers["Authorization"] = self._get_authorization_v4_header(  # type: ignore[no-untyped-call]
            params=params, headers=signed, dt=now, method=method, path=path, data=data
        )
        return params, headers


class _Connection(EC2Connection):
    responseCls = _Response  # noqa: N815 - libcloud's name
    conn_class = _Wire

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)  # type: ignore[no-untyped-call]
        signer: Any = _Signer(self.user_id, self.key, self.version, self)  # type: ignore[no-untyped-call]
        self.signer = signer


class _Cloud(BaseEC2NodeDriver):
    """Libcloud's driver, for a region that it need not know: EC2 opens new ones."""

    name = "Amazon EC2"
    connectionCls = _Connection  # noqa: N815
    signature_version = "4"

    def __init__(self, key: str, secret: str, token: str | None, region: str, **where: Any) -> None:
        self.region_name = region
        self.token = token or None
        super().__init__(key, secret, **where)  # type: ignore[no-untyped-call]


class Calls:
    """Calls of one region by one account.

    Parameters
    ----------
    keys
        Access key, its secret, and the session token or an empty text.
    region
        Where.
    endpoint
        URL of something else that speaks EC2; empty for Amazon's of the region.
    connect, read
        Seconds that are waited for a connection, and for an answer.
    """

    def __init__(
        self,
        keys: tuple[str, str, str],
        region: str,
        endpoint: str = "",
        connect: float = 5.0,
        read: float = 30.0,
    ) -> None:
        self.region = region
        self._secrets = tuple(filter(None, keys))
        host, port, secure = _place(endpoint or f"https://ec2.{region}.{_domain(region)}")
        self.where = f"EC2 in {region}" if not endpoint else f"EC2 at {host}:{port}"
        cloud = _Cloud(*keys, region=region, host=host, port=port, secure=secure, timeout=(connect, read))
        self._connection: Any = cloud.connection

    def __repr__(self) -> str:
        return f"Calls({self.where})"

    def ask(self, action: str, params: Mapping[str, str]) -> ET.Element:
        """Make one call; raises `Ec2Answer` where that is no success, so that its code can be looked at."""
        body = urlencode({"Action": action, "Version": API_VERSION, **params})
        try:
            answer = self._connection.request(
                "/",
                method="POST",
                data=body,
                headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
                retry_failed=False,
            )
        except (OSError, HTTPError, HTTPException, ValueError, ET.ParseError) as error:
            failed = unanswered(error, action, self.where)
        else:
            if isinstance(answer.object, ET.Element):
                return answer.object
            failed = unanswered(ValueError("empty"), action, self.where)
        # Not raised where the error was caught: what that one holds on to has the request, with all that is in it.
        raise failed

    def call(self, action: str, params: Mapping[str, str]) -> ET.Element:
        """Make one call; raises what `dynamo.fleet.refusals` names."""
        try:
            return self.ask(action, params)
        except Ec2Answer as answer:
            failed = self.refused(answer, action, params)
        raise failed

    def refused(self, answer: Ec2Answer, action: str, params: Mapping[str, str]) -> ProviderError:
        """Return what an answer is told as."""
        return refusal(answer, action, self.where, [*self._secrets, *_told(params.get("UserData", ""))])

    def pages(self, action: str, params: Mapping[str, str], items: str) -> Iterator[ET.Element]:
        """Yield the elements at the path `items` of all pages of a listing."""
        token = ""
        while True:
            more = {"NextToken": token} if token else {}
            root = self.call(action, {**params, "MaxResults": str(_PAGE), **more})
            yield from root.iterfind(items)
            token = (root.findtext("nextToken") or "").strip()
            if not token:
                return


def _told(user_data: str) -> list[str]:
    """Return user data as it was sent, as it was meant, and each line of it that may hold a secret."""
    if not user_data:
        return []
    plain = base64.b64decode(user_data).decode("utf-8", "replace")
    return [user_data, plain, *(line.strip() for line in plain.splitlines() if len(line.strip()) > 8)]


def _domain(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def _place(endpoint: str) -> tuple[str, int, bool]:
    """Return host, port and whether it is by TLS; raises `UserError` where the text is no such URL."""
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.path.strip("/"):
        raise UserError("the `endpoint` of a provider is a URL as https://ec2.us-east-2.amazonaws.com")
    secure = parts.scheme == "https"
    return parts.hostname, port or (443 if secure else 80), secure


def flat(name: str, values: Sequence[str]) -> dict[str, str]:
    """Return a list as EC2 is told it.

    >>> flat("InstanceId", ["i-1", "i-2"])
    {'InstanceId.1': 'i-1', 'InstanceId.2': 'i-2'}
    """
    return {f"{name}.{n}": value for n, value in enumerate(values, 1)}


def filters(wanted: Mapping[str, str | Sequence[str]]) -> dict[str, str]:
    """Return filters as EC2 is told them.

    >>> filters({"vpc-id": "vpc-1"})
    {'Filter.1.Name': 'vpc-id', 'Filter.1.Value.1': 'vpc-1'}
    """
    made: dict[str, str] = {}
    for n, (name, values) in enumerate(wanted.items(), 1):
        made[f"Filter.{n}.Name"] = name
        made |= flat(f"Filter.{n}.Value", [values] if isinstance(values, str) else values)
    return made


def by_tags(
    slice_: str, token: str = "", more: Mapping[str, str | Sequence[str]] | None = None
) -> dict[str, str]:
    """Return the filters that find what is of a slice, or of one order of it."""
    wanted = {"tag:dynamo-slice": _exactly(slice_)} | ({"tag:dynamo-token": _exactly(token)} if token else {})
    return filters({**wanted, **(more or {})})


def _exactly(text: str) -> str:
    """Write a text so that a filter takes none of it for a wildcard."""
    return "".join(f"\\{one}" if one in "*?\\" else one for one in text)


def tagged(kinds: Sequence[str], tags: Tags, name: str) -> dict[str, str]:
    """Return what has a call tag all that it makes in the same moment."""
    made: dict[str, str] = {}
    for n, kind in enumerate(kinds, 1):
        made[f"TagSpecification.{n}.ResourceType"] = kind
        for m, (key, value) in enumerate({"Name": name, **tags.written()}.items(), 1):
            made |= {f"TagSpecification.{n}.Tag.{m}.Key": key, f"TagSpecification.{n}.Tag.{m}.Value": value}
    return made


def tags_of(element: ET.Element) -> dict[str, str]:
    """Return the tags of a machine, network or whatever EC2 lists."""
    return {one.findtext("key") or "": one.findtext("value") or "" for one in element.iterfind("tagSet/item")}
