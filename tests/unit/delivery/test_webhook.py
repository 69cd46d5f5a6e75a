"""Webhooks against real servers on loopback: good ones, sick ones, and hostile ones."""

from __future__ import annotations

import asyncio
import socket
import ssl

import orjson
import pytest
import standardwebhooks
import trustme
from aiohttp import web

from dynamo.delivery.connections import Connections
from dynamo.delivery.guard import Guard, GuardedResolver
from dynamo.delivery.signature import Secret
from dynamo.delivery.webhook import Webhook
from dynamo.errors import UserError

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def form(alert):
    return orjson.dumps(alert.to_json()), {"content-type": "application/json"}


def hook(url, **options):
    return Webhook("here", url, [Secret(SECRET)], form, **{"allow": ["127.0.0.0/8"], **options})


async def post(alert, url, **options):
    """Send once, and let go."""
    channel = hook(url, **options)
    try:
        return await channel.send(alert, "msg_1")
    finally:
        await channel.close()


def ask(alert, serve, answer, **options):
    """What came of one webhook to a server that answers so."""

    async def go():
        async with serve(answer) as url:
            return await post(alert, url, **options)

    return asyncio.run(go())


def replying(raw: bytes, *, more: bytes = b"", hang: bool = False):
    """A server that reads a request, says these bytes, then `more` without end."""

    async def answer(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(raw)
            while more:
                writer.write(more)
                await writer.drain()
            while hang:
                await reader.read(1000)
                await asyncio.sleep(3600)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    return answer


def ask_raw(alert, answer, **options):
    """The same of a server below HTTP; also how many bytes it could send is bounded by its being closed."""

    async def go():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            return await post(alert, f"http://127.0.0.1:{port}/in", **options)
        finally:
            server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    return asyncio.run(go())


def test_a_webhook_is_signed_and_carries_the_form(alert, serve):
    """The reference package verifies it."""
    seen = []

    async def answer(request):
        body = await request.read()
        standardwebhooks.Webhook(SECRET).verify(body, dict(request.headers))
        seen.append(
            (request.method, request.headers["webhook-id"], request.content_type, orjson.loads(body)["id"])
        )
        return web.Response(text="thanks\n\x00 a lot")

    outcome = ask(alert, serve, answer)
    assert seen == [("POST", "msg_1", "application/json", "a")]
    assert (outcome.said, outcome.status, outcome.response) == ("sent", 200, "thanks a lot")


@pytest.mark.parametrize(
    ("status", "said"), [(204, "sent"), (404, "refused"), (503, "again"), (410, "refused")]
)
def test_the_status_decides(alert, serve, status, said):
    """Of 410 the channel is closed."""

    async def answer(_):
        return web.Response(status=status, text="" if status == 204 else "why", headers={"Retry-After": "7"})

    outcome = ask(alert, serve, answer)
    assert (outcome.said, outcome.status, outcome.close) == (said, status, status == 410)
    assert outcome.after == (7.0 if said == "again" else None)


def test_a_redirect_inside_is_not_followed(alert, serve):
    """One request arrives, and the path of where it led is not told."""
    seen = []

    async def answer(request):
        seen.append(request.path)
        return web.Response(status=307, headers={"Location": "http://127.0.0.1:80/secret-path"})

    outcome = ask(alert, serve, answer)
    assert seen == ["/in"]
    assert outcome.said == "refused"
    assert "redirects to 127.0.0.1:80, which is not followed" in outcome.response
    assert "secret-path" not in outcome.response


@pytest.mark.parametrize("length", [b"", b"Content-Length: 1000000000\r\n"])
def test_an_answer_without_end_is_cut(alert, length):
    """Its status counts; of its body the beginning is read, and the connection is closed."""
    head = b"HTTP/1.1 200 OK\r\n" + length + b"\r\n"
    outcome = ask_raw(alert, replying(head, more=b"x" * 65536))
    assert outcome.said == "sent"
    assert outcome.response == "x" * 300


def test_an_answer_that_comes_to_a_halt_counts_by_its_status(alert, monkeypatch):
    """It was received; nothing is sent again for a body that never ends."""
    monkeypatch.setattr("dynamo.delivery.webhook.BODY_SECONDS", 0.05)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
    outcome = ask_raw(alert, replying(head, hang=True))
    assert (outcome.said, outcome.response) == ("sent", "abc")


def test_of_a_page_for_people_the_words_are_kept(alert, serve):
    """Many a proxy says so what is wrong."""

    async def answer(_):
        page = "<html><head><title>502 Bad Gateway</title></head>\n<body bgcolor='<'><hr>nginx</body"
        return web.Response(status=502, text=page, content_type="text/html")

    outcome = ask(alert, serve, answer)
    assert (outcome.said, outcome.response) == ("again", "502 Bad Gateway nginx")


def test_a_packed_answer_is_not_unpacked(alert, serve):
    """A small answer stays small."""
    import gzip

    bomb = gzip.compress(bytes(10_000_000))

    async def answer(_):
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    assert ask(alert, serve, answer).said == "sent"


@pytest.mark.parametrize(
    ("raw", "hang", "told"),
    [
        (b"", True, "no answer of 127.0.0.1 within 0.2 s"),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", True, "no answer of 127.0.0.1 within 0.2 s"),
        (b"", False, "127.0.0.1 closed the connection without an answer"),
        (b"220 mail.example ESMTP\r\n\r\n", False, "is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", False, "is not HTTP"),
    ],
)
def test_what_is_no_answer_is_tried_again(alert, raw, hang, told):
    """Slow headers, a hang-up, another protocol, headers without end."""
    outcome = ask_raw(alert, replying(raw, hang=hang), **({"timeout": 0.2} if hang else {}))
    assert outcome.said == "again"
    assert outcome.status is None
    assert told in outcome.response


def test_a_reset_and_a_closed_port_are_tried_again(alert):
    """The reason is told with the host."""

    async def reset(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    outcome = ask_raw(alert, reset)
    assert outcome.said == "again"
    assert outcome.response == "the connection to 127.0.0.1 failed: Connection reset by peer"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
        outcome = asyncio.run(post(alert, f"http://{place}/"))
    assert (outcome.said, outcome.response) == ("again", f"cannot connect to {place}: Connection refused")


def test_tls_is_verified_against_the_given_authority(alert, serve, tmp_path):
    """An unknown authority and a wrong name are no trust; a plain server is no TLS."""
    ours, other = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.issue_cert("127.0.0.1").configure_cert(context)
    for name, authority in (("ours", ours), ("other", other)):
        authority.cert_pem.write_to_path(str(tmp_path / f"{name}.pem"))

    async def answer(_):
        return web.Response()

    async def go():
        said = {}
        async with serve(answer, ssl=context) as url:
            for name in ("ours", "other"):
                said[name] = await post(alert, url, ca=str(tmp_path / f"{name}.pem"))
            said["system"] = await post(alert, url)
            name = url.replace("127.0.0.1", "localhost")
            said["name"] = await post(alert, name, ca=str(tmp_path / "ours.pem"), allow=["localhost"])
        async with serve(answer) as url:
            said["plain"] = await post(alert, url.replace("http:", "https:"), ca=str(tmp_path / "ours.pem"))
        return said

    said = asyncio.run(go())
    assert {name: outcome.said for name, outcome in said.items()} == {
        "ours": "sent", "other": "again", "system": "again", "name": "again", "plain": "again",
    }  # fmt: skip
    assert said["other"].response.startswith("the certificate of 127.0.0.1 is not trusted: ")
    assert "localhost" in said["name"].response
    assert said["plain"].response.startswith("no TLS with 127.0.0.1: ")


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_wrong_file_of_authorities_is_refused_at_once(tmp_path, text):
    """It is named."""
    file = tmp_path / "ca.pem"
    if text:
        file.write_text(text)
    with pytest.raises(UserError, match=r"ca\.pem cannot be used"):
        hook("https://a.example/", ca=str(file))


def test_only_the_address_that_was_checked_is_connected_to(alert, serve, monkeypatch):
    """A name that is public at the first look-up and private at the next gains nothing."""
    answers = iter(["127.0.0.7", "127.0.0.1", "127.0.0.1"])
    looked_up, peers = [], []

    def look_up(host, port, family):
        looked_up.append(host)
        return [(next(answers), socket.AF_INET)]

    async def answer(request):
        peers.append(request.transport.get_extra_info("sockname")[0])
        return web.Response(headers={"Connection": "close"})

    monkeypatch.setattr(GuardedResolver, "look_up", staticmethod(look_up))
    # The first address counts as public here: it is allowed, the other is not.
    guard = Guard(["127.0.0.7"])

    async def go():
        said = []
        async with serve(answer) as url:
            port = url.rpartition(":")[2]
            for _ in range(2):  # each with a look-up of its own
                channel = hook(f"http://rebind.example:{port}", connections=Connections(guard))
                said.append(await channel.send(alert, "m"))
                await channel.close()
        return said

    first, second = asyncio.run(go())
    assert first.said == "again"  # it was connected to 127.0.0.7, where nobody listens
    assert second.said == "refused"
    assert second.response.startswith("rebind.example resolves to the loopback address 127.0.0.1")
    assert peers == []
    assert looked_up == ["rebind.example"] * 2


def test_a_name_that_is_not_known_is_tried_again(alert, monkeypatch):
    """Name servers come back."""

    def look_up(*_):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(GuardedResolver, "look_up", staticmethod(look_up))
    outcome = asyncio.run(post(alert, "http://a.example/"))
    assert outcome.said == "again"
    assert outcome.response == "a.example has no address: Temporary failure in name resolution"


def test_proxies_of_the_environment_are_not_used(alert, serve, monkeypatch):
    """They would make the connection instead, unguarded."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def answer(_):
        return web.Response()

    assert ask(alert, serve, answer).said == "sent"


def test_nothing_of_the_url_but_its_host_is_told(alert, serve):
    """Who knows the path may post; some endpoints repeat it in their answer."""

    async def answer(request):
        return web.Response(status=404, text=f"Cannot POST {request.path_qs}")

    async def go():
        async with serve(answer) as url:
            channel = hook(f"{url}/T00/hunter2?token=hunter3")
            outcome = await channel.send(alert, "m")
            await channel.close()
            return repr(channel), outcome.response

    assert asyncio.run(go()) == ("Webhook('here', host='127.0.0.1')", "Cannot POST /...")


def test_webhooks_share_their_connections_until_the_last_is_closed(alert, serve):
    """One connection for two channels to one place; closing twice is closing once."""
    ports = set()

    async def answer(request):
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response(text="ok")

    async def go():
        connections = Connections(Guard(["127.0.0.1"]))
        async with serve(answer) as url:
            one, two = (hook(url, connections=connections) for _ in range(2))
            said = [(await one.send(alert, "a")).said, (await two.send(alert, "b")).said]
            await one.close()
            await one.close()
            said.append((await two.send(alert, "c")).said)
            await two.close()
        return said

    assert asyncio.run(go()) == ["sent"] * 3
    assert len(ports) == 1


def test_idle_connections_are_kept_to_some_hosts_only(monkeypatch):
    """Ten thousand endpoints need not as many open files."""
    monkeypatch.setattr("dynamo.delivery.connections.IDLE", 2)

    async def go():
        connections = Connections(Guard())
        return [connections.keep(host, 80) for host in "abcab"]

    assert asyncio.run(go()) == [True, True, False, True, True]
