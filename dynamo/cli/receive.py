"""``dynamo receive``: take webhooks on this machine, verify them, and print each alert."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynamo.errors import UserError, nearest

if TYPE_CHECKING:
    from dynamo.delivery.receiver import Receiver

__all__ = ["command"]


@click.command("receive")
@click.option(
    "--port", "-p", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 for a free one."
)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="env:NAME",
    help="What signs the alerts: env:NAME, file:PATH, or whsec_... itself. Repeat it for several.",
)
@click.option("--count", type=click.IntRange(min=1), help="End after so many verified alerts.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def command(port: int, secrets: tuple[str, ...], count: int | None, *, as_json: bool) -> int:
    """Listen for alerts on this machine, verify who sent them, and print each once. Ctrl-C ends it.

    Without --secret one is made up, and what to write in the run file is printed.
    """
    import asyncio

    from dynamo.delivery.receiver import Receiver, new_secret
    from dynamo.delivery.signature import Secret

    made = "" if secrets else new_secret()
    receiver = Receiver([Secret(_found(said)) for said in secrets or (made,)], port)
    asyncio.run(_receive(receiver, made, count, as_json=as_json))
    return 0


def _found(said: str) -> str:
    """Return the secret that ``--secret`` names."""
    where, _, name = said.partition(":")
    if where == "file":
        try:
            return Path(name).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"--secret {said}: {getattr(error, 'strerror', None) or 'it is no text'}"
            ) from None
    if where != "env":
        return said
    if not os.environ.get(name):
        raise UserError(f"--secret {said}: the environment has no {name!r}{nearest(name, os.environ)}")
    return os.environ[name]


async def _receive(receiver: Receiver, made: str, count: int | None, *, as_json: bool) -> None:
    async with receiver:
        print(f"listening at {receiver.url}; Ctrl-C ends it", file=sys.stderr)
        if made:
            print(
                "in the shell that watches:\n"
                f"  export ALERT_SECRET={made}\n"
                "in the run file, under alerts:\n"
                f'  webhooks: [{{name: receiver, url: "{receiver.url}", secret: env:ALERT_SECRET, '
                f"allow: {receiver.host}}}]",
                file=sys.stderr,
            )
        left = count
        while left != 0:
            arrival = await receiver.arrivals.get()
            print(json.dumps(arrival.to_json()) if as_json else arrival.line(), flush=True)
            if left is not None and arrival.verdict == "verified":
                left -= 1
