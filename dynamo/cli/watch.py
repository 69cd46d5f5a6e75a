"""``dynamo watch RUNFILE...``: run what run files say whenever data comes, and tell people of hazards."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynamo.cli.options import kept
from dynamo.errors import INTERRUPTED, UserError

if TYPE_CHECKING:
    from dynamo.watch.health import Health

__all__ = ["command"]


@click.command("watch")
@click.argument("runfiles", metavar="RUNFILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Answer /healthz and /metrics on this port; 0 for any."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address of that port.")
@click.option(
    "--keep",
    default="7 d",
    show_default=True,
    metavar="TIME",
    help="Remove runs, results and alerts older than this, like '12 h'; or `never`.",
)
@click.option("--cores", type=click.IntRange(1, 1 << 20), help="Use at most this many cores.")
@click.option(
    "--at-once",
    type=click.IntRange(1, 1000),
    help="Runs at one time over all run files, at most; what runs of lower priority does not count.",
)
@click.option("--quiet", "-q", is_flag=True, help="Tell only what goes wrong.")
def command(
    runfiles: tuple[Path, ...],
    port: int | None,
    host: str,
    keep: str,
    cores: int | None,
    at_once: int | None,
    *,
    quiet: bool,
) -> int:
    """Run the workflow of each RUNFILE whenever its inputs come, and tell its subscribers of hazards.

    Goes on until Ctrl-C or SIGTERM. What was under way then, or when the machine went down, is gone on with at the
    next start; nothing is run or told twice. An edited run file holds from then on, if it is right.
    """
    from dynamo.watch.feed import read_feed
    from dynamo.watch.watch import Options, Watch

    age = _kept(keep)
    _log(quiet=quiet)
    log = logging.getLogger(__name__)

    def ready(health: Health | None) -> None:
        where = f"; health at {health.url}/healthz" if health else ""
        log.info("watching %s%s; Ctrl-C ends it", _watched([post.feed.globs for post in watch.posts]), where)

    try:
        watch = Watch([read_feed(one) for one in runfiles], Options(host, port, age, cores, at_once))
        watch.run(click.get_current_context().obj, ready)
    except KeyboardInterrupt:
        log.info("stopped")
        return INTERRUPTED
    return 0


def _kept(text: str) -> float:
    """Return seconds, 0 for ever: what `dynamo gc --keep 0` means, to remove all, is never meant here."""
    if text.strip().lower() == "never":
        return 0.0
    seconds = kept(text)
    if not seconds:
        raise UserError(f"--keep: {text} would remove all that is done; write 'never' to keep it")
    return seconds


def _watched(globs: list[dict[str, list[str]]]) -> str:
    named = [pattern for feed in globs for patterns in feed.values() for pattern in patterns]
    return ", ".join(dict.fromkeys(named)) or "the clock"


class _Lines(logging.Formatter):
    """Lines with their time in UTC, and how bad it is where it is bad."""

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(severity)s%(message)s", "%H:%M:%S")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        bad = {logging.WARNING: "warning: ", logging.ERROR: "error: "}
        record.severity = bad.get(record.levelno, "")
        return super().format(record)


def _log(*, quiet: bool) -> None:
    """Tell on standard error, a line for each thing."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    logger = logging.getLogger("dynamo")
    logger.handlers = [handler]
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
