"""Whatever is wrong with a request to a watch is answered as problem details, by a real server."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import pytest
from aiohttp import web

from dynamo.watch.health import Health
from dynamo.watch.moves import Moves
from dynamo.watch.problems import problems, server_log


async def broken(_):
    """Answer as no handler should."""
    raise RuntimeError("oh")


async def large(request):
    """Read a body that is larger than aiohttp takes."""
    await request.read()


async def moved(_):
    """Answer with what is no fault."""
    raise web.HTTPFound("/elsewhere")


def ask(application, method, path, **more):
    """Ask a server once; return status, headers, and what is said."""

    async def main():
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
            async with (
                aiohttp.ClientSession() as client,
                client.request(method, url, allow_redirects=False, **more) as answer,
            ):
                said = await answer.json() if "json" in answer.content_type else {}
                return answer.status, answer.headers, said
        finally:
            await runner.cleanup()

    return asyncio.run(main())


@pytest.fixture
def application(tmp_path):
    """Makes the places of a watch, and some that are worse."""

    def made():
        application = web.Application(middlewares=[problems], client_max_size=1000)
        application.router.add_get("/healthz", moved)
        application.router.add_routes(Moves(tmp_path / "journal.db", list).routes())
        application.router.add_get("/broken", broken)
        application.router.add_post("/large", large)
        return application

    return made


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/healthz", "GET, HEAD"),
        ("GET", "/subscribers/car/position", "PUT"),
        ("PURGE", "/large", "POST"),
    ],
)
def test_a_method_that_is_not_taken_is_told_with_those_that_are(application, method, path, allowed):
    """405, with them in ``Allow`` and in words."""
    status, headers, said = ask(application(), method, path)
    assert (status, headers["Allow"], headers["Content-Type"]) == (405, allowed, "application/problem+json")
    detail = f"{path} takes {allowed}, not {method}"
    assert said == {"title": "Method Not Allowed", "status": 405, "detail": detail}


def test_a_place_that_there_is_not_is_told_with_those_that_there_are(application):
    """404; one that looks like a position's too."""
    for path in ("/", "/subscribers/car"):
        status, _, said = ask(application(), "GET", path)
        assert status == 404
        assert said["detail"].startswith(
            f"there is nothing at {path}; there are /healthz, /subscribers/{{id}}/position"
        )


def test_what_the_server_refuses_by_itself_is_a_problem_too(application):
    """A body that is larger than it takes."""
    status, _, said = ask(application(), "POST", "/large", data=b"x" * 5000)
    assert (status, said["title"]) == (413, "Request Entity Too Large")


def test_a_body_that_is_not_packed_as_it_says_is_a_problem_too(application):
    """It is the client's fault, not ours."""
    headers = {"Content-Encoding": "gzip"}
    status, _, said = ask(application(), "POST", "/large", data=b"not gzip", headers=headers)
    assert (status, said["title"]) == (400, "Bad Request")
    assert said["detail"].startswith("the body cannot be read: ")


def test_a_fault_of_ours_is_in_the_log_alone(application, caplog):
    """Who asked learns that it is none of his."""
    status, _, said = ask(application(), "GET", "/broken")
    assert (status, said["detail"]) == (500, "a fault of the watch; its log says more")
    assert "RuntimeError: oh" in caplog.text


def test_what_is_no_fault_stays(application):
    """A redirect."""
    status, headers, _ = ask(application(), "GET", "/healthz")
    assert (status, headers["Location"]) == (302, "/elsewhere")


def test_the_server_of_a_watch_answers_so():
    """Where its health is asked for."""

    async def main():
        server = Health([])
        await server.start()
        try:
            async with aiohttp.ClientSession() as client, client.delete(f"{server.url}/metrics") as answer:
                return answer.status, answer.headers["Allow"], answer.content_type
        finally:
            await server.stop()

    assert asyncio.run(main()) == (405, "GET, HEAD", "application/problem+json")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"PUT /subscribers/\xed\xa0\x80/position HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"\x16\x03\x01\r\n\r\n", 400),
        (
            b"PUT /healthz HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
            405,
        ),
    ],
    ids=["place", "name", "header", "long", "TLS", "body that nobody reads"],
)
def test_bytes_that_are_no_good_request_are_refused_and_leave_no_trace_in_the_log(caplog, raw, status):
    """Who sent them is told; nobody fills the log of a watch from outside."""
    caplog.set_level(logging.DEBUG)

    async def main():
        server = Health([])
        await server.start()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
            writer.write(raw)
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer
        finally:
            await server.stop()

    assert f" {status} ".encode() in asyncio.run(main()).partition(b"\r\n")[0]
    assert [record for record in caplog.records if record.name != "asyncio"] == []


def test_what_else_the_server_says_stays_in_the_log(caplog):
    """A fault of ours that comes after the answer was made is none of the client's."""
    server_log.error("Unhandled exception", exc_info=RuntimeError("oh"))
    assert "RuntimeError: oh" in caplog.text
