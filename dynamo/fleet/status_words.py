"""How a fleet stands, in the terminal: what there is and costs, what is wrong, and how it went in the last hour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dynamo.fleet.record import WorkerRecord
from dynamo.graph.units import format_count, format_seconds

__all__ = ["sparkline", "status_words"]

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 60


def sparkline(values: Sequence[float], width: int = _WIDTH) -> str:
    """Return a line of bars, the largest value the highest; of more values than `width`, the largest of some each.

    >>> sparkline([0, 1, 2, 4])
    '▁▂▄█'
    """
    if not values:
        return ""
    step = max(len(values) / width, 1.0)
    shown = [
        max(values[int(n * step) : max(int((n + 1) * step), int(n * step) + 1)])
        for n in range(int(len(values) / step))
    ]
    most = max(shown)
    return "".join(_BARS[int(value / most * 7 + 0.5)] if most > 0 else _BARS[0] for value in shown)


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
    yield (f"  queue     {data['waiting']} waiting, {data['running']} running")
    yield (
        f"  cores     {data['cores']} paid, {data['ready']} in the pool, {data['busy']} busy; "
        f"{data['target']:.0f} wanted by {data['policy']}"
    )
    yield f"  cost      {data['usd_per_hour']:.2f} dollars an hour, {data['usd_today']:.2f} today (UTC)"
    late = {kind: share for kind, share in data["lateness"].items() if share > 0}
    yield "  late      " + (
        ", ".join(f"{kind} {share:.0%}" for kind, share in late.items()) or "nothing in the last hour"
    )
    for name, key in (("demand", "target"), ("supply", "ready"), ("cost", "usd_per_hour")):
        values = [float(one[key]) for one in history]
        if values:
            yield f"  {name:9} {sparkline(values)} {min(values):g} to {max(values):g}"
    for one in workers:
        stage = f"{one.stage} for {format_seconds(max(now - one.since, 0.0))}"
        yield f"  {one.name}  {stage}, {format_count(one.cores, 'core')} at {one.provider}: {one.why}"
    for name, why in data["troubles"].items():
        yield f"  ! {name}: {why}"
    for name, why in data["out"].items():
        yield f"  ! {name} is out of service: {why} (dynamo fleet resume --group {name})"
    for name, (until, why) in data["rests"].items():
        yield f"  ! {name} is not asked for {format_seconds(max(until - now, 0.0))}: {why}"
