"""A week of minutes in simulated time: ``python benchmarks/alerts_week.py``.

Storms pass over 70 subscribers. Each minute is judged by the real store, its deliveries are answered, and each
hour what ended more than a day ago is forgotten. Memory and the journal must not grow from day to day.
"""

from __future__ import annotations

import math
import random
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from dynamo.alerts.lifecycle import Cycle
from dynamo.alerts.match import Match
from dynamo.alerts.store import AlertStore
from dynamo.journal.database import Database
from dynamo.journal.old_alerts import forget_alerts
from rows import Row, main

DAY = 24 * 60
START = datetime(2026, 6, 1, tzinfo=UTC)
KEEP = timedelta(days=1)
SUBSCRIBERS = 70
LEADS = range(31)
WITHIN = 10.0
_SENT = "UPDATE deliveries SET state = 'sent', ended = due + 1, tries = 1 WHERE state = 'waiting'"
_TRIED = "INSERT INTO tries SELECT id, 1, due, 0.1, 'sent', 200, 'ok' FROM deliveries WHERE state = 'waiting'"


class Weather:
    """Circular storms (km) that cross a square of 200 km, each with its own way, size and life."""

    def __init__(self) -> None:
        self.chance = random.Random(5)
        spread = self.chance.uniform
        self.places = [(f"hospital-{n}", spread(0, 200), spread(0, 200)) for n in range(SUBSCRIBERS)]
        self.storms: list[tuple[float, ...]] = []

    def minute(self, minute: int) -> list[Match]:
        """The matches of one minute; new storms come in the afternoon."""
        self.storms = [storm for storm in self.storms if minute < storm[0]]
        if self.chance.random() < 0.04 * max(0.0, math.sin(2 * math.pi * (minute % DAY / DAY - 0.35))):
            spread = self.chance.uniform
            life = minute + spread(30, 180)
            self.storms.append(
                (life, minute, 0, spread(0, 200), spread(0.3, 1), spread(-0.5, 0.5), spread(3, 25))
            )
        return [match for place in self.places if (match := self.match(minute, *place))]

    def match(self, minute: int, name: str, x: float, y: float) -> Match | None:
        """What comes within the distance of a place in the next half hour."""
        found = []
        for _, born, left, low, east, north, size in self.storms:
            radius = size * (1 + 0.1 * self.chance.random())  # edges flicker
            for lead in LEADS:
                age = minute + lead - born
                edge = math.hypot(left + east * age - x, low + north * age - y) - radius
                if edge <= WITHIN:
                    found.append((edge, lead, 35.0 + 10 * (size > 10) + 10 * (self.chance.random() < 0.3)))
        if not found:
            return None
        edge, leads = min(found)[0], sorted(lead for _, lead, _ in found)
        onset, ends = (START + timedelta(minutes=minute + lead) for lead in (leads[0], leads[-1]))
        ring = [[x / 100 + math.cos(n) / 10, y / 100 + math.sin(n) / 10] for n in range(40)]
        return Match(
            name, x / 100, y / 100, "STORM", max(level for *_, level in found), "dBZ", onset, ends, edge <= 0,
            max(edge, 0.0), 90.0, WITHIN, WITHIN, "", {"type": "Polygon", "coordinates": [ring]}, "d" * 64,
        )  # fmt: skip


def size(path: Path) -> float:
    """Megabytes of the journal with its write-ahead log."""
    return sum(part.stat().st_size for part in path.parent.iterdir()) / 1e6


def memory() -> float:
    """Megabytes of this process."""
    return psutil.Process().memory_info().rss / 1e6


def week(path: Path, minutes: int) -> Iterator[tuple[int, int, float]]:
    """Judge minute after minute; yield for each: its number, how many alerts it made, and seconds it took."""
    weather = Weather()
    sender = Database(path, ())
    with AlertStore(path) as store:
        for minute in range(minutes):
            issued = START + timedelta(minutes=minute)
            matches = weather.minute(minute)
            start = time.perf_counter()
            cycle = Cycle("flow", f"run-{minute}", "STORM", issued, issued, channels=("hook", "mail"))
            told = store.judge(cycle, matches).alerts
            spent = time.perf_counter() - start
            if told:
                with sender.change():
                    sender.execute(_TRIED)
                    sender.execute(_SENT)
            if minute % 60 == 59:
                start = time.perf_counter()
                forget_alerts(path, before=(issued - KEEP).timestamp())
                spent += time.perf_counter() - start
            yield minute, len(told), spent
    sender.close()


def measure(quick: bool) -> Iterator[Row | str]:
    """Look at memory and journal at the end of each day."""
    days = 2 if quick else 7
    made, spent, largest = 0, 0.0, 0.0
    ends: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        for minute, told, seconds in week(path, days * DAY):
            made, spent = made + told, spent + seconds
            if minute % 60 == 59:
                largest = max(largest, size(path))
            if minute % DAY == DAY - 1:
                ends.append((memory(), size(path)))
                yield (
                    f"    day {len(ends)}: {made:,} alerts so far, memory {ends[-1][0]:.1f} MB, "
                    f"journal {ends[-1][1]:.1f} MB"
                )
    cycles = days * DAY
    note = f"{cycles:,} cycles, {SUBSCRIBERS} subscribers, {made:,} alerts, {2 * made:,} deliveries, kept for a day"
    settled = ends[min(1, len(ends) - 2)]
    yield Row(
        "memory at the end of the week over that after two days",
        ends[-1][0] / settled[0],
        "times",
        1.1,
        note=note,
    )
    yield Row(
        "journal at the end of the week over that after two days", ends[-1][1] / settled[1], "times", 1.5
    )
    yield Row("journal at its largest, with the write-ahead log", largest, "MB")
    yield Row("one cycle judged, durably, with its share of retention", spent / cycles * 1e3, "ms")


if __name__ == "__main__":
    main(__doc__, measure)
