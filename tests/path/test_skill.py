"""The skill that docs/skill.md tells: on every real sequence no worse than the bar, and better than standing still."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from dynamo.radar.readers import read

skill = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "skill.py"), run_name="skill")
)


@pytest.mark.parametrize(
    ("name", "starts"),
    [("casa", range(8, 29, 5)), ("mrms", range(8, 21, 6)), ("opera", range(2, 7, 2)), ("opera", range(2, 7))],
)
def test_the_default_motion_is_as_good_as_the_bar_and_better_than_persistence(samples, name, starts):
    """At 35 dBZ: CSI and FSS at 5 to 30 minutes against the bar, at 10 to 30 against persistence."""
    (path,) = (samples / "grids").glob(f"{name}_*.nc")
    scores = skill.pooled(skill.measure(name, read(path), starts, None, methods=("lk",)))
    behind = []
    for number, lead in enumerate(skill.LEADS):
        for kind, score in enumerate(("csi", "fss")):
            found, standing = (getattr(scores[method, lead], score) for method in ("lk", "persistence"))
            if (bar := skill.bar_of(name)) and found < bar[number][kind] - skill.SLACK:
                behind.append(f"{score} at {lead} min: {found:.3f}, the bar is {bar[number][kind]}")
            if lead >= 10 and found <= standing:
                behind.append(f"{score} at {lead} min: {found:.3f}, standing still has {standing:.3f}")
    assert not behind
