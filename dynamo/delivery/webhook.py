"""Webhook: an alert as a signed POST to one URL.

An alert enters, a request leaves, and what came of it is the outcome: nothing is raised. The answer is read no
further than its beginning; redirects are not followed, proxies of the environment not used. A URL may be a secret
by itself, so no text names more of it than its host.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import aiohttp

from dynamo.alerts.alert import Alert
from dynamo.delivery.channel import Outcome
from dynamo.delivery.connections import Connections
from dynamo.delivery.guard import Forbidden, Guard
from dynamo.delivery.retry import answered, seconds_asked
from dynamo.delivery.signature import Secret, sign

__all__ = ["Form", "Webhook"]

#: Makes the body of a message and the headers that belong to it.
Form = Callable[[Alert], tuple[bytes, dict[str, str]]]

#: Bytes of an answer that are read, characters that are kept, and seconds for which its body is waited for: what
#: counts is its status.
READ = 4096
SHOWN = 300
BODY_SECONDS = 2.0
CONNECT_SECONDS = 5.0
_TAG = re.compile(r"<[^>]*>?")


class Webhook:
    """A channel that posts.

    Parameters
    ----------
    name
        Of the channel.
    url
        Where to; ``http`` or ``https``.
    secrets
        It is signed with each of them; none: it is not signed.
    form
        What is posted.
    allow
        Hosts, addresses and networks that are not public and may be posted to; not with `connections`, which
        have their own.
    ca
        A PEM file of the only authorities to trust for TLS.
    timeout
        Seconds for a whole try.
    connections
        Shared with other webhooks.
    clock
        Unix seconds.

    Raises
    ------
    UserError
        The URL, an entry of `allow` or the file of certificates cannot be used.
    """

    def __init__(
        self,
        name: str,
        url: str,
        secrets: Sequence[Secret],
        form: Form,
        *,
        allow: Sequence[str] = (),
        ca: str | None = None,
        timeout: float = 10.0,
        connections: Connections | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connections = connections or Connections(Guard(allow))
        self._url = self._connections.guard.url(url, name)
        self._trust = self._connections.trust(ca)
        self._name = name
        self._secrets = tuple(secrets)
        self._form = form
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=min(timeout, CONNECT_SECONDS))
        self._clock = clock
        self._open = True
        self._connections.join()

    @property
    def name(self) -> str:
        """Of the channel."""
        return self._name

    @property
    def host(self) -> str:
        """To which it posts."""
        return self._url.host or ""

    def __repr__(self) -> str:
        return f"Webhook({self._name!r}, host={self.host!r})"

    async def close(self) -> None:
        """Let connections go; once is enough."""
        if self._open:
            self._open = False
            await self._connections.leave()

    async def send(self, alert: Alert, delivery: str) -> Outcome:
        """Post once."""
        body, headers = self._form(alert)
        headers = {**headers, **sign(self._secrets, delivery, int(self._clock()), body)}
        try:
            response = await self._connections.session().post(
                self._url,
                data=body,
                headers=headers,
                allow_redirects=False,
                ssl=self._trust,
                timeout=self._timeout,
            )
            return await self._read(response)
        except (aiohttp.ClientError, OSError) as error:  # of which a time-out is one
            return self._failed(error)

    async def _read(self, response: aiohttp.ClientResponse) -> Outcome:
        """Read the beginning of an answer; keep the connection only when that was all."""
        content, said = response.content, b""
        if content.is_eof():  # the usual short answer came at once
            said = content.read_nowait(READ)
        else:
            with suppress(aiohttp.ClientError, OSError):  # the status has come, and that counts
                async with asyncio.timeout(BODY_SECONDS):
                    while len(said) < READ and (part := await content.read(READ - len(said))):
                        said += part
        if content.at_eof() and not content.exception() and self._connections.keep(self.host, self._url.port):
            response.release()
        else:
            response.close()
        text, location = said.decode("utf-8", "replace"), response.headers.get("Location", "")
        # A page for people, of a proxy perhaps: its words are enough.
        if response.content_type == "text/html":
            text = _TAG.sub(" ", text)
        return answered(
            response.status,
            self._shown(text),
            after=seconds_asked(response.headers.get("Retry-After"), self._clock()),
            location=_host(location),
        )

    def _shown(self, text: str) -> str:
        """Return the beginning of what the other side said, in one line and without the path of the URL."""
        path = self._url.raw_path_qs
        for secret in (path, self._url.path_qs):
            if len(secret) > 1:
                text = text.replace(secret, "/...")
        return re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text)[:SHOWN].strip()

    def _failed(self, error: Exception) -> Outcome:
        """Say in words why there was no answer."""
        cause = getattr(error, "os_error", None)
        if isinstance(cause, Forbidden):
            return Outcome("refused", str(cause))
        return Outcome("again", self._shown(self._why(error)))

    def _why(self, error: Exception) -> str:
        host = self.host
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            told = getattr(error.certificate_error, "verify_message", "") or "it cannot be verified"
            return f"the certificate of {host} is not trusted: {told}"
        if isinstance(error, aiohttp.ClientConnectorSSLError):
            return f"no TLS with {host}: {getattr(error.os_error, 'reason', None) or 'it failed'}"
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return f"{host} has no address: {error.os_error.strerror or 'unknown'}"
        if isinstance(error, TimeoutError):
            return f"no answer of {host} within {self._timeout.total:g} s"
        if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError):
            return f"{host} closed the connection without an answer"
        if isinstance(error, aiohttp.ClientConnectorError):
            number = error.os_error.errno
            why = os.strerror(number) if number else str(error.os_error)
            return f"cannot connect to {host}:{self._url.port}: {why}"
        if isinstance(error, aiohttp.ClientResponseError):
            return f"what {host} answered is not HTTP: {error.message}"
        why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        return f"the connection to {host} failed: {why}"


def _host(location: str) -> str:
    """The host that a redirect names; the rest of it may be a secret."""
    found = re.match(r"https?://([^/?#@\s]{1,253})([/?#]|$)", location)
    return found[1] if found else ""
