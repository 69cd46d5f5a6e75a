"""How a range stands while it runs: one line that stays, on a terminal; in a log file one each ten seconds."""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from dynamo.graph.units import format_count, format_seconds

if TYPE_CHECKING:
    from dynamo.archive.work import Ended

__all__ = ["PERIOD", "ArchiveProgress"]

#: Seconds between two lines in a log file.
PERIOD = 10.0
#: The rate goes by the windows that ended in so many seconds, and by so many at least.
_LATELY, _FEWEST = 60.0, 20
#: Failures that are told as they come; the account in the end has all.
_FAILURES = 20


class ArchiveProgress:
    """Counts windows as they end, and shows it on standard error.

    Parameters
    ----------
    total
        Windows of the range.
    quiet
        Show nothing.
    """

    def __init__(self, total: int, *, quiet: bool = False) -> None:
        self.counts: Counter[str] = Counter()
        self._total, self._quiet, self._left = total, quiet, total
        self._live = not quiet and sys.stderr.isatty()
        self._ends: deque[float] = deque()
        self._said: set[str] = set()
        self._last = monotonic()

    def begin(self, known: Sequence[Ended], left: int) -> None:
        """Take in what is not run, and how many windows are."""
        self.counts.update(one.state for one in known)
        self._left = left
        self._ends.append(monotonic())
        if not self._quiet:
            said = f"{format_count(self._total, 'window')}: {left:,} to run"
            for state, words in (("reused", "done before"), ("passed", "passed over")):
                said += f", {self.counts[state]:,} {words}" if self.counts[state] else ""
            print(said, file=sys.stderr, flush=True)

    def end(self, one: Ended) -> None:
        """Take in how a window ended."""
        from dynamo.archive.ranges import at

        self.counts[one.state] += 1
        self._left -= 1
        self._ends.append(monotonic())
        while len(self._ends) > _FEWEST and self._ends[1] < self._ends[-1] - _LATELY:
            self._ends.popleft()
        if self._quiet:
            return
        if one.state == "failed" and one.error not in self._said and len(self._said) < _FAILURES:
            self._said.add(one.error)  # the same again is told in the end
            print(f"failed: {at(one.window.time)}: {one.error}", file=sys.stderr, flush=True)
        if not self._live and monotonic() - self._last > PERIOD:
            self._last = monotonic()
            print(self.text(), file=sys.stderr, flush=True)

    @property
    def per_second(self) -> float:
        """Windows that ended a second, lately."""
        seconds = self._ends[-1] - self._ends[0] if len(self._ends) > 1 else 0.0
        return (len(self._ends) - 1) / seconds if seconds else 0.0

    def text(self) -> str:
        """Return how it stands, in one line."""
        done, failed = self._total - self._left, self.counts["failed"]
        line = f"{done:,} of {format_count(self._total, 'window')}"
        line += f", {failed:,} failed" if failed else ""
        if self.per_second:
            line += f"; {self.per_second * 60:.3g} a minute"
            line += f", {format_seconds(self._left / self.per_second)} left" if self._left else ""
        return line

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the line on the terminal while the body runs, if there is one."""
        if not self._live:
            yield
            return
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        console = Console(stderr=True)
        with Live(
            get_renderable=lambda: Text(self.text()), console=console, refresh_per_second=4, transient=True
        ):
            yield
