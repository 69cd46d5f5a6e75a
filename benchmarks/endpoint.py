"""Webhook endpoints as lean as can be, for `delivery.py`: ``python benchmarks/endpoint.py`` prints its port.

Whatever is posted to ``/hang`` is never answered, to ``/fail`` with 503, to anything else with 200.
"""

from __future__ import annotations

import asyncio
import re

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nsick"


class Endpoint(asyncio.Protocol):
    """Answers one connection."""

    def connection_made(self, transport):
        self.transport, self.data = transport, b""

    def data_received(self, data):
        self.data += data
        while (head := self.data.find(b"\r\n\r\n")) >= 0:
            end = head + 4 + int(LENGTH.search(self.data, 0, head)[1])
            if len(self.data) < end:
                return
            path = self.data[:20]
            self.data = self.data[end:]
            if not path.startswith(b"POST /hang"):
                self.transport.write(BAD if path.startswith(b"POST /fail") else GOOD)


async def main():
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Endpoint, "0.0.0.0", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
