"""The verb `dynamo fleet simulate`."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from dynamo.cli.fleet_simulate import simulate_
from dynamo.errors import UserError
from dynamo.fleet.simulator import Job, Trace
from dynamo.fleet.simulator.estimates import ESTIMATES
from dynamo.fleet.simulator.trace_file import read_trace, write_trace


def run(*arguments: object) -> str:
    """Return what it prints."""
    result = CliRunner().invoke(simulate_, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def small(tmp_path):
    """Five cycles of four jobs."""
    jobs = [Job("k", 60.0 * n, 60.0 * n + 60.0, 10.0) for n in range(5) for _ in range(4)]
    path = tmp_path / "small.json"
    write_trace(Trace.of("small", jobs, period=60.0), path)
    return path


def test_each_policy_has_a_line_for_each_boot_time(small):
    """With medians, and the least and the most of cost and lateness."""
    text = run(
        small, "--seeds", 3, "--boot", "10,100", "--policy", "queue_depth", "--policy", "dask:wait_count=9"
    )
    assert text.startswith("small: 20 jobs, 0.2 cores of mean work; median of 3 seeds (least to most)")
    blocks = text.split("\nboot ")[1:]
    assert [block.split(" s")[0] for block in blocks] == ["10", "100"]
    for block in blocks:
        assert [line.split()[0] for line in block.splitlines()[1:]] == [
            "policy",
            "queue_depth",
            "dask:wait_count=9",
        ]
        assert " to " in block.splitlines()[2]


def test_all_policies_are_tried_where_none_is_named(small):
    """Those that foresee too."""
    found = json.loads(run(small, "--seeds", 1, "--json"))
    names = [each["policy"] for each in found]
    assert names[:3] == ["work", "careful", "queue_depth"]
    assert {"oracle", "static_mean", "static_peak"} < set(names)


def test_as_json_there_are_all_figures_of_all_seeds(small):
    """And their medians; the same again when asked again."""
    arguments = (small, "--seeds", 3, "--boot", "60", "--policy", "keda", "--json")
    (found,) = json.loads(run(*arguments))
    assert [each["seed"] for each in found["seeds"]] == [0, 1, 2]
    assert all(each["jobs"] == each["done"] == 20 for each in found["seeds"])
    costs = sorted(each["usd"] for each in found["seeds"])
    assert found["median"]["usd"] == costs[1]
    assert json.loads(run(*arguments)) == [found]


def test_a_chart_is_drawn_with_a_panel_for_each_policy(small, tmp_path):
    """The same picture each time."""
    for name in ("a.svg", "b.svg"):
        run(
            small,
            "--seeds",
            2,
            "--policy",
            "queue_depth",
            "--policy",
            "static_peak",
            "--chart",
            tmp_path / name,
        )
    text = (tmp_path / "a.svg").read_text()
    ET.fromstring(text)
    assert text == (tmp_path / "b.svg").read_text()
    assert "<!-- queue_depth -->" in text
    assert "<!-- static_peak -->" in text
    assert "boots of" in text


def test_recorded_runs_and_worlds_can_be_tried(samples, tmp_path):
    """25 runs a minute apart on two clouds; and the trace is saved."""
    text = run(
        samples / "flowbench", "--every", 60, "--within", 300, "--seeds", 1, "--policy", "queue_depth",
        "--world", "two-clouds", "--save", tmp_path / "t.csv.gz", "--estimates", "learned", "--forecast", "none",
        "--interval", 30,
    )  # fmt: skip
    assert text.startswith("flowbench: 3250 jobs")
    assert len(read_trace(tmp_path / "t.csv.gz").jobs) == 3250


def test_jobs_that_no_machine_can_run_are_told_of(tmp_path):
    """They have no deadline, so none is late."""
    jobs = [Job("k", 0.0, float("inf"), 10.0, cores=cores) for cores in (1, 100)]
    write_trace(Trace.of("large", jobs, period=60.0), tmp_path / "t.json")
    text = run(tmp_path / "t.json", "--seeds", 1, "--policy", "queue_depth")
    assert text.splitlines()[-1] == "queue_depth: up to 1 of 2 jobs were never done"


def test_all_estimates_can_be_named():
    """The command lists them without the simulator, which takes a while to import."""
    (option,) = [one for one in simulate_.params if one.name == "estimates"]
    assert set(option.type.choices) == set(ESTIMATES)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("cald",), "no trace 'cald' .did you mean 'calm'"),
        (("calm", "--policy", "oracel"), "no policy 'oracel' .did you mean 'oracle'"),
        (("calm", "--policy", "dask:wait_count"), "written NAME=VALUE, not 'wait_count'"),
        (("calm", "--boot", "fast"), "Boot times are seconds"),
        (("calm", "--boot", "-4"), "Boot times are seconds"),
        (("calm", "--seeds", "0"), "at least 1 seed"),
        (("calm", "--world", "flat"), "no world 'flat'"),
        (("calm", "--interval", "0"), "above 0, not 0"),
        (("calm", "--chart", "nowhere/x.svg"), "no folder 'nowhere' to write x.svg into"),
        (("calm", "--save", "nowhere/x.json"), "no folder 'nowhere' to write x.json into"),
        (("calm", "--chart", "x.pgn"), "cannot be drawn as '.pgn' .did you mean 'png'"),
        (("calm", "--chart", "x"), "cannot be drawn as 'a file without an ending'"),
    ],
)
def test_what_does_not_exist_is_told_with_the_nearest(arguments, words):
    """Before anything is simulated."""
    with pytest.raises(UserError, match=words):
        run(*arguments)
