"""The sections of a report as HTML; everything that comes from a run is escaped here, and only here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dynamo.graph.units import format_bytes, format_seconds
from dynamo.report.colours import STATES, STEPS
from dynamo.report.facts import TOLD, Fault, RunFacts, StepFacts
from dynamo.report.gantt import gantt
from dynamo.report.markup import Cell, count, escape, href, link, listed, memory, section, table, took
from dynamo.report.picture import family, picture
from dynamo.report.products import Product
from dynamo.report.svg import svg

__all__ = ["failures", "graph", "header", "products", "reasons", "steps", "tasks", "timeline"]

#: Rows that a table has at most, and boxes of a graph.
ROWS, SLOWEST, BOXES = 400, 12, 400
#: Images whose names differ only in numbers are a strip from so many on.
SERIES = 4
#: Files up to which a table of them is not folded away.
UNFOLDED = 30
_NUMBER = re.compile(r"\d+")
_WORDS = {"waiting": "not run", "done": "ran"}


def header(facts: RunFacts) -> str:
    """Return what ran, how it ended, when and how long, and with which settings."""
    run, counts = facts.run, facts.counts
    cards = [_card("tasks", f"{len(facts.graph.tasks):,}")]
    cards += [_card(_WORDS.get(s, s), f"{counts[s]:,}", s) for s in ("done", "reused", *STATES) if counts[s]]
    cards = list(dict.fromkeys(cards))
    cards.append(_card("took", format_seconds(max(facts.ended - run.created, 0))))
    cpu = sum(a.cpu for a in facts.attempts)
    cards += [_card("CPU", format_seconds(cpu))] if cpu else []
    rows = [
        ("run", run.id),
        ("began", _when(run.created)),
        ("ended", _when(run.ended) if run.ended else "not yet"),
    ]
    rows += [(k, str(v)) for k, v in _flat(run.settings)]
    listed = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in rows)
    return (
        f'<header><p class="kind">dynamo run report</p><h1>{escape(run.workflow)} '
        f'<span class="state {facts.state}">{facts.state}</span></h1>'
        f'<ul class="cards">{"".join(cards)}</ul><dl class="facts">{listed}</dl></header>'
    )


def _card(what: str, value: str, state: str = "") -> str:
    return f'<li class="{state}"><b>{escape(value)}</b> {escape(what)}</li>'


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the settings that say something, those inside others under ``outer.inner``."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, (list, tuple)):
            if value:
                yield f"{prefix}{key}", ", ".join(map(str, value))
        elif value is not None and value != "":
            yield f"{prefix}{key}", value


def failures(facts: RunFacts, base: str) -> str:
    """Return the tasks that failed, the cause first; empty where none did."""
    if not facts.faults:
        return ""
    told = "".join(_fault(fault, base) for fault in facts.faults[:TOLD])
    rest = facts.faults[TOLD:]
    if rest:
        told += f"<p>Failed in other ways: {listed([f.task for f in rest])}</p>"
    return section("failures", f"What failed ({count(facts.counts['failed'], 'task')})", told)


def _fault(fault: Fault, base: str) -> str:
    parts = [
        f"<h3>{escape(fault.task)}</h3>",
        f'<p class="error">{escape(fault.error)}</p>',
        f'<p class="muted">called at {escape(fault.place)}, {count(fault.attempts, "attempt")}</p>',
    ]
    if fault.tail:
        parts.append(
            f"<details open><summary>Last lines it wrote</summary><pre>{escape(fault.tail)}</pre></details>"
        )
    if fault.log:
        parts.append(f"<p>Full log: {link(fault.log, base, fault.log)}</p>")
    if fault.sandbox:
        parts.append(f"<p>Folder in which it ran: {link(fault.sandbox, base, fault.sandbox)}</p>")
    if fault.alike:
        parts.append(f"<p>Failed in the same way: {listed(fault.alike)}</p>")
    if fault.blocked:
        parts.append(f"<p>Could not run because of it: {listed(fault.blocked)}</p>")
    return f'<article class="fault">{"".join(parts)}</article>'


def graph(facts: RunFacts) -> str:
    """Return the drawing of the graph, coloured by what became of the tasks."""
    drawn = picture(facts.graph)
    if len(drawn.boxes) > BOXES or len(drawn.arrows) > 5 * BOXES:
        text = f"<p>The graph has {len(drawn.boxes):,} steps, too many to look at here.</p>"
        return section("graph", "Graph", text)
    states = {
        key: Counter(facts.states[m] for m in box.members)
        for key, box in drawn.boxes.items()
        if box.kind != "source"
    }
    notes = {key: _told(states[key]) if key in states else box.count for key, box in drawn.boxes.items()}
    used = [s for s in STATES if facts.counts[s]]
    legend = "".join(f'<li><i class="{s}"></i>{_WORDS.get(s, s)}</li>' for s in used)
    picked = svg(drawn, states=states, notes=notes, standalone=False)
    return section("graph", "Graph", f'<div class="wide">{picked}</div><ul class="legend">{legend}</ul>')


def _told(states: Mapping[str, int]) -> str:
    return ", ".join(f"{states[s]:,} {_WORDS.get(s, s)}" for s in STATES if states.get(s))


def timeline(facts: RunFacts) -> str:
    """Return the chart of attempts by worker, with its legend."""
    if not facts.attempts:
        return ""
    colours = _colours(facts.steps)
    known = facts.graph.tasks

    def step_of(task: str) -> str:
        return family(known[task].step)

    ran = [s for s in sorted(facts.steps, key=lambda s: colours[s.step]) if s.attempts]
    legend = [f'<li><i class="s{colours[s.step]}"></i>{escape(s.step)}</li>' for s in ran[: len(STEPS) - 1]]
    legend += ['<li><i class="s8"></i>others</li>'] if len(ran) > len(STEPS) - 1 else []
    bad = any(a.outcome not in ("ok", "running", "blocked") for a in facts.attempts)
    legend += ['<li><i class="bad"></i>failed, lost or timed out</li>'] if bad else []
    drawn = gantt(facts.attempts, step_of, colours, facts.ended)
    return section(
        "timeline",
        "Who did what when",
        f'<div class="wide">{drawn}</div><ul class="legend">{"".join(legend)}</ul>',
    )


def _colours(found: Sequence[StepFacts]) -> dict[str, int]:
    """Give the steps that took longest a colour of their own."""
    ordered = sorted(found, key=lambda s: -s.total)
    return {s.step: min(i, len(STEPS) - 1) for i, s in enumerate(ordered)}


def steps(facts: RunFacts) -> str:
    """Return the table of steps: counts, time, CPU, memory."""
    head = ("step", "tasks", "ran", "reused", "failed", "total", "median", "longest", "CPU", "peak memory")
    rows = []
    for s in facts.steps[:ROWS]:
        failed = s.states.get("failed", 0) + s.states.get("blocked", 0)
        times = [took(x) if s.attempts else ("", 0.0) for x in (s.total, s.median, s.longest, s.cpu)]
        counts = [sum(s.states.values()), s.states.get("done", 0), s.states.get("reused", 0), failed]
        rows.append(
            [(escape(s.step), None), *((f"{n:,}" if n else "", n) for n in counts), *times, memory(s.peak)]
        )
    return section("steps", "Steps", table(head, rows) + _left_out(len(facts.steps)))


def tasks(facts: RunFacts) -> str:
    """Return the table of attempts, the longest first; all but the first few folded away."""
    tried = [a for a in facts.attempts if a.ended is not None and a.outcome != "blocked"]
    if not tried:
        return ""
    tried.sort(key=lambda a: a.started - (a.ended or 0))
    head = ("task", "attempt", "outcome", "took", "CPU", "memory", "worker", "began at")
    begin = facts.run.created
    rows = [
        [
            (escape(a.task), None),
            (str(a.n), a.n),
            (f'<span class="{"done" if a.outcome == "ok" else "failed"}">{a.outcome}</span>', None),
            took((a.ended or 0) - a.started),
            took(a.cpu),
            memory(a.peak),
            (escape(a.worker), None),
            took(a.started - begin),
        ]
        for a in tried[:ROWS]
    ]
    body = table(head, rows[:SLOWEST])
    if len(rows) > SLOWEST:
        body += (
            f"<details><summary>{len(rows) - SLOWEST:,} more</summary>{table(head, rows[SLOWEST:])}</details>"
        )
    return section("tasks", "Tasks that took longest", body + _left_out(len(tried)))


def _left_out(count: int) -> str:
    return f'<p class="muted">The first {ROWS:,} of {count:,} are listed.</p>' if count > ROWS else ""


def reasons(facts: RunFacts) -> str:
    """Return why tasks ran and why others did not have to."""
    if not facts.reasons:
        return ""
    rows = [
        [
            (escape(r.step), None),
            (_WORDS.get(r.state, r.state), None),
            (f"{r.count:,}", r.count),
            (
                escape(r.reason)
                + (f' <span class="muted">(as {escape(r.task)})</span>' if r.count > 1 else ""),
                None,
            ),
        ]
        for r in facts.reasons[:ROWS]
    ]
    body = table(("step", "what", "tasks", "because"), rows)
    return section("reasons", "Why it ran", body + _left_out(len(facts.reasons)))


def products(found: Sequence[Product], base: str) -> str:
    """Return the products: pictures of those that are images, and a table of the others."""
    if not found:
        return ""
    series: dict[str, list[Product]] = {}
    for p in found:
        if p.image:
            series.setdefault(_NUMBER.sub("#", p.name), []).append(p)
    alone = [p for alike in series.values() if len(alike) < SERIES for p in alike]
    shown = f'<div class="gallery">{_figures(alone, base)}</div>' if alone else ""
    for alike in series.values():
        if len(alike) >= SERIES:
            label = escape(f"{alike[0].name} to {alike[-1].name}")
            ordered = sorted(alike, key=lambda p: _natural(p.name))
            strip = f'<div class="strip" role="group" aria-label="{label}" tabindex="0">'
            shown += f"{strip}{_figures(ordered, base)}</div>"
    others = sorted((p for p in found if not p.image), key=lambda p: _natural(p.name))
    if others:
        body = _files(others, base) + _left_out(len(others))
        opened = "" if shown or len(others) > UNFOLDED else " open"
        shown += f"<details{opened}><summary>{count(len(others), 'file')}</summary>{body}</details>"
    total = format_bytes(sum(p.size for p in found))
    return section("products", f"Products ({len(found):,}, {total})", shown)


def _files(found: Sequence[Product], base: str) -> str:
    """Return a table of files, with the number of features where any of them is GeoJSON."""
    counted = any(p.features is not None for p in found)
    rows: list[list[Cell]] = []
    for p in found[:ROWS]:
        row: list[Cell] = [(_named(p, base), None), (format_bytes(p.size), p.size)]
        row += [("", -1) if p.features is None else (f"{p.features:,}", p.features)] if counted else []
        rows.append(row)
    return table(("file", "size", "features") if counted else ("file", "size"), rows)


def _figures(images: Sequence[Product], base: str) -> str:
    return "".join(
        f'<figure>{_opened(p, base)}<img src="{p.image}" alt="{escape(p.name)}">'
        f"{'</a>' if p.path else ''}<figcaption>{_named(p, base)}</figcaption></figure>"
        for p in images
    )


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort numbers in names as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _opened(p: Product, base: str) -> str:
    return f'<a href="{href(p.path, base)}">' if p.path else ""


def _named(p: Product, base: str) -> str:
    return (
        link(p.path, base, p.name)
        if p.path
        else f'{escape(p.name)} <span class="muted">(no longer there)</span>'
    )
