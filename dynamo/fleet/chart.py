"""A chart of how a fleet followed its work: cores needed and cores there, jobs, and dollars, over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamo.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw"]

#: What a figure can be saved as here.
_FORMS = (".svg", ".png", ".pdf")
#: What is drawn of cores: the figure, what it is called, and its colour.
_CORES = (("cores", "paid", "C3"), ("ready", "in the pool", "C0"), ("busy", "busy", "C2"))
#: Seconds between two turns beyond which nobody looked: the line is broken.
_GAP = 900.0


def draw(name: str, rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw how a fleet stood over time, as SVG, PNG or PDF by the end of the name.

    Parameters
    ----------
    name
        Of the slice.
    rows
        As `dynamo.fleet.ledger.Ledger.history` returns them, the oldest first.
    path
        Where.

    Raises
    ------
    UserError
        There is nothing to draw, the name has another end, or the file cannot be written.
    """
    if path.suffix not in _FORMS:
        raise UserError(f"{path} should end in {', '.join(_FORMS)}")
    if len(rows) < 2:
        raise UserError(f"of the slice {name!r} nothing is known over time yet: dynamo fleet run")
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "dynamo", "font.size": 9}):
        figure = Figure(figsize=(9, 6.3), layout="constrained")
        figure.suptitle(f"{name}: what was needed, what was there, what it cost", x=0.01, ha="left")
        _panels(figure, rows)
        try:
            figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from error


def _panels(figure: Figure, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw cores, jobs and dollars, one above the other."""
    from matplotlib import dates, ticker

    untyped: Any = dates
    times = [float(untyped.date2num(datetime.fromtimestamp(row["at"], UTC))) for row in rows]
    cores, jobs, money = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 1.5))
    today = money.twinx()
    _area(cores, times, rows, "demand", "needed by the queue")
    for key, label, colour in _CORES:
        _line(cores, times, rows, key, label, colour)
    cores.set_ylabel("cores")
    _area(jobs, times, rows, "waiting", "waiting")
    _line(jobs, times, rows, "running", "running", "C2")
    jobs.set_ylabel("jobs")
    _line(money, times, rows, "usd_per_hour", "dollars an hour", "C3")
    _line(today, times, rows, "usd_today", "dollars today (UTC), on the right", "0.3")
    money.set_ylabel("US dollars")
    money.xaxis.axis_date()
    money.xaxis.set_major_formatter(untyped.ConciseDateFormatter(money.xaxis.get_major_locator()))
    money.set_xlabel("UTC")
    for axes in (cores, jobs, money, today):
        axes.set_ylim(bottom=0)
        axes.margins(x=0)
        axes.spines[["top", "right"]].set_visible(False)
        # Above the axes, where no line runs through it.
        place = ("lower right", (1.0, 0.98)) if axes is today else ("lower left", (0.0, 0.98))
        axes.legend(loc=place[0], bbox_to_anchor=place[1], frameon=False, ncols=4, borderaxespad=0.0)
    for axes in (cores, jobs):
        axes.yaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))


def _area(
    axes: Axes, times: Sequence[float], rows: Sequence[Mapping[str, Any]], key: str, label: str
) -> None:
    axes.fill_between(
        times, [row.get(key) or 0.0 for row in rows], step="post", color="0.82", lw=0, label=label
    )


def _line(
    axes: Axes, times: Sequence[float], rows: Sequence[Mapping[str, Any]], key: str, label: str, colour: str
) -> None:
    values: list[float] = []
    width = 3.0 if key == "cores" else 1.3  # it is seen behind those that are as high
    for row, before in zip(rows, [rows[0], *rows], strict=False):
        broken = row["at"] - before["at"] > _GAP
        values.append(float("nan") if broken else float(row.get(key) or 0.0))
    axes.step(
        times, values, where="post", color=colour, lw=width, alpha=0.5 if width > 2 else 1.0, label=label
    )
