"""How a run stands while it runs: one line per step, on a terminal or in a log file."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from dynamo.engine.events import Event
from dynamo.graph.units import format_seconds

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Line", "Progress"]

#: Seconds between the tables in a log file.
PERIOD = 10.0
_HEAD = ("step", "tasks", "done", "reused", "failed", "running", "mean", "left")


@dataclass(slots=True)
class Line:
    """The counts of one step."""

    step: str
    total: int
    done: int = 0
    reused: int = 0
    failed: int = 0
    blocked: int = 0
    left: int = 0
    running: int = 0
    seconds: float = 0.0

    @property
    def waiting(self) -> int:
        """Tasks that are still to come or under way."""
        return self.total - self.done - self.reused - self.failed - self.blocked - self.left

    @property
    def mean(self) -> float:
        """Mean seconds of the tasks that ran."""
        return self.seconds / self.done if self.done else 0.0

    def cells(self, cores: int) -> tuple[str, ...]:
        """The line as text, with the time that is left by the mean so far."""
        failed = str(self.failed or "") + (f" (+{self.blocked} blocked)" if self.blocked else "")
        left = format_seconds(self.waiting * self.mean / cores) if self.mean and self.waiting else ""
        return (
            self.step,
            str(self.total),
            str(self.done or ""),
            str(self.reused or ""),
            failed,
            str(self.running or ""),
            format_seconds(self.mean) if self.done else "",
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

    def __call__(self, event: Event) -> None:
        """Take in one event."""
        line = self.lines.setdefault(event.step, Line(event.step, 0))
        if event.kind == "started":
            line.running += 1
            if line.waiting <= 0:  # a step that a run-time workflow added
                line.total += 1
        elif event.kind in ("done", "reused", "failed", "blocked", "left"):
            setattr(line, event.kind, getattr(line, event.kind) + 1)
            line.seconds += event.seconds if event.kind == "done" else 0.0
            if event.kind in ("done", "failed"):
                line.running -= 1
            if line.waiting < 0:
                line.total += 1
        elif event.kind == "retried":
            line.running -= 1
        if event.kind in ("failed", "retried", "warned"):
            self._write(f"{event.kind}: {event.task}: {event.text}\n")
        if monotonic() - self._last > PERIOD:
            self._last = monotonic()
            self._write(self.text())

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
                "red" if line.failed else "green" if not line.waiting else "cyan" if line.running else "dim"
            )
            table.add_row(*line.cells(self.cores), style=style)
        return table

    @contextmanager
    def shown(self, *, quiet: bool) -> Iterator[None]:
        """Show the table on the terminal while the body runs; the log file gets its last state in any case."""
        try:
            if quiet or not sys.stderr.isatty():
                yield
            else:
                from rich.console import Console
                from rich.live import Live

                with Live(get_renderable=self.table, console=Console(stderr=True), refresh_per_second=8):
                    yield
        finally:
            self._write(self.text())
