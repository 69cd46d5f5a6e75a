"""The verb `dynamo sample`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from dynamo.workflows.nowcast.workflow import ingest

import dynamo.radar.samples as module
from dynamo.cli.sample import command
from dynamo.errors import DataError, UserError
from dynamo.radar.netcdf import read_grid
from dynamo.runfile import prepare
from dynamo.runfile.times import find_time


@pytest.fixture(autouse=True)
def found(monkeypatch, samples, tmp_path):
    """Look in the real samples, and keep the cache apart."""
    monkeypatch.setenv("DYNAMO_SAMPLES", str(samples))
    monkeypatch.setattr(module, "cache", lambda: tmp_path / "cache")


def run(*arguments: object) -> str:
    result = CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_list_says_what_each_case_is_how_big_and_where(samples):
    """Every case is listed with its size and the folder where it was found."""
    text = " ".join(run().split())
    for words in ("storm", "made here", "casa", "48.7 MB", "knmi", "mrms"):
        assert words in text


def test_the_list_as_json(samples):
    """The same as data."""
    listed = {row["name"]: row for row in json.loads(run("--json"))}
    assert listed["knmi"]["where"] == str(samples / "frames")
    assert listed["knmi"]["files"] == 12
    assert listed["storm"]["where"] == "made here"


def test_a_case_that_is_not_here_is_to_be_downloaded(monkeypatch, tmp_path):
    """An empty folder of samples leaves the files to the network, and the list says so."""
    (tmp_path / "empty" / "here").mkdir(parents=True)
    monkeypatch.setattr(module, "_roots", lambda: [tmp_path / "empty"])
    listed = {row["name"]: row for row in json.loads(run("--json"))}
    assert listed["knmi"]["where"] == "to download (12 of 12 files)"


def test_a_case_is_copied_with_a_run_file_that_is_right(tmp_path):
    """Files land in the folder, and the run file beside them can be run as it is."""
    lines = run("knmi", "--to", tmp_path / "k").splitlines()
    files = sorted((tmp_path / "k").glob("*.h5"))
    assert lines[:12] == list(map(str, files))
    assert not any(f.is_symlink() for f in files)
    runfile = tmp_path / "k" / "nowcast.yaml"
    assert lines[-1].split() == ["dynamo", "run", str(runfile)]
    prepared = prepare(runfile)
    assert prepared.inputs["frames"] == files
    assert prepared.graph.name == "nowcast"


def test_the_demo_sees_with_all_three_radars(tmp_path, capsys):
    """The run file of the squall line says why its window is so wide, and no radar blinks at its end."""
    run("casa", "--to", tmp_path)
    text = (tmp_path / "nowcast.yaml").read_text()
    assert "  window: 4.0  # minutes; the last sweep of the radar at Denton" in text
    prepared = prepare(tmp_path / "nowcast.yaml")
    given = prepared.graph.tasks["ingest"].params
    capsys.readouterr()
    ingest(prepared.inputs["frames"], tmp_path / "frames.nc", tmp_path / "latest.nc", **given)
    assert capsys.readouterr().err == ""
    assert read_grid(tmp_path / "latest.nc").source == "addison.tx, cleburne.tx, denton.tx"


def test_a_run_file_that_is_there_stays_as_it_is(tmp_path):
    """What the user changed in it is not lost when the sample is fetched again."""
    (tmp_path / "nowcast.yaml").write_text("mine")
    run("knmi", "--to", tmp_path)
    assert (tmp_path / "nowcast.yaml").read_text() == "mine"


def test_putting_a_case_twice_changes_nothing_and_links_replace_copies(tmp_path, samples):
    """A second call is harmless, and --link makes links to what was found."""
    run("mrms", "--to", tmp_path)
    run("mrms", "--to", tmp_path)
    run("mrms", "--to", tmp_path, "--link")
    run("mrms", "--to", tmp_path)
    links = sorted(tmp_path.glob("*.grib2"))
    assert len(links) == 3
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in links} | {"nowcast.yaml"}
    assert all(link.resolve().parent == (samples / "frames").resolve() for link in links)


def test_without_a_folder_the_paths_of_what_was_found_are_printed(samples):
    """Nothing is copied when nothing is asked for."""
    answer = json.loads(run("mrms", "--json"))
    assert answer["files"] == [str(p) for p in sorted((samples / "frames").glob("*.grib2"))]
    assert answer["frames"] == [str(samples / "frames" / "PrecipRate_*.grib2")]


def test_a_storm_is_made_as_asked(tmp_path):
    """Regime, number, step and seed reach the generator."""
    asked = ("--regime", "calm", "--frames", 2, "--every", 300, "--seed", 4, "--gaps", 0.1, "--noise", 0.01)
    answer = json.loads(run("storm", *asked, "--to", tmp_path, "--json"))
    assert answer["files"] == [str(tmp_path / f"storm_20240601T12{m}00Z.nc") for m in ("00", "05")]
    assert answer["frames"] == [str(tmp_path / "storm_*.nc")]


@pytest.mark.parametrize("name", ["storm", "casa", "knmi", "mrms"])
def test_frames_bear_times_that_a_run_file_understands(name):
    """The printed pattern finds the frames, and the name of each tells its time."""
    answer = json.loads(run(name, "--json"))
    frames = [f for p in map(Path, answer["frames"]) for f in p.parent.glob(p.name)]
    assert frames
    assert all(find_time(frame.name) for frame in frames)


def test_a_storm_without_a_folder_goes_to_the_cache(tmp_path):
    """Where nothing is asked for, nothing is written into the current directory."""
    assert str(tmp_path / "cache" / "storm" / "storm_20240601T120000Z.nc") in run("storm", "--frames", 1)


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (("knmi", "--frames", "3"), UserError, "--frames shapes the built-in storm only"),
        (("nkmi",), DataError, "did you mean 'knmi'"),
        (("storm", "--regime", "lime"), DataError, "did you mean 'line'"),
        (("storm", "--gaps", "nan"), DataError, "gaps is a share"),
        (("knmi", "--to", __file__), DataError, "is a file, not a folder"),
        (("storm", "--to", __file__), DataError, "is a file, not a folder"),
    ],
)
def test_what_cannot_be_is_named(arguments, kind, words):
    """Wrong names and options are the user's errors and say what was expected."""
    with pytest.raises(kind, match=words):
        run(*arguments)
