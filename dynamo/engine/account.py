"""The account of one run: what is told of it while it goes on, what it publishes, what it ends with.

Enters: what happened to its tasks. Leaves: `news` and products, once the caller has made durable what they tell, and a
`Summary`. A product that cannot be put in its place is told there.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable

from dynamo.engine.events import Event, Failure, Kind, Summary
from dynamo.engine.products import Products
from dynamo.errors import UserError
from dynamo.graph.model import Task
from dynamo.worker.logs import tail

__all__ = ["Account"]


class Account:
    """What there is to tell of a run that began at `began` (Unix seconds)."""

    def __init__(self, run: str, workflow: str, products: Products, began: float) -> None:
        self.run, self.workflow, self.products, self.began = run, workflow, products, began
        self._news: list[Event] = []
        self._outbox: list[tuple[str, str]] = []
        self._first = 0.0
        self._counts: Counter[Kind] = Counter()
        self._failures: dict[str, Failure] = {}
        self._warnings: dict[str, str] = {}
        self._products: list[str] = []
        self._unpublished: list[str] = []
        self._missing: list[str] = []
        self._expands = True  # all that expands did

    def tell(self, kind: Kind, task: Task, at: float, text: str = "", seconds: float = 0.0) -> None:
        """Note that something happened to a task."""
        if kind == "started":
            self._first = self._first or at
        elif kind in ("failed", "blocked"):
            self._expands &= task.kind != "expand"
            self._missing += filter(self.products.wants, task.output_names)
        self._counts[kind] += 1
        self._news.append(Event(kind, self.run, task.id, task.step, at, text, seconds))

    def say(self, text: str, at: float) -> None:
        """Note what should be known of the run as a whole, for the time being."""
        self._news.append(Event("told", self.run, "", "", at, text))

    def warn(self, task: Task, text: str) -> None:
        """Note something that is not a failure, once a task."""
        if task.id not in self._warnings:
            self._warnings[task.id] = f"{task.id}: {text}"
            self.tell("warned", task, self.began, text)

    def fail(
        self, task: Task, error: str, log: str, kept: str, blocked: Iterable[str], *, infrastructure: bool
    ) -> None:
        """Note why a task failed, and what of it there is to look at."""
        self._failures[task.id] = Failure(
            task.id,
            task.step,
            task.place,
            error,
            infrastructure,
            log if os.path.exists(log) else "",
            tail(log),
            kept if os.path.isdir(kept) else "",
            tuple(blocked),
        )

    def exist(self, name: str, path: str) -> None:
        """Note that an output is at `path`; it is published if it is wanted."""
        if self.products.wants(name):
            self._outbox.append((name, path))

    @property
    def failed(self) -> bool:
        """Whether any task has failed."""
        return bool(self._failures)

    def take_news(self) -> list[Event]:
        """Return what was told since the last call."""
        news, self._news = self._news, []
        return news

    def publish(self) -> None:
        """Put the products that became durable into their folder."""
        for name, path in self._outbox:
            try:
                self._products.append(self.products.publish(name, path))
            except UserError as error:
                # All others are still wanted; to go on with the run publishes it again.
                self._unpublished.append(str(error))
                self._missing.append(name)
        self._outbox.clear()

    def summary(self, order: Iterable[str], now: float) -> Summary:
        """Return how the run ended, with its failures in this order of tasks."""
        left, blocked = self._counts["left"], self._counts["blocked"]
        whole = not (self._failures or blocked or left)
        unused = self.products.unused(self._products) if whole else []
        return Summary(
            run=self.run,
            workflow=self.workflow,
            ran=self._counts["done"],
            reused=self._counts["reused"],
            failures=tuple(self._failures[task] for task in order if task in self._failures),
            blocked=blocked,
            left=left,
            products=tuple(self._products),
            unpublished=tuple(self._unpublished),
            missing=tuple(self._missing) if self._expands else None,
            folder=self.products.folder,
            seconds=now - self.began,
            first=max(self._first - self.began, 0.0),
            warnings=(
                *(text for task, text in self._warnings.items() if task not in self._failures),
                *(f"products: no output has a name like {p!r}" for p in unused),
            ),
        )
