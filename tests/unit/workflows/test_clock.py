"""Composites by the clock: a sweep whose time has not come is left out, and used as soon as it has."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from dynamo.workflows import clock
from dynamo.workflows.hail import hail, hail_size
from dynamo.workflows.hail.tasks import compose, identify
from dynamo.workflows.wind import tasks
from dynamo.workflows.wind.workflow import wind

from dynamo.errors import DataError
from dynamo.graph import Graph
from dynamo.radar.netcdf import read_grid, write_grid

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
PLACE = {"area": (-97.99, 31.775, -96.16, 33.525), "cells": (183, 175)}
HEIGHTS = {"freezing_level": 4100.0, "minus20_level": 7000.0}


class At(datetime):
    """A clock that stands."""

    @classmethod
    def now(cls, _=None):
        return NOON


@pytest.fixture(autouse=True)
def noon(monkeypatch):
    """Let it be noon."""
    monkeypatch.setattr(clock, "datetime", At)


def told(graph: Graph) -> set[str | None]:
    """Return the times that the composites of a graph are given."""
    return {task.params["now"] for task in graph.tasks.values() if task.step == "compose"}


@pytest.mark.parametrize("flow", [hail, hail_size, wind])
def test_what_is_of_hours_past_is_made_without_a_clock(flow):
    """So it is the same, and reused, whenever it is made; and so is an archived day of a radar that was ahead."""
    assert told(flow.graph(["a-20260501-105900.nc", "b-20170329-073040.nc"], **PLACE)) == {None}
    assert told(flow.graph(["a-20260501-110100.nc", "b-20170329-073040.nc"], **PLACE)) == {
        "2026-05-01T12:00:00+00:00"
    }


@pytest.mark.parametrize("name", ["a-20260501-115900.nc", "a-20260501-121000.nc", "newest.nc"])
def test_what_may_be_ahead_is_held_against_the_clock(name):
    """By its name, or where that tells nothing."""
    assert told(hail.graph([name], **PLACE)) == {"2026-05-01T12:00:00+00:00"}


@pytest.mark.parametrize(("make", "quantity"), [(compose, "hail_class"), (tasks.compose, "wind_speed")])
def test_a_composite_follows_from_what_it_is_given(samples, tmp_path, make, quantity):
    """Not from when it is made: a sweep is ahead of the time that is said, and else is used as it says."""
    sweep = max((samples / "casa").glob("denton*.gz"))
    (identify if make is compose else tasks.unfold)(
        sweep, tmp_path / "a.nc", **PLACE, **(HEIGHTS if make is compose else {"band": (200.0, 2000.0)})
    )
    grid = read_grid(tmp_path / "a.nc")
    assert grid.quantity == quantity
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=400)
    write_grid(tmp_path / "b.nc", replace(grid, time=later, attributes={**grid.attributes, "radar": "b"}))
    both = [tmp_path / "a.nc", tmp_path / "b.nc"]

    make(both, tmp_path / "before.nc", now=NOON.isoformat())
    before = read_grid(tmp_path / "before.nc")
    assert before.time == grid.time
    assert before.attributes["ahead_radars"] == f"b {later:%H:%M:%S}"
    for name, now in (("after.nc", later.isoformat()), ("any.nc", None)):
        make(both, tmp_path / name, now=now)
        assert read_grid(tmp_path / name).time == later
    with pytest.raises(DataError, match="ahead_radars: b"):
        make(both[1:], tmp_path / "none.nc", now=NOON.isoformat())
