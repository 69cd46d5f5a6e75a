"""Connections: the sessions of aiohttp that webhooks share, so that thousands of them cost no more than one.

Goes wrong: a file of certificates that cannot be read (`UserError`).
"""

from __future__ import annotations

import asyncio
import resource
import ssl
from contextlib import suppress

import aiohttp

from dynamo.delivery.guard import Guard, GuardedResolver
from dynamo.errors import UserError

__all__ = ["Connections"]

#: Seconds for which an idle connection is kept: less than servers do, so that none is used that they just closed.
KEEP = 4.0
#: Hosts to which an idle connection is kept at a time, and open files that are asked for.
IDLE = 256
FILES = 4096


class Connections:
    """Opened when first used; closed when the last of its users lets go.

    Parameters
    ----------
    guard
        Whom all of them may talk to.
    """

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._users = 0
        self._session: aiohttp.ClientSession | None = None
        self._kept: dict[tuple[str, int | None], float] = {}
        self._trusted: dict[str, ssl.SSLContext] = {}

    def join(self) -> None:
        """Note one more user."""
        self._users += 1

    async def leave(self) -> None:
        """Note one user less."""
        self._users -= 1
        if self._users <= 0 and self._session is not None:
            session, self._session = self._session, None
            await session.close()
            await self._resolver.close()

    def session(self) -> aiohttp.ClientSession:
        """Return the session of the running event loop."""
        if self._session is None:
            _more_files()
            self._resolver = GuardedResolver(self.guard)
            connector = aiohttp.TCPConnector(
                resolver=self._resolver, limit=0, keepalive_timeout=KEEP, use_dns_cache=True, ttl_dns_cache=10
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,  # a small answer stays small
                headers={"User-Agent": "dynamo-weather", "Accept-Encoding": "identity"},
            )
        return self._session

    def keep(self, host: str, port: int | None) -> bool:
        """Whether a connection to `host` should stay open for the next request: not to too many hosts at a time."""
        now = asyncio.get_running_loop().time()
        self._kept.pop((host, port), None)
        while self._kept and next(iter(self._kept.values())) < now - KEEP:
            del self._kept[next(iter(self._kept))]
        if len(self._kept) >= IDLE:
            return False
        self._kept[host, port] = now
        return True

    def trust(self, ca: str | None) -> ssl.SSLContext | bool:
        """Return what aiohttp takes as `ssl`: certificates are always verified.

        Parameters
        ----------
        ca
            A PEM file of the only authorities to trust; None for those of the system.
        """
        if ca is None:
            return True
        if ca not in self._trusted:
            try:
                self._trusted[ca] = ssl.create_default_context(cafile=ca)
            except (OSError, ssl.SSLError) as error:
                why = error.strerror or "it holds no certificate"
                raise UserError(f"the certificates in {ca} cannot be used: {why}") from error
        return self._trusted[ca]


def _more_files() -> None:
    """Let the process have so many open files that many endpoints can hang at a time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # a container may forbid it: then fewer can hang
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
