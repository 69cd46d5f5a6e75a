"""A chart of simulations: what was needed and what was paid for over time, and what it cost and was late in all."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dynamo.fleet.simulator.model import Record
from dynamo.fleet.simulator.outcome import Outcome, demand_curve, paid_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

#: Panels in a row.
_BESIDE = 3


def draw(runs: Sequence[tuple[str, Record, Sequence[Outcome]]], path: Path, boots: str) -> None:
    """Draw runs as a picture, SVG or what the name ends in.

    Parameters
    ----------
    runs
        Of each policy its name, one record, and the outcomes of all seeds. All records are of one trace.
    path
        Where.
    boots
        How long machines boot, in words.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    colours = [f"C{place % 10}" for place in range(len(runs))]
    rows = -(-len(runs) // _BESIDE)
    with rc_context({"svg.hashsalt": "dynamo", "font.size": 9}):
        figure = Figure(figsize=(10, 1.9 * rows + 3.2), layout="constrained")
        figure.suptitle(
            f"{runs[0][1].trace.name}, {boots}, seed {runs[0][1].seed}: demand (grey) and cores paid",
            x=0.01,
            ha="left",
        )
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.9 * rows, 3.0))[:, 0]
        panels = above.subplots(rows, min(_BESIDE, len(runs)), sharex=True, sharey=True, squeeze=False)
        _over_time(panels.flat, runs, colours)
        cost, late = below.subplots(1, 2)
        names = [name for name, _, _ in runs]
        _bars(cost, names, [[each.cores for each in outcomes] for _, _, outcomes in runs], colours)
        cost.set_title("mean cores paid: median, least to most", loc="left")
        _bars(late, names, [[each.late for each in outcomes] for _, _, outcomes in runs], colours)
        late.set_title("per cent of jobs late: median, least to most", loc="left")
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _over_time(
    panels: Iterable[Axes], runs: Sequence[tuple[str, Record, Sequence[Outcome]]], colours: Sequence[str]
) -> None:
    trace = runs[0][1].trace
    demand = demand_curve(trace)
    hours = demand.times[:-1] / 3600.0
    shown = iter(panels)
    curves = [paid_curve(record) for _, record, _ in runs]
    most = max(curve.peak for curve in [demand, *curves])
    for place, ((name, _, _), paid, colour) in enumerate(zip(runs, curves, colours, strict=True)):
        axes = next(shown)
        axes.fill_between(hours, demand.values, step="post", color="0.7", lw=0)
        axes.stairs(paid.values, paid.times / 3600.0, baseline=None, color=colour, lw=1.1)
        axes.set_title(name, loc="left", color=colour, fontsize=9)
        axes.set_xlim(0.0, trace.until / 3600.0)
        axes.set_ylim(0.0, 1.05 * max(most, 1.0))
        if place % _BESIDE == 0:
            axes.set_ylabel("cores")
        if place >= len(runs) - _BESIDE:  # the lowest of its column
            axes.set_xlabel("hours")
            axes.tick_params(labelbottom=True)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in shown:
        axes.set_visible(False)


def _bars(
    axes: Axes, names: Sequence[str], values: Sequence[Sequence[float]], colours: Sequence[str]
) -> None:
    """Draw the median of each policy as a bar, with a line from the least to the most, and its number."""
    middles = [statistics.median(some) for some in values]
    places = range(len(names))
    axes.barh(places, middles, color=colours)
    for place, some in enumerate(values):
        axes.plot([min(some), max(some)], [place, place], color="0.2", lw=1.0)
        axes.annotate(f" {middles[place]:.3g}", (max(some), place), va="center", fontsize=8)
    axes.set_yticks(list(places), names)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
