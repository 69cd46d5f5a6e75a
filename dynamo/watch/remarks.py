"""Remarks: what is wrong with the files that arrive, in words, for the log and for those who look.

Enters: files that are from the future or without a time. Leaves: a trouble as long as that is so, and now and then a
line of the log, for each of them would fill it.
"""

from __future__ import annotations

import logging
import math
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


class Remarks:
    """On the files of one feed; lines of the log begin with `label`."""

    def __init__(self, counts: Counts, label: str = "") -> None:
        self._counts, self._label = counts, label
        self._ahead = -math.inf  # when files were last from the future
        self._untimed = -math.inf  # when it was last told of files without a time

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


def _left_out(one: Arrival) -> str:
    return (
        f"{Path(one.path).name!r} is in no window, as no time is found in its name; "
        f"say with `time:` of the input {one.input!r} where it stands"
    )
