"""What is told does not hang on the order of products, hazards, rows, rules and channels."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.alerts.policy import Policy
from dynamo.alerts.store import AlertStore
from dynamo.runfile.alerts import AlertsRule, MatchRule
from dynamo.watch.judge import Judge, Products
from dynamo.watch.people import read_people

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
RULES = [
    MatchRule("STORM", 45.0, 5.0),
    MatchRule("STORM", 20.0, 60.0, to=["desk"]),
    MatchRule("HAIL", 1.0, 20.0),
    MatchRule("WIND"),
]
ROWS = ["a,-97.1,32.7", "b,-97.4,32.7", "c,-97.1,33.1", "d,-90,40"]
BOXES = st.tuples(st.sampled_from((-98, -97.5, -97.2)), st.sampled_from((32.4, 32.6, 33.0)))
SAID = st.fixed_dictionaries(
    {
        "hazard": st.sampled_from(("STORM", "HAIL", "WIND")),
        "units": st.sampled_from(("x", "x", "x", "y")),
        "lead": st.sampled_from((0, 5, 10)),
        "known_share": st.sampled_from((None, 0.0, 0.5, 1.0)),
        "boxes": st.lists(st.tuples(BOXES, st.sampled_from((20, 45, 60))), max_size=3),
        "broken": st.sampled_from((False,) * 9 + (True,)),
    }
)
RUNS = st.lists(st.lists(SAID, min_size=1, max_size=5), min_size=1, max_size=4)


def product(said: dict, minute: int, chance: random.Random) -> str:
    """Return a product."""
    if said["broken"]:
        return "{"
    issued = NOW + timedelta(minutes=minute)
    features = []
    for (west, south), level in chance.sample(said["boxes"], len(said["boxes"])):
        ring = [
            [west, south],
            [west + 0.2, south],
            [west + 0.2, south + 0.2],
            [west, south + 0.2],
            [west, south],
        ]
        shape = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": {"level": level}, "geometry": shape})
    head = {
        "type": "FeatureCollection",
        "hazard": said["hazard"],
        "units": said["units"],
        "known_share": said["known_share"],
        "lead_minutes": said["lead"],
        "valid_time": (issued + timedelta(minutes=said["lead"])).isoformat(),
    }
    return json.dumps({**head, "features": features})


def all_told(folder: Path, runs: list[list[dict]], chance: random.Random | None) -> list[tuple]:
    """Judge runs, in an order by chance; return who is told what, run by run."""
    shuffled = chance or random.Random(0)
    mixed = (lambda found: shuffled.sample(found, len(found))) if chance else list
    folder.mkdir()
    (folder / "people.csv").write_text("\n".join(["id,lon,lat", *mixed(ROWS)]))
    people, _ = read_people(AlertsRule("people.csv", mixed(RULES)), folder, ["desk", "box"])
    policy = Policy(clear_after=1)
    judge = Judge(
        folder / "journal.db", "f.yaml", lambda: people, mixed(["desk", "box"]), ["*.geojson"], policy
    )
    said = []
    for minute, run in enumerate(runs):
        paths = []
        # By the same numbers, so that a product has the same content in each order.
        for n, one in mixed(list(enumerate(run))):
            paths.append(folder / f"{minute}-{n}.geojson")
            paths[-1].write_text(product(one, minute, random.Random(n)))
        verdict = judge(Products(f"r{minute}", str(folder), [str(path) for path in paths]))
        at = datetime(2026, 1, 1, tzinfo=UTC)
        told = sorted(
            repr(replace(one, sent=at, references=[r.id for r in one.references])) for one in verdict.alerts
        )
        faults = sorted(str(fault).replace(str(folder), "") for fault in verdict.faults)
        said.append((told, faults, {kind: one.state for kind, one in verdict.standings.items()}))
    judge.close()
    with AlertStore(folder / "journal.db") as store:
        rows = store._db.execute("SELECT id FROM deliveries ORDER BY id").fetchall()
    return [*said, rows]


@given(RUNS, st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_any_order_tells_the_same(tmp_path_factory, runs, seed):
    """Also where products are broken, or kinds of hazard cannot be judged."""
    folder = tmp_path_factory.mktemp("order")
    assert all_told(folder / "a", runs, None) == all_told(folder / "b", runs, random.Random(seed))


def said(hazard: str, units: str = "x", *boxes) -> dict:
    """Return what a product is to say."""
    return {
        "hazard": hazard, "units": units, "lead": 0, "known_share": 1.0, "boxes": list(boxes), "broken": False
    }  # fmt: skip


@pytest.mark.parametrize("spoilt", ["HAIL", "STORM"])
def test_a_kind_that_cannot_be_judged_says_nothing_of_the_others(tmp_path, spoilt):
    """Whether it comes before or after them, they are over when they are."""
    other = "HAIL" if spoilt == "STORM" else "STORM"
    storm = ((-97.2, 32.6), 60)
    runs = [[said("HAIL", "x", storm), said("STORM", "x", storm)]]
    runs += [[said(other), said(spoilt, "x"), said(spoilt, "y")]]
    for name, chance in (("a", None), ("b", random.Random(1)), ("c", random.Random(2))):
        _, (told, faults, _), _ = all_told(tmp_path / name, runs, chance)
        assert len(faults) == 1
        assert {kind in one for one in told for kind in ("cancelled", other)} == {True}
        assert told
