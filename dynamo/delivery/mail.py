"""Mail: one message an alert, by SMTP, with the alert in a form for machines attached.

An alert enters, a mail leaves: its subject is the headline, and its ``Message-ID`` is made of the id of the
delivery, so that one sent twice is known as one. Goes wrong: the server. What it refuses for now (4yz), and a
connection that fails, is tried again; what it refuses for good (5yz) is not. With ``starttls`` or ``tls`` nothing,
and the password least of all, goes out before the connection is encrypted and the server's name is proved.
"""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, getaddresses, parseaddr
from typing import Any, Literal, cast
from urllib.parse import quote

from dynamo.alerts.alert import Alert
from dynamo.alerts.forms import Form, write
from dynamo.alerts.words import describe, headline, plain
from dynamo.delivery.channel import Outcome
from dynamo.errors import UserError

__all__ = ["Mail", "Security", "Server", "check_address", "compose"]

Security = Literal["starttls", "tls", "none"]

#: Seconds that a server may be silent.
STEP = 10.0
_PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in.

    Parameters
    ----------
    host, port
        Of the server; port 0 means the usual one: 587 with ``starttls``, 465 with ``tls``, 25 with ``none``.
    security
        How the connection is encrypted.
    user, password
        To log in with; nobody logs in where there is no user. The password is never shown.
    trust
        Which certificates are believed; None for those of the system.
    """

    host: str
    port: int = 0
    security: Security = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    trust: ssl.SSLContext | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "port", self.port or _PORTS[self.security])
        if self.user and self.security == "none":
            raise UserError(f"mail by {self.host}: a password is not sent unencrypted; use starttls or tls")


class Mail:
    """A channel that sends mail; one at a time, each over a connection of its own.

    Parameters
    ----------
    name
        What the run file calls it.
    server
        Who takes the mail.
    sender, to
        Addresses, with names or without: ``Storm watch <storms@example.org>``.
    form
        What is attached; ``text`` attaches nothing.
    timeout
        Seconds that one alert may take.

    Raises
    ------
    UserError
        Something is no address.
    """

    def __init__(
        self,
        name: str,
        server: Server,
        sender: str,
        to: Sequence[str],
        form: Form = "cap",
        timeout: float = 30.0,
    ) -> None:
        if not to:
            raise UserError(f"channel {name!r} has nobody to send mail to")
        for address in (sender, *to):
            check_address(name, address)
        self.name = name
        self.server = server
        self.sender = sender
        self.to = tuple(to)
        self.form = form
        self.timeout = timeout
        # A thread of its own: a server that hangs must not take those that others need.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"mail {name}")

    async def send(self, alert: Alert, delivery: str) -> Outcome:
        """Hand the mail in once."""
        message = compose(alert, delivery, self.sender, self.to, self.form)
        session = _Session(self.server, self.timeout)
        try:
            loop = asyncio.get_running_loop()
            done = loop.run_in_executor(self._thread, session.send, message)
            return await asyncio.wait_for(done, self.timeout)
        except TimeoutError:
            return Outcome("again", f"{self.server.host} took more than {self.timeout:g} s")
        finally:
            session.stop()

    async def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=False)


def check_address(name: str, address: str) -> None:
    """Raise `UserError` where an address of the channel `name` is none."""
    try:
        ((_, spec),) = getaddresses([address])
        said = Address(addr_spec=spec)
        good = bool(said.username and said.domain) and address == plain(address)
    except (ValueError, IndexError, MessageError):
        good = False
    if not good:
        raise UserError(f"channel {name!r}: {address!r} is no mail address")


def compose(alert: Alert, delivery: str, sender: str, to: Sequence[str], form: Form) -> EmailMessage:
    """Return the mail; the same alert and delivery give the same one, apart from the boundary of its parts."""
    domain = parseaddr(sender)[1].rpartition("@")[2]
    mail = EmailMessage(policy=SMTP_POLICY)
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Subject"] = headline(alert)
    mail["Date"] = format_datetime(alert.sent)
    mail["Message-ID"] = f"<{quote(delivery, safe='')}@{domain}>"
    mail["References"] = f"<{quote(plain(alert.episode), safe='')}@{domain}>"  # one thread an episode
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes, please
    mail.set_content(f"{headline(alert)}\n\n{describe(alert)}")
    if form != "text":
        said = write(alert, form)
        kind, _, subtype = said.content_type.partition("/")
        name = f"alert{said.suffix}"
        mail.add_attachment(said.body, maintype=kind, subtype=subtype, filename=name)
    return mail


class _Session:
    """One connection, in a thread, that another thread can end."""

    def __init__(self, server: Server, timeout: float) -> None:
        self._server = server
        self._timeout = timeout
        self.smtp: smtplib.SMTP | None = None

    def stop(self) -> None:
        """End it where it hangs."""
        sock = self.smtp.sock if self.smtp else None
        if sock:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def send(self, message: EmailMessage) -> Outcome:
        """Connect, hand `message` in, and tell what was said."""
        try:
            return self._hand_in(message)
        except smtplib.SMTPRecipientsRefused as error:
            return _worst(error.recipients)
        except smtplib.SMTPResponseException as error:
            return Outcome(_judge(error.smtp_code), _words(error.smtp_code, error.smtp_error))
        except (smtplib.SMTPNotSupportedError, UnicodeError) as error:  # or a host name that is none
            return Outcome("refused", f"{self._server.host}: {plain(str(error))}")
        except OSError as error:  # the network, TLS, a server that hangs up
            return Outcome(
                "again", f"{self._server.host}:{self._server.port}: {plain(error.strerror or str(error))}"
            )

    def _hand_in(self, message: EmailMessage) -> Outcome:
        server = self._server
        trust = server.trust or ssl.create_default_context()
        each = min(self._timeout, STEP)
        if server.security == "tls":
            smtp: smtplib.SMTP = _Tls(self, host=server.host, port=server.port, timeout=each, context=trust)
        else:
            smtp = _Plain(self, host=server.host, port=server.port, timeout=each)
        try:
            if server.security == "starttls":
                smtp.starttls(context=trust)
            if server.user:
                smtp.login(server.user, server.password)
            outcome = _partly(smtp.send_message(message))
            with suppress(OSError):  # it is sent, whatever is said to our good-bye: that is not waited for
                smtp.putcmd("QUIT")
            return outcome
        finally:
            smtp.close()


class _Known:
    """Lets a session know its connection before the constructor waits for the greeting."""

    def __init__(self, session: _Session, **where: Any) -> None:
        session.smtp = cast("smtplib.SMTP", self)
        super().__init__(**where)


class _Plain(_Known, smtplib.SMTP):
    pass


class _Tls(_Known, smtplib.SMTP_SSL):
    pass


Refused = dict[str, tuple[int, bytes]]


def _partly(refused: Refused) -> Outcome:
    """Judge a mail that some got: those refused for now must get it later, and who has it knows it by its id."""
    if not refused:
        return Outcome("sent")
    if any(_judge(code) == "again" for code, _ in refused.values()):
        return _worst(refused)
    return Outcome("sent", f"but not to {_worst(refused).response}")


def _worst(refused: Refused) -> Outcome:
    again = any(_judge(code) == "again" for code, _ in refused.values())
    said = "; ".join(f"{who}: {_words(code, text)}" for who, (code, text) in refused.items())
    return Outcome("again" if again else "refused", said)


def _judge(code: int) -> Literal["again", "refused"]:
    return "refused" if 500 <= code < 600 else "again"


def _words(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return plain(f"{code} {text}")[:500]
