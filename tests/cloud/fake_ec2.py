"""EC2 as moto plays it, in a process of its own, and something before it that fails on demand; all over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

# It says where it is, and is there until its standard input ends: also when the tests are killed.
_MOTO = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
server.stop()
"""


@contextmanager
def moto_server() -> Iterator[str]:
    """Start moto, and give its URL."""
    # Amazon's own images are many, and read again after each reset; it takes any other as well.
    environment = {**os.environ, "MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}
    command = [sys.executable, "-c", _MOTO]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            host, port = process.stdout.readline().split()
            yield f"http://{host}:{port}"
        finally:
            process.stdin.close()
            process.wait(30)


@dataclass
class Call:
    """A call that came by: its parameters, and the headers and body it came with."""

    action: str
    params: dict[str, str]
    headers: dict[str, str]
    path: str
    body: bytes


@dataclass
class Fault:
    """What happens to a call: it is answered by this, or not carried out, or carried out and its answer is lost.

    A status of 0 closes the connection without an answer; `hang` leaves it open, and says nothing; `location` is where
    an answer sends the caller to. One that is `answered` gets the server's own answer; `then` is called when all that
    was done.
    """

    status: int = 0
    body: str = ""
    done: bool = False
    hang: bool = False
    location: str = ""
    answered: bool = False
    then: Callable[[], None] = lambda: None


@dataclass
class Between:
    """Stands before a server: passes on what comes, remembers it, and fails what it is told to."""

    to: str
    calls: list[Call] = field(default_factory=list)
    fault: Callable[[Call], Fault | None] = lambda call: None
    over: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def actions(self) -> list[str]:
        """The actions of the calls so far."""
        return [call.action for call in self.calls]

    @contextmanager
    def failing(self, fault: Callable[[Call], Fault | None]) -> Iterator[None]:
        """Have calls go wrong meanwhile."""
        self.fault = fault
        try:
            yield
        finally:
            self.fault = lambda call: None

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        params = dict(parse_qsl(body.decode(), keep_blank_values=True))
        call = Call(params.get("Action", ""), params, dict(handler.headers), handler.path, body)
        self.calls.append(call)
        fault = self.fault(call) or Fault(done=True, answered=True)
        status, answer = self.pass_on(call) if fault.done else (0, b"")
        if not fault.answered:
            status, answer = fault.status, fault.body.encode()
        if status:
            handler.send_response(status)
            handler.send_header("Content-Type", "text/xml")
            if fault.location:
                handler.send_header("Location", fault.location)
            handler.send_header("Content-Length", str(len(answer)))
            handler.end_headers()
            handler.wfile.write(answer)
        fault.then()
        if fault.hang:
            self.over.wait()
        if not status:
            handler.close_connection = True

    def pass_on(self, call: Call) -> tuple[int, bytes]:
        """Have the server carry a call out, and return its answer."""
        headers = {name: value for name, value in call.headers.items() if name.lower() != "accept-encoding"}
        return posted(self.to + call.path, call.body, headers)


def posted(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """Send something to the server itself, by no proxy."""
    request = urllib.request.Request(url, body, headers, method="POST")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@contextmanager
def standing_before(to: str) -> Iterator[Between]:
    between = Between(to)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or each answer waits 40 ms for the acknowledgement of its head

        def do_POST(self):
            between.answer(self)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    between.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield between
    finally:
        between.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
