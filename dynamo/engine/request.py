"""What a run is asked to be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dynamo.engine.products import Products
from dynamo.graph.model import Graph
from dynamo.images.image import Image
from dynamo.planning.select import Selection

__all__ = ["Request", "new_run_id"]


@dataclass(frozen=True, slots=True)
class Request:
    """One run: its graph, where its products go, and what the user selected.

    ``resume`` goes on with a run of this id. ``settings`` are kept in the journal with the run. What is ready of a run
    with a higher ``priority`` starts before all that is ready of others in the same engine. Where there are ``images``,
    tasks run in containers of theirs.
    """

    run: str
    graph: Graph
    products: Products = Products()
    selection: Selection = Selection()
    resume: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    images: Mapping[str, Image] = field(default_factory=dict)


def new_run_id(workflow: str, now: float) -> str:
    """Return a new id: workflow, UTC time, and eight random hex digits; sorts by time within a workflow.

    Two of a thousand runs that begin within one second are alike once in ten thousand times.

    >>> new_run_id("nowcast", 0.0)[:-8]
    'nowcast-19700101T000000-'
    """
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S")
    return f"{workflow}-{stamp}-{os.urandom(4).hex()}"
