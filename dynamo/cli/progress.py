"""How a run stands while it runs: one line per step, on a terminal or in a log file."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from dynamo.engine.events import Event
from dynamo.graph.units import format_seconds

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

__all__ = ["Line", "Progress"]

#: Seconds between the tables in a log file.
PERIOD = 10.0
_ENDS = ("done", "reused", "failed", "blocked", "left")
_HEAD = ("step", "tasks", "done", "reused", "failed", "running", "mean", "left")


@dataclass(slots=True)
class Line:
    """What is known of one step; `planned` is the number of its tasks as the run began."""

    step: str
    planned: int
    running: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    ended: dict[str, Event] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def start(self, task: str) -> None:
        """Count a task as running, however often it is said: after a lost worker it starts again."""
        self.seen.add(task)
        self.running.add(task)

    def end(self, event: Event) -> None:
        """Count a task as ended; what it was counted as before (a workflow done, then failed) is taken back."""
        self.seen.add(event.task)
        self.running.discard(event.task)
        before = self.ended.get(event.task)
        for one, sign in ((before, -1), (event, 1)):
            if one is not None:
                self.counts[one.kind] += sign
                self.seconds += sign * one.seconds if one.kind == "done" else 0.0
        self.ended[event.task] = event

    @property
    def total(self) -> int:
        """Tasks that were planned, or of a step that a run-time workflow added, those seen so far."""
        return max(self.planned, len(self.seen))

    @property
    def waiting(self) -> int:
        """Tasks that are still to come or under way."""
        return self.total - len(self.ended)

    @property
    def mean(self) -> float:
        """Mean seconds of the tasks that ran."""
        return self.seconds / self.counts["done"] if self.counts["done"] else 0.0

    def cells(self, cores: int) -> tuple[str, ...]:
        """The line as text, with the time that is left by the mean so far."""
        done, blocked = self.counts["done"], self.counts["blocked"]
        failed = str(self.counts["failed"] or "") + (f" (+{blocked} blocked)" if blocked else "")
        left = format_seconds(self.waiting * self.mean / cores) if self.mean and self.waiting else ""
        return (
            self.step,
            str(self.total),
            str(done or ""),
            str(self.counts["reused"] or ""),
            failed,
            str(len(self.running) or ""),
            format_seconds(self.mean) if done else "",
            left,
        )


class Progress:
    """Counts events by step and shows them.

    Parameters
    ----------
    steps
        Step to the number of its tasks.
    cores
        How many tasks run at a time, for the time left.
    log
        File that gets a plain table from time to time and each failure as it happens.
    """

    def __init__(self, steps: Mapping[str, int], cores: int, log: Path) -> None:
        self.lines = {step: Line(step, total) for step, total in steps.items()}
        self.cores = cores
        self._log = log
        self._last = monotonic()
        #: What should be known of the run as a whole; and whether it is printed as it comes, where there is no table.
        self._note, self._aloud = "", False

    def __call__(self, event: Event) -> None:
        """Take in one event."""
        if event.kind == "told":
            self._say(event.text)
            return
        line = self.lines.setdefault(event.step, Line(event.step, 0))
        if event.kind == "started":
            line.start(event.task)
        elif event.kind in ("retried", "waiting"):
            line.running.discard(event.task)
        elif event.kind in _ENDS:
            line.end(event)
        if event.kind in ("failed", "retried", "warned"):
            self._write(f"{event.kind}: {event.task}: {event.text}\n")
        if monotonic() - self._last > PERIOD:
            self._last = monotonic()
            self._write(self.text())

    def _say(self, text: str) -> None:
        self._note = text
        if text:
            self._write(f"{text}\n")
            if self._aloud:
                print(text, file=sys.stderr, flush=True)

    def text(self) -> str:
        """The table as plain text, columns aligned."""
        rows = [_HEAD, *(line.cells(self.cores) for line in self.lines.values())]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
        return "".join(
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            + "\n"
            for row in rows
        )

    def _write(self, text: str) -> None:
        # A full disk is told by what needs it; a table that is not written stops no run.
        with suppress(OSError), self._log.open("a", encoding="utf-8") as file:
            file.write(text)

    def table(self) -> Table:
        """The table for a terminal."""
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="dim")
        for i, name in enumerate(_HEAD):
            table.add_column(name, justify="left" if i == 0 else "right", no_wrap=True)
        for line in list(self.lines.values()):
            style = (
                "red"
                if line.counts["failed"]
                else "green"
                if not line.waiting
                else "cyan"
                if line.running
                else "dim"
            )
            table.add_row(*line.cells(self.cores), style=style)
        return table

    def shape(self) -> Group:
        """The table, with what should be known below it."""
        from rich.console import Group
        from rich.text import Text

        return Group(self.table(), *([Text(self._note, style="yellow")] if self._note else []))

    @contextmanager
    def shown(self, *, quiet: bool) -> Iterator[None]:
        """Show the table on the terminal while the body runs; the log file gets its last state in any case."""
        try:
            if quiet or not sys.stderr.isatty():
                self._aloud = not quiet
                yield
            else:
                from rich.console import Console
                from rich.live import Live

                with Live(get_renderable=self.shape, console=Console(stderr=True), refresh_per_second=8):
                    yield
        finally:
            self._write(self.text())
