"""How a fleet stands, in the terminal: what there is and costs, what is wrong, and how it went in the last hour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dynamo.fleet.record import WorkerRecord
from dynamo.graph.units import format_count, format_seconds

__all__ = ["late", "sparkline", "status_words"]

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 60
#: A turn is late after so many intervals, of so many seconds at least, as for `dynamo.fleet.metrics_service`.
_LATE, _SHORTEST = 3.0, 3.0
#: What is drawn, and where it stands in a row of the history.
_CHARTS = {"demand": "demand", "supply": "supply", "cost": "usd_per_hour"}


def late(data: Mapping[str, Any], now: float) -> float:
    """Return for how many seconds no turn has ended, where that is too long; else 0.

    >>> late({"at": 100.0, "interval": 10.0}, 120.0), late({"at": 100.0, "interval": 10.0}, 161.0)
    (0.0, 61.0)
    """
    age = now - data["at"]
    return age if age > _LATE * max(data.get("interval", now), _SHORTEST) else 0.0


def sparkline(values: Sequence[float], width: int = _WIDTH, most: float = 0.0) -> str:
    """Return a line of bars; of more values than `width`, the largest of some each.

    The highest bar is the largest value, or `most` where that is larger.

    >>> sparkline([0, 1, 2, 4])
    '▁▃▅█'
    """
    if not values:
        return ""
    bars, count = min(len(values), width), len(values)
    shown = [max(values[n * count // bars : (n + 1) * count // bars]) for n in range(bars)]
    most = max(most, *shown)
    return "".join(_BARS[int(value / most * 7 + 0.5)] if value > 0 else _BARS[0] for value in shown)


def status_words(
    slice_: str,
    data: Mapping[str, Any],
    controller: str,
    workers: Sequence[WorkerRecord],
    history: Sequence[Mapping[str, Any]],
    now: float,
) -> str:
    """Return the lines that ``dynamo fleet status`` prints."""
    return "\n".join(_lines(slice_, data, controller, workers, history, now))


def _lines(
    slice_: str,
    data: Mapping[str, Any],
    controller: str,
    workers: Sequence[WorkerRecord],
    history: Sequence[Mapping[str, Any]],
    now: float,
) -> Iterator[str]:
    ago = format_seconds(max(now - data["at"], 0.0))
    who = f"{controller} looks after it" if controller else "NOBODY looks after it"
    yield f"fleet {slice_}: {who}; this was so {ago} ago{', PAUSED' if data['paused'] else ''}"
    yield from _work(data)
    yield from _money(data)
    yield from _quality(data)
    yield from _charts(history)
    yield from _trial(data.get("shadow") or {}, data["policy"], now)
    for one in workers:
        stage = f"{one.stage} for {format_seconds(max(now - one.since, 0.0))}"
        yield f"  {one.name}  {stage}, {format_count(one.cores, 'core')} at {one.provider}: {one.why}"
    if controller and late(data, now):
        yield f"  ! no turn has ended for {ago}; one is due each {format_seconds(data['interval'])}"
    for name, why in data["troubles"].items():
        yield f"  ! {name}: {why}"
    for name, why in data["out"].items():
        yield f"  ! {name} is out of service: {why} (dynamo fleet resume --group {name})"
    for name, (until, why) in data["rests"].items():
        left = format_seconds(max(until - now, 0.0))
        group = name.partition("/")[0]
        yield f"  ! {name} is not asked for {left}: {why} (sooner: dynamo fleet resume --group {group})"


def _work(data: Mapping[str, Any]) -> Iterator[str]:
    overdue = f", {data['overdue']:,} OVERDUE" if data["overdue"] else ""
    yield (
        f"  queue     {data['waiting']:,} waiting, {data['running']:,} running{overdue}; "
        f"{data['work']:,.0f} core-seconds left"
    )
    yield (
        f"  cores     {data['cores']:,} paid, {data['ready']:,} in the pool, {data['busy']:,} busy; "
        f"{data['target']:,.0f} wanted by {data['policy']}, {data['demand']:,.1f} needed by the queue"
    )
    for at, work, why in data.get("coming", ()):
        soon = format_seconds(max(at - data["at"], 0.0))
        yield f"  next      {work:,.0f} core-seconds in {soon}: {why}"
    if data["paused"]:
        yield "  why       somebody has paused it: nothing is bought or let go (dynamo fleet resume)"
    elif why := data.get("why"):
        yield f"  why       {'; '.join(one.rstrip('.') for one in why)}"


def _money(data: Mapping[str, Any]) -> Iterator[str]:
    limits = data["limits"]
    hour, day = (f" of {limits[key]:.2f}" if key in limits else "" for key in ("usd_per_hour", "usd_per_day"))
    yield f"  cost      {data['usd_per_hour']:.2f}{hour} dollars an hour, {data['usd_today']:.2f}{day} today (UTC)"


def _quality(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was late, how long boots took, what failed, and how well supply followed demand."""
    late = [f"{kind} {one['late']:,} of {one['due']:,}" for kind, one in data["jobs"].items() if one["late"]]
    done = sum(one["done"] for one in data["jobs"].values())
    yield f"  late      {', '.join(late) or 'nothing'} in the last hour; {format_count(done, 'job')} done"
    for offer, (count, half, most) in data["boots"].items():
        yield (
            f"  boot      {offer}: half within {format_seconds(half)}, nine in ten within {format_seconds(most)}, "
            f"of {count:,}"
        )
    failed = ", ".join(f"{group} {format_count(n, 'machine')}" for group, n in data["failures"].items())
    yield f"  failed    {failed or 'nothing'} in the last day"
    if said := data["elasticity"]:
        yield (
            f"  followed  theta_U {said['theta_u']:.0f}% missing, in {said['tau_u']:.0f}% of the last hour (tau_U); "
            f"theta_O {said['theta_o']:.0f}% too much, in {said['tau_o']:.0f}% (tau_O)"
        )


def _trial(shadow: Mapping[str, Any], acting: str, now: float) -> Iterator[str]:
    """Yield what a policy on trial would have done, against the one that decides."""
    if not shadow:
        return
    name, ours, other = shadow["name"], shadow["acting"], shadow["candidate"]
    if shadow["failed"]:
        yield f"  shadow    {name} FAILED: {shadow['failed']}; nothing else comes of it"
    since = format_seconds(max(now - shadow["since"], 0.0))
    if not shadow["seconds"] and shadow["failed"]:
        return
    if not shadow["seconds"]:
        yield f"  shadow    {name} decides on trial from now on"
        return
    whole = shadow["seconds"]
    yield (
        f"  shadow    {name} would pay {other['cores']:,.0f} cores now, {acting} pays {ours['cores']:,.0f}; in {since} "
        f"{other['usd']:.2f} dollars against {ours['usd']:.2f}"
    )
    yield (
        f"            {other['core_seconds'] / whole:,.1f} cores against {ours['core_seconds'] / whole:,.1f}, "
        f"{other['orders']:,} machines ordered against {ours['orders']:,}, too few cores in "
        f"{100 * other['missing'] / whole:.0f}% of the time against {100 * ours['missing'] / whole:.0f}%"
    )


def _charts(history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the last hour in bars; those of demand and supply are of one scale."""
    rows = [one for one in history if "demand" in one and "supply" in one]
    if not rows:
        return
    charts = {name: [float(one[key]) for one in rows] for name, key in _CHARTS.items()}
    most = max(*charts["demand"], *charts["supply"])
    for name, values in charts.items():
        bars = sparkline(values, most=most if name != "cost" else 0.0)
        yield f"  {name:9} {bars} {min(values):g} to {max(values):g}"
