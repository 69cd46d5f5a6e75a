"""A task of one's own after a chain: the page that tells of it, as it stands, on a real volume."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dynamo.cli import main
from dynamo.errors import WorkflowError
from dynamo.graph import Input, Output, task, workflow

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "after-a-chain.md"


def test_the_example_of_the_page_writes_how_large_the_largest_area_is(tmp_path, samples, monkeypatch, capfd):
    """Of the volume of Monte Lema, beside the products of the chain."""
    for name, text in re.findall(r'```\w+ title="(.+?)"\n(.*?)```', PAGE.read_text(), re.DOTALL):
        (tmp_path / name).write_text(text.replace("products/{time}", "products"))
    (tmp_path / "sweeps").symlink_to(samples / "hail")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main([
            "run", "largest.yaml", "--input", f"sweeps={samples}/hail/MLL*.nc",
            "--input", f"soundings={samples}/sounding/MLL*.txt", "--inline",
        ])  # fmt: skip
    assert end.value.code == 0, capfd.readouterr()
    said = re.fullmatch(
        r"2022-06-28 07:23 (\d+\.\d) km2 of 20 mm or more\n",
        (tmp_path / "products" / "largest.txt").read_text(),
    )
    assert 5 < float(said[1]) < 500
    assert (tmp_path / "products" / "hail_size-0" / "mesh.geojson").exists()


@task
def after(grid: Input, text: Output) -> None:
    """Nothing."""


@workflow
def nothing(sweeps: list[Input]) -> None:
    """Return nothing."""
    after(sweeps[0], "a.txt")


@workflow
def mine(sweeps: list[Input]) -> None:
    """Go on after nothing."""
    after(nothing(sweeps), "b.txt")


def test_an_input_that_is_none_is_refused_where_it_is_given():
    """Not in the task, as a `TypeError`."""
    with pytest.raises(
        WorkflowError, match=r"test_own_task.py:\d+: after\(\) needs input 'grid', which is given None"
    ):
        mine.graph(["x.nc"])
