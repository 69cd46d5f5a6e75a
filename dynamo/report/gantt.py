"""When which worker did what: the attempts of a run as SVG, legible for ten of them and for ten thousand.

Attempts too short to be seen one by one are drawn as one block that says how many it holds; long spans in which
nothing ran (a run that was resumed the next day) are cut out of the axis.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dynamo.graph.units import format_bytes, format_count, format_seconds
from dynamo.journal import Attempt
from dynamo.report.markup import escape

__all__ = ["gantt"]

WIDTH, LEFT, RIGHT = 1100.0, 84.0, 14.0
#: Height of all lanes together beyond which they become thinner, and the least and most of one.
TALL, THIN, THICK = 340.0, 5.0, 24.0
#: Blocks that are drawn at most, about; pixels below which attempts are joined; pixels of a cut in the axis.
BLOCKS, SMALL, CUT = 4000, 3.0, 30.0
_TICKS = (
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    20,
    30,
    60,
    120,
    300,
    600,
    1800,
    3600,
    7200,
    21600,
    86400,
)
_GOOD = ("ok", "running")


@dataclass(slots=True)
class _Block:
    """Attempts drawn as one rectangle."""

    start: float
    end: float
    attempts: list[Attempt]


def gantt(
    attempts: Sequence[Attempt], step_of: Callable[[str], str], colours: Mapping[str, int], end: float
) -> str:
    """Return the chart as SVG for a page that has its style; empty where nothing ran.

    Parameters
    ----------
    step_of
        Task id to the name of its step.
    colours
        Step to the number of its colour.
    end
        Unix time at which attempts end that are under way.
    """
    shown = [a for a in attempts if a.outcome != "blocked"]
    if not shown:
        return ""
    axis = _Axis.of(shown, end)
    lanes: dict[str, list[Attempt]] = {}
    for attempt in sorted(shown, key=lambda a: a.started):
        lanes.setdefault(attempt.worker, []).append(attempt)
    lane = max(THIN, min(THICK, TALL / len(lanes)))
    height = 26 + lane * len(lanes) + 6
    label = f"{format_count(len(shown), 'attempt')} on {format_count(len(lanes), 'worker')}"
    label += f" over {format_seconds(end - axis.begin)}"
    parts = [
        f'<svg class="gantt" role="img" viewBox="0 0 {WIDTH:.0f} {height:.0f}" aria-label="{label}">',
        *axis.draw(height),
    ]
    small = max(SMALL, WIDTH * len(lanes) / BLOCKS)
    for n, worker in enumerate(sorted(lanes, key=_natural)):
        y = 26 + n * lane
        if lane >= 10:
            parts.append(
                f'<text class="lane" x="{LEFT - 8:.0f}" y="{y + lane / 2 + 4:.1f}">{escape(worker[:13])}</text>'
            )
        top, thick = y + lane * 0.1, lane * 0.8
        parts += (
            _draw(block, step_of, colours, axis.begin, top, thick, end)
            for block in _blocks(lanes[worker], axis, end, small)
        )
    return "\n".join([*parts, "</svg>"])


def _natural(worker: str) -> tuple[int, str]:
    return len(worker), worker


@dataclass(frozen=True, slots=True)
class _Axis:
    """Time to pixels; spans: (from, to, pixel of from), with cuts between them."""

    begin: float
    spans: tuple[tuple[float, float, float], ...]
    scale: float

    @classmethod
    def of(cls, attempts: Sequence[Attempt], end: float) -> _Axis:
        """Join what ran into spans; an idle time longer than all work is cut out."""
        busy: list[list[float]] = []
        for start, stop in sorted((a.started, max(a.started, a.ended or end)) for a in attempts):
            if busy and start <= busy[-1][1]:
                busy[-1][1] = max(busy[-1][1], stop)
            else:
                busy.append([start, stop])
        work = sum(stop - start for start, stop in busy)
        joined = [busy[0]]
        for span in busy[1:]:
            if span[0] - joined[-1][1] <= max(work, 1.0):
                joined[-1][1] = span[1]
            else:
                joined.append(span)
        total = max(sum(stop - start for start, stop in joined), 1e-3)
        scale = max(WIDTH - LEFT - RIGHT - CUT * (len(joined) - 1), WIDTH / 3) / total
        spans, x = [], LEFT
        for start, stop in joined:
            spans.append((start, stop, x))
            x += (stop - start) * scale + CUT
        return cls(spans[0][0], tuple(spans), scale)

    def x(self, at: float) -> float:
        """Return the pixel of a time at which something ran."""
        start, stop, x = next(s for s in reversed(self.spans) if s[0] <= at)
        return x + (min(at, stop) - start) * self.scale

    def draw(self, height: float) -> Iterator[str]:
        """Yield ticks at round seconds since the start, and what is cut out."""
        tick = next((t for t in _TICKS if t * self.scale >= 70), _TICKS[-1])
        for (_, stop, _), (start, _, x) in pairwise(self.spans):
            told = escape(f"{format_seconds(start - stop)} idle")
            spot = f'x="{x - CUT + 4:.1f}" y="20" width="{CUT - 8:.0f}" height="{height - 20:.0f}"'
            yield f'<g><title>{told}</title><rect class="cut" {spot}/></g>'
        for start, stop, x in self.spans:
            first = -(-(start - self.begin) // tick)
            n = 0
            while (at := (first + n) * tick) <= stop - self.begin + 1e-9:
                px = x + (self.begin + at - start) * self.scale
                yield f'<line class="tick" x1="{px:.1f}" x2="{px:.1f}" y1="20" y2="{height:.0f}"/>'
                yield f'<text class="time" x="{px:.1f}" y="13">{format_seconds(at) if at else "0"}</text>'
                n += 1


def _blocks(attempts: Sequence[Attempt], axis: _Axis, end: float, small: float) -> Iterator[_Block]:
    """Join the neighbours on one lane that are too short to be seen by themselves."""
    block: _Block | None = None
    for attempt in attempts:
        x, to = axis.x(attempt.started), axis.x(max(attempt.started, attempt.ended or end))
        if block and to - x < small and x - block.end < small / 2 and block.end - block.start < 3 * small:
            block.end = max(block.end, to)
            block.attempts.append(attempt)
            continue
        if block:
            yield block
        block = _Block(x, to, [attempt])
    if block:
        yield block


def _draw(
    block: _Block,
    step_of: Callable[[str], str],
    colours: Mapping[str, int],
    begin: float,
    y: float,
    height: float,
    end: float,
) -> str:
    """Return one block, its height parted by the time that each step took of it."""
    seconds: dict[int, float] = {}
    for a in block.attempts:
        colour = colours[step_of(a.task)]
        seconds[colour] = seconds.get(colour, 0.0) + max((a.ended or end) - a.started, 1e-6)
    total, parts = sum(seconds.values()), []
    width = max(block.end - block.start, 1.0)
    for colour, took in sorted(seconds.items()):
        part = took / total * height
        parts.append(
            f'<rect class="s{colour}" x="{block.start:.1f}" y="{y:.1f}" width="{width:.1f}" height="{part:.1f}"/>'
        )
        y += part
    if any(a.outcome not in _GOOD for a in block.attempts):
        parts.append(
            f'<rect class="bad" x="{block.start:.1f}" y="{y - height:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
        )
    return f"<g><title>{escape(_told(block.attempts, step_of, begin, end))}</title>{''.join(parts)}</g>"


def _told(attempts: Sequence[Attempt], step_of: Callable[[str], str], begin: float, end: float) -> str:
    """Say in words what a block holds; its lines are those of a tooltip."""
    first, stop = attempts[0], max(a.ended or end for a in attempts)
    span = f"from {format_seconds(first.started - begin)} to {format_seconds(stop - begin)} on {first.worker}"
    cpu, peak = sum(a.cpu for a in attempts), max(a.peak for a in attempts)
    cost = f"CPU {format_seconds(cpu)}, memory {format_bytes(peak) if peak else 'unknown'}"
    if len(attempts) == 1:
        again = f" (attempt {first.n})" if first.n > 1 else ""
        error = f"\n{first.error[:200]}" if first.error else ""
        took = format_seconds((first.ended or end) - first.started)
        return f"{first.task}{again}: {first.outcome}, {took}\n{span}\n{cost}{error}"
    steps = Counter(step_of(a.task) for a in attempts)
    bad = sum(a.outcome not in _GOOD for a in attempts)
    listed = ", ".join(f"{n:,} x {step}" for step, n in steps.most_common(4))
    return f"{len(attempts):,} attempts{f', {bad:,} failed' if bad else ''}: {listed}\n{span}\n{cost}"
