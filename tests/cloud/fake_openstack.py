"""A small OpenStack over real HTTP: Keystone, Nova, Neutron, Glance and Blazar behind one port, as devstack has them.

Answers have the shapes of the API references, errors those of each service. Nothing happens by itself: a server stays
in BUILD until the test says otherwise, a token is good until the test has it expire. What goes wrong is asked for:
an answer with a status, a hang, a connection that is cut before or after the work is done.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from tests.cloud.fake_openstack_blazar import Blazar
from tests.cloud.fake_openstack_glance import Glance
from tests.cloud.fake_openstack_neutron import Neutron
from tests.cloud.fake_openstack_nova import Nova
from tests.cloud.fake_openstack_parts import Answer, Failure, Request

PASSWORD = "pa55word-of-the-operator"
SECRET = "s3cret-of-the-application"
REGION = "CHI@TACC"
PROJECT = "6f70656e737461636b20342065766572"


@dataclass
class Fault:
    """What goes wrong with calls whose ``METHOD /service/path`` matches `calls`.

    ``status`` answers so and does nothing; ``cut`` closes the connection; ``hang`` does not answer until the fault is
    over; ``-after`` does the work first. `skip` lets so many calls through, `times` says with how many it happens.
    """

    calls: str
    how: Literal["status", "cut", "cut-after", "hang", "hang-after"] = "status"
    status: int = 503
    body: Any = ""
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 10**6
    skip: int = 0
    over: threading.Event = field(default_factory=threading.Event)


class FakeOpenStack:
    """The cloud: its services, the calls that were made of it, and what is to go wrong."""

    def __init__(self) -> None:
        self.tokens: set[str] = set()
        self.issued: list[str] = []
        self.calls: list[str] = []
        self.bodies: list[Any] = []
        self.faults: list[Fault] = []
        self.regions = [REGION]
        self.services = {"compute", "network", "image", "reservation"}
        self.lock = threading.RLock()
        self.neutron = Neutron(PROJECT)
        self.blazar = Blazar(PROJECT)
        self.glance = Glance()
        self.nova = Nova(self, PROJECT)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Stop, and let go what hangs."""
        for fault in self.faults:
            fault.over.set()
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def failing(self, calls: str, **how: Any) -> Iterator[Fault]:
        """Have calls fail as a `Fault` says, for as long as the context lasts."""
        fault = Fault(calls, **how)
        self.faults.append(fault)
        try:
            yield fault
        finally:
            fault.over.set()
            self.faults.remove(fault)

    def expire_tokens(self) -> None:
        """Have no token be good any more, whatever it says itself."""
        self.tokens.clear()

    def fault_for(self, called: str) -> Fault | None:
        """Return what goes wrong with a call, and count it."""
        for fault in self.faults:
            if fault.times > 0 and re.search(fault.calls, called):
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def answer(self, request: Request) -> Answer:
        """Do what a request asks for."""
        with self.lock:
            if request.service == "identity":
                return self._token(request)
            if request.headers.get("X-Auth-Token") not in self.tokens:
                return Answer(401, _keystone(401, "The request you have made requires authentication."))
            service = {
                "compute": self.nova.answer,
                "network": self.neutron.answer,
                "image": self.glance.answer,
                "reservation": self.blazar.answer,
            }[request.service]
            try:
                return service(request)
            except Failure as failure:
                return failure.answer

    def _token(self, request: Request) -> Answer:
        if (request.method, request.path) != ("POST", "/v3/auth/tokens"):
            return Answer(404, _keystone(404, "The resource could not be found."))
        if not _known(request.body["auth"]):
            return Answer(401, _keystone(401, "The request you have made requires authentication."))
        token = f"gAAAAAB-{uuid.uuid4().hex}"
        self.tokens.add(token)
        self.issued.append(token)
        body = {
            "token": {
                "methods": request.body["auth"]["identity"]["methods"],
                "expires_at": "2099-01-01T00:00:00.000000Z",
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "user": {"domain": {"id": "default", "name": "Default"}, "id": "u1", "name": "radar"},
                "project": {"domain": {"id": "default", "name": "Default"}, "id": PROJECT, "name": "CH-1"},
                "roles": [{"id": "r1", "name": "member"}],
                "catalog": self._catalog(),
            }
        }
        return Answer(201, body, {"X-Subject-Token": token})

    def _catalog(self) -> list[dict[str, Any]]:
        paths = {
            "compute": "/compute/v2.1",
            "network": "/network",
            "image": "/image",
            "reservation": "/reservation/v1",
        }
        return [
            {
                "type": kind,
                "name": f"the {kind} service",
                "id": uuid.uuid4().hex,
                "endpoints": [
                    {
                        "id": uuid.uuid4().hex,
                        "interface": interface,
                        "region": region,
                        "region_id": region,
                        "url": url,
                    }
                    for region in self.regions
                    for interface, url in (("admin", "http://127.0.0.1:9"), ("public", self.url + path))
                ],
            }
            for kind, path in paths.items()
            if kind in self.services
        ]


def _keystone(code: int, message: str) -> dict[str, Any]:
    return {
        "error": {"code": code, "message": message, "title": "Unauthorized" if code == 401 else "Not Found"}
    }


def _known(auth: dict[str, Any]) -> bool:
    """Whether these are the credentials of the one user there is."""
    identity = auth["identity"]
    if identity["methods"] == ["password"]:
        user, scope = identity["password"]["user"], auth["scope"]["project"]
        who = user == {"name": "radar", "domain": user.get("domain"), "password": PASSWORD}
        where = scope in ({"id": PROJECT}, {"name": "CH-1", "domain": scope.get("domain")})
        default = ({"id": "default"}, {"name": "Default"})
        return who and where and user.get("domain") in default and scope.get("domain", default[0]) in default
    asked = identity["application_credential"]
    named = {"id": "ac1"}, {"name": "fleet", "user": {"name": "radar", "domain": {"name": "Default"}}}
    return "scope" not in auth and asked in [{**one, "secret": SECRET} for one in named]


def _handler(cloud: FakeOpenStack) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body go together, so that nobody waits for an acknowledgement
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def _serve(self) -> None:
            url = urlsplit(self.path)
            _, service, *rest = url.path.split("/")
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            query = {key: values[-1] for key, values in parse_qs(url.query).items()}
            request = Request(
                self.command, service, "/" + "/".join(rest), query, body, dict(self.headers), cloud.url
            )
            called = f"{self.command} {url.path}"
            with cloud.lock:
                cloud.calls.append(called)
                cloud.bodies.append(body)
                fault = cloud.fault_for(called)
            if fault is None:
                return self._send(cloud.answer(request))
            if fault.how.endswith("-after"):
                cloud.answer(request)
            if fault.how.startswith("hang"):
                fault.over.wait(60)
            if fault.how != "status":
                self.close_connection = True
                return None
            return self._send(Answer(fault.status, fault.body, fault.headers))

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - names of http.server

        def _send(self, answer: Answer) -> None:
            html = isinstance(answer.body, str)
            sent = (
                answer.body.encode()
                if html
                else json.dumps(answer.body).encode()
                if answer.body is not None
                else b""
            )
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "text/html" if html else "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

    return Handler
