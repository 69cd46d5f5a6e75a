"""What every benchmark prints: rows of what was measured, its budget, and peers measured in the same run.

Each script has a function `measure(quick)` that yields rows and, between them, texts; `main` prints them, or
writes them as JSON for `all.py`. No figure is ever a test: a missed budget is printed, not raised.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

__all__ = ["Row", "best", "main", "number", "words"]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; smaller is better.

    Parameters
    ----------
    what, ours, unit
        What was measured, and dynamo's figure.
    budget
        The most it should be; None where no budget is set.
    peers
        Name to the peer's figure in the same unit, or to the reason why there is none.
    beat
        Names of the peers that must not be faster.
    note
        What has to be known to read the figure.
    """

    what: str
    ours: float
    unit: str
    budget: float | None = None
    peers: Mapping[str, float | str] = field(default_factory=dict)
    beat: tuple[str, ...] = ()
    note: str = ""

    @property
    def faster(self) -> list[str]:
        """Peers that beat us although they must not."""
        figures = {name: self.peers.get(name) for name in self.beat}
        return [name for name, figure in figures.items() if isinstance(figure, float) and figure < self.ours]

    @property
    def verdict(self) -> str:
        """Whether the budget is met, or by how much it is missed."""
        said = []
        if self.budget is not None:
            over = self.ours / self.budget - 1 if self.budget else self.ours
            said.append("met" if self.ours <= self.budget else f"MISSED by {over:.0%}")
        said += [
            f"SLOWER than {name} by {self.ours / float(self.peers[name]) - 1:.0%}" for name in self.faster
        ]
        return ", ".join(said)


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def words(row: Row) -> str:
    """One row as lines of text."""
    budget = "" if row.budget is None else f"budget {number(row.budget)}"
    lines = [f"{row.what:<62}{number(row.ours):>9} {row.unit:<9}{budget:<13} {row.verdict}".rstrip()]
    for name, figure in row.peers.items():
        if isinstance(figure, str):
            lines.append(f"    {name:<58} NOT MEASURED: {figure}")
        else:
            ratio = f"ratio {number(figure / row.ours)}" if row.ours else ""
            lines.append(f"    {name:<58}{number(figure):>9} {row.unit:<9}{ratio}".rstrip())
    if row.note:
        lines.append(f"    ({row.note})")
    return "\n".join(lines)


def best(function: Callable[[], object], times: int) -> float:
    """Seconds of the fastest of some calls: the one that other processes disturbed least."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        spent.append(time.perf_counter() - start)
    return min(spent)


def main(about: str, measure: Callable[[bool], Iterator[Row | str]]) -> None:
    """Run a benchmark from the command line."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to see whether it works")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    arguments = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # processes start as they do for a user
    rows: list[object] = []
    try:
        for row in measure(arguments.quick):
            print(row if isinstance(row, str) else words(row), flush=True)
            rows.append(row if isinstance(row, str) else asdict(row))
    finally:  # what was measured before a failure counts
        if arguments.json:
            arguments.json.write_text(json.dumps(rows))
