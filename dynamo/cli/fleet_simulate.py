"""``dynamo fleet simulate``: try policies on a trace of jobs, without a cloud, and compare them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynamo.errors import UserError, nearest

if TYPE_CHECKING:
    from dynamo.fleet.compare import Comparison, Wanted
    from dynamo.fleet.simulator import Scenario, Trace

__all__ = ["simulate_"]

_ESTIMATES = ("exact", "noisy", "half", "learned", "seasoned")
#: Figure, head of its column, and whether the least and the most are shown.
_COLUMNS = (
    ("cores", "cores paid", True),
    ("late", "late %", True),
    ("late_p99", "p99 late s", False),
    ("usd", "USD", False),
    ("utilisation", "used %", False),
    ("launches", "starts/h", False),
    ("theta_u", "theta_U", False),
    ("theta_o", "theta_O", False),
    ("tau_u", "tau_U", False),
    ("tau_o", "tau_O", False),
    ("upsilon", "upsilon", False),
    ("slowdown", "slowdown", False),
    ("refused", "refused", False),
)


@click.command("simulate")
@click.argument("trace")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="NAME[:SETTING=VALUE,...]",
    help="A policy to try; may be repeated. All, if none is named.",
)
@click.option("--seeds", default=10, show_default=True, metavar="N", help="How many times, with other draws.")
@click.option(
    "--boot", default="", metavar="SECONDS[,...]", help="Median boot time of all machines; each is tried."
)
@click.option(
    "--world",
    default="plain",
    show_default=True,
    metavar="NAME|FILE",
    help="What can be bought, and goes wrong.",
)
@click.option("--interval", type=float, metavar="SECONDS", help="Seconds from a decision to the next.")
@click.option("--estimates", type=click.Choice(_ESTIMATES), help="What is known of a job before it ran.")
@click.option("--every", type=float, metavar="SECONDS", help="Replay recorded runs so many seconds apart.")
@click.option(
    "--within",
    type=float,
    metavar="SECONDS",
    help="The jobs of a replayed run are due so long after it began.",
)
@click.option(
    "--forecast",
    type=click.Choice(("nowcast", "clocks", "none")),
    help="What a policy is told of the cycles to come: with errors, as a live fleet is, or nothing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all figures of all seeds as JSON.")
@click.option(
    "--chart", type=click.Path(dir_okay=False, path_type=Path), help="Draw demand, cost and lateness: an SVG."
)
@click.option(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the trace of the first seed to a file.",
)
def simulate_(
    trace: str, policies: tuple[str, ...], *, seeds: int, boot: str, world: str, as_json: bool, **rest: Any
) -> None:
    """Try policies on TRACE, and print what each pays, and what is late: the median over the seeds, least and most.

    TRACE is calm, onset, squall, burst or first (weather that is made up, of another seed each time); a trace file,
    JSON or CSV; a folder of recorded runs, as FlowBench has them; or a workspace, whose runs are replayed. What is
    random but does not depend on a policy is the same for all of them.
    """
    from dynamo.fleet.compare import compare

    if seeds < 1:
        raise UserError("There must be at least 1 seed: --seeds 1.")
    _check_written(rest["chart"], rest["save"])
    make = _trace_of(trace, rest["every"], rest["within"])
    worlds = _worlds(world, boot, rest["interval"], rest["estimates"], rest["forecast"])
    wanted = _wanted(policies)
    if rest["save"]:
        from dynamo.fleet.simulator.trace_file import write_trace

        write_trace(make(0), rest["save"])
    found = []
    for each in compare(make, worlds, wanted, range(seeds)):
        found.append(each)
        if sys.stderr.isatty():
            click.echo(f"\r{len(found)} of {len(worlds) * len(wanted)} simulated ", err=True, nl=False)
    if sys.stderr.isatty():
        click.echo("\r" + " " * 40 + "\r", err=True, nl=False)
    print(json.dumps([_as_dict(each) for each in found], indent=2) if as_json else _table(found, seeds))
    if rest["chart"]:
        from dynamo.fleet.simulator.chart import draw

        shown = [each for each in found if each.boot == found[0].boot]
        runs = [(each.policy, each.record, each.outcomes) for each in shown]
        draw(runs, rest["chart"], f"boots of {found[0].boot:g} s")


def _check_written(chart: Path | None, save: Path | None) -> None:
    """Refuse files that could not be written when all is simulated."""
    for path in (chart, save):
        if path is not None and not path.parent.is_dir():
            raise UserError(
                f"There is no folder {str(path.parent)!r} to write {path.name} into: make it first."
            )
    if chart is not None:
        from matplotlib.backend_bases import FigureCanvasBase

        known = FigureCanvasBase.get_supported_filetypes()
        if (form := chart.suffix[1:].lower()) not in known:
            raise UserError(
                f"A chart cannot be drawn as {chart.suffix or 'a file without an ending'!r}"
                f"{nearest(form, known)}: --chart chart.svg, or .png."
            )


def _trace_of(name: str, every: float | None, within: float | None) -> Callable[[int], Trace]:
    """Return what makes the trace of a seed."""
    from dynamo.fleet.simulator import TRACES

    if name in TRACES:
        return TRACES[name]
    path = Path(name)
    if not path.exists():
        known = ", ".join(TRACES)
        raise UserError(
            f"There is no trace {name!r}{nearest(name, TRACES)}, and no such file. There are: {known}."
        )
    made = _recorded(path, every, within)
    return lambda _seed: made


def _recorded(path: Path, every: float | None, within: float | None) -> Trace:
    from dynamo.fleet.simulator.replay import from_flowbench, from_journal, is_flowbench
    from dynamo.fleet.simulator.trace_file import read_trace
    from dynamo.journal import Journal, Workspace

    late = float("inf") if within is None else within
    if path.is_dir():
        files = sorted([*path.glob("*.csv"), *path.glob("*.csv.gz")])
        if files:
            return from_flowbench(files, every=every, within=late, name=path.name)
        with Journal(Workspace.find(path).journal) as journal:
            return from_journal(journal, within=late, name=path.resolve().name)
    if is_flowbench(path):
        return from_flowbench([path], every=every, within=late, name=path.name.split(".")[0])
    return read_trace(path)


def _worlds(
    name: str, boot: str, interval: float | None, estimates: str | None, forecast: str | None
) -> list[Scenario]:
    """Return the worlds to try, one for each boot time."""
    from dynamo.fleet.compare import with_boot
    from dynamo.fleet.simulator.world import WORLDS, read_world

    if name not in WORLDS and not Path(name).exists():
        known = ", ".join(WORLDS)
        raise UserError(
            f"There is no world {name!r}{nearest(name, WORLDS)}, and no such file. There are: {known}."
        )
    world = WORLDS[name]() if name in WORLDS else read_world(Path(name))
    if interval is not None:
        if not interval > 0:
            raise UserError(f"The time between decisions must be above 0, not {interval:g}: --interval 10.")
        world = replace(world, interval=interval)
    if forecast:
        world = replace(world, forecast=forecast)
    if estimates:
        world = replace(world, estimates=estimates)
    return [with_boot(world, seconds) for seconds in _seconds(boot)] or [world]


def _seconds(text: str) -> list[float]:
    try:
        found = [float(each) for each in text.split(",") if each.strip()]
    except ValueError:
        found = [-1.0]
    if any(not 0 <= each < float("inf") for each in found):
        raise UserError(f"Boot times are seconds, like --boot 45,120,300, not {text!r}.")
    return found


def _wanted(policies: Sequence[str]) -> list[Wanted]:
    """Return the policies that were named, or all of them."""
    from dynamo.fleet.compare import Wanted
    from dynamo.fleet.policies.named import FORESEEING, NAMES
    from dynamo.fleet.policies.written import written

    found = []
    for text in policies or [name for name in (*NAMES, *FORESEEING) if name not in {"static", "least"}]:
        name, settings = written(text)
        found.append(Wanted(name, settings, text))
    return found


def _as_dict(found: Comparison) -> dict[str, Any]:
    from dynamo.fleet.compare import FIGURES

    medians = {figure: found.median(figure) for figure in FIGURES}
    return {
        "policy": found.policy,
        "boot": found.boot,
        "median": medians,
        "seeds": [asdict(each) for each in found.outcomes],
    }


def _table(found: Sequence[Comparison], seeds: int) -> str:
    """Return the figures of all policies, by boot time."""
    trace = found[0].record.trace
    mean = trace.work / trace.until
    lines = [
        f"{trace.name}: {len(trace.jobs)} jobs, {mean:.1f} cores of mean work; median of {seeds} seeds (least to most)"
    ]
    for boot in dict.fromkeys(each.boot for each in found):
        rows = [["policy", *(head for _, head, _ in _COLUMNS)]]
        rows += [_row(each) for each in found if each.boot == boot]
        widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
        lines += ["", f"boot {boot:g} s"]
        lines += ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
        lines += [
            f"{each.policy}: up to {left} of {len(trace.jobs)} jobs were never done"
            for each in found
            if each.boot == boot and (left := max(one.jobs - one.done for one in each.outcomes))
        ]
    return "\n".join(lines)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = [*zip(row, widths, strict=True)]
    return [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]


def _row(found: Comparison) -> list[str]:
    row = [found.policy]
    for figure, _, spread in _COLUMNS:
        text = _figure(found.median(figure))
        if spread:
            low, high = found.spread(figure)
            text += f" ({_figure(low)} to {_figure(high)})"
        row.append(text)
    return row


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.2f}" if value < 10 else f"{value:.1f}"
