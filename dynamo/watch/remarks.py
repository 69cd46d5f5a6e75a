"""Remarks: what is wrong with the files that arrive, in words, for the log and for those who look.

Enters: files that are from the future or without a time, folders that cannot be looked into, what tasks wrote. Leaves:
a trouble as long as that is so, and now and then a line of the log, for each file would fill it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path

from dynamo.graph.units import format_count, format_seconds
from dynamo.triggers.arrival import Arrival
from dynamo.triggers.untimed import Untimed
from dynamo.watch.counts import Counts

__all__ = ["Remarks"]

log = logging.getLogger(__name__)

#: Seconds without files from the future after which the next one is told in the log: a clock that is a little fast
#: has one now and then. Also those between two lines that tell of files without a time.
QUIET = 3600.0
#: Folders that cannot be looked into and are named; more are counted.
NAMED = 3


class Remarks:
    """On the files of one feed; lines of the log begin with `label`."""

    def __init__(self, counts: Counts, label: str = "") -> None:
        self._counts, self._label = counts, label
        self._ahead = -math.inf  # when files were last from the future
        self._untimed = -math.inf  # when it was last told of files without a time
        self._wrote: list[str] = []

    def ahead(self, one: Arrival | None, now: float, wall: float) -> None:
        """Remark on files from the future, of which `one` is from furthest ahead; None where none waits.

        In the log when this begins. `now` is monotonic, `wall` Unix seconds.
        """
        if one is None or one.time is None:
            self._counts.trouble("ahead", "")
            return
        said = (
            f"{Path(one.path).name!r} is from the future, by {format_seconds(one.time - wall)}; "
            "is a clock or a time zone wrong? such files wait until then"
        )
        self._counts.trouble("ahead", said)
        if now > self._ahead + QUIET:
            log.warning("%s%s", self._label, said)
        self._ahead = now

    def untimed(self, untimed: Untimed, now: float) -> None:
        """Remark on files without a time: in the log on the first, and then once in `QUIET` seconds."""
        self._counts.trouble("files", "; ".join(map(_left_out, untimed.inputs.values())))
        if now > self._untimed + QUIET and (news := untimed.take_news()) is not None:
            more = f" (and {format_count(news.count - 1, 'more file')} like it)" if news.count > 1 else ""
            log.warning("%s%s%s", self._label, _left_out(news.first), more)
            self._untimed = now

    def blind(self, folders: Mapping[str, str]) -> None:
        """Remark on folders that cannot be looked into, and why: in the log when these are others, or none any more."""
        said = [f"cannot look into {folder}: {why}" for folder, why in folders.items()]
        more = [f"and {len(said) - NAMED:,} more"] if len(said) > NAMED else []
        words = (
            "; ".join([*said[:NAMED], *more]) + "; files that come there are taken when it can be read again"
        )
        if self._counts.trouble("folders", words if said else ""):
            log.warning("%s%s", self._label, words if said else "all folders can be looked into again")

    def wrote(self, run: str, lines: list[str]) -> None:
        """Remark on what the tasks of a run wrote: in the log where that is other than of the run before."""
        if lines and lines != self._wrote:
            log.info("%s%s: tasks wrote: %s", self._label, run, "; ".join(lines))
        self._wrote = lines


def _left_out(one: Arrival) -> str:
    return (
        f"{Path(one.path).name!r} is in no window, as no time is found in its name; "
        f"say with `time:` of the input {one.input!r} where it stands"
    )
