"""From a run file to what a watch looks for."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dynamo.errors import RunFileError, UserError
from dynamo.triggers.clock import Cron, Every
from dynamo.triggers.window import Window
from dynamo.watch.feed import Feed, name_of, read_feed
from dynamo.watch.times import times_of

HEAD = "workflow: ./flow.py:flow\n"
INPUTS = "inputs:\n  frames: {files: 'in/*.nc', last: 5, within: 10 min}\n  ground: {files: dem.tif}\n"


def feed(folder: Path, text: str) -> Feed:
    """Read a run file of this text."""
    (folder / "watch.yaml").write_text(HEAD + text)
    return read_feed(folder / "watch.yaml")


def test_inputs_with_globs_are_watched_and_others_are_not(tmp_path):
    """A file that is named as it is does not arrive."""
    found = feed(tmp_path, INPUTS)
    assert found.globs == {"frames": [str(tmp_path / "in" / "*.nc")]}
    assert [(i.name, i.last, i.within, i.drives) for i in found.rules.inputs] == [("frames", 5, 600, True)]
    assert list(found.readings) == ["frames"]


def test_the_trigger_says_how_files_are_joined(tmp_path):
    """Times are seconds; what is needed of an input is its quorum where nothing else is said."""
    needs = "{frames: {files: 4, sources: 3, source: '^(..)'}}"
    text = f"trigger: {{join: 30 s, wait: 1 min, late: 2 min, same: last, needs: {needs}}}\n"
    rules = feed(tmp_path, INPUTS + text).rules
    assert (rules.tolerance, rules.wait, rules.lateness, rules.same) == (30, 60, 120, "last")
    (frames,) = rules.inputs
    assert (frames.fewest, frames.sources, frames.quorum) == (4, 3, 3)
    assert (frames.from_, frames.to) == (-math.inf, math.inf)


@pytest.mark.parametrize(("text", "kind"), [("every: 5 min", Every), ("cron: '*/5 * * * *'", Cron)])
def test_with_a_clock_no_input_starts_anything(tmp_path, text, kind):
    """The clock does; without any glob there is still something to do."""
    found = feed(tmp_path, INPUTS + f"trigger: {{{text}}}\n")
    assert isinstance(found.schedule, kind)
    assert not any(i.drives for i in found.rules.inputs)
    assert feed(tmp_path, f"trigger: {{{text}}}\n").globs == {}


def test_the_name_is_the_way_from_the_workspace_wherever_one_stands(tmp_path, monkeypatch):
    """It is the same at each start, since the journal goes by it."""
    (tmp_path / "night").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "night" / "a.yaml").write_text(HEAD + INPUTS + "workspace: ../.dynamo\n")
    assert read_feed("night/a.yaml").name == "night/a.yaml"
    monkeypatch.chdir(tmp_path / "night")
    assert read_feed("a.yaml").name == "night/a.yaml"
    assert read_feed("a.yaml").workspace.resolve() == tmp_path / ".dynamo"
    assert name_of(Path("/etc/nowcast.yaml"), Path("/var/lib/nowcast")) == "../../etc/nowcast.yaml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inputs: {frames: {files: one.nc}}\n", "nothing to watch"),
        ("inputs: {frames: '*.nc'}\nengine: htcondor\n", "runs tasks on this machine"),
        ("inputs: {frames: '*.nc'}\nengine: htcondor\ntrigger: {every: 5 min}\n", "runs tasks on this machine"),
        (INPUTS + "trigger: {needs: {frame: {files: 2}}}\n", "no watched input (did you mean 'frames'?)"),
        (INPUTS + "trigger: {needs: {ground: {files: 2}}}\n", "'ground', which is no watched input"),
        (INPUTS + "products: {to: out, keep: 1 d}\n", "needs a folder for each run"),
    ],
)  # fmt: skip
def test_what_cannot_be_watched_is_refused(tmp_path, text, said):
    """In words, with the file."""
    with pytest.raises(RunFileError) as error:
        feed(tmp_path, text)
    assert said in str(error.value)
    assert "watch.yaml" in str(error.value)


def test_a_zone_without_cron_is_refused(tmp_path):
    """Steps of the day are counted in UTC."""
    with pytest.raises(UserError, match="'zone' is for 'cron'"):
        feed(tmp_path, "trigger: {every: 1 h, zone: Europe/Berlin}\n")


def test_an_input_that_starts_nothing_is_waited_for_no_longer_than_it_is_needed(tmp_path):
    """Others go on starting runs; with a quorum of 0 nothing of it is waited for."""
    inputs = "inputs: {frames: 'in/*.nc', soundings: 'so/*.txt'}\n"
    for quorum, needed in (("", 1), (", quorum: 0", 0)):
        text = f"trigger: {{needs: {{soundings: {{starts: false{quorum}}}}}}}\n"
        frames, soundings = feed(tmp_path, inputs + text).rules.inputs
        assert (frames.drives, frames.sources, frames.quorum) == (True, 1, 1)
        assert (soundings.drives, soundings.sources, soundings.quorum) == (False, needed, needed)


def test_some_input_must_start_runs(tmp_path):
    """Or a clock."""
    text = "trigger:\n  needs:\n    frames: {starts: false}\n"
    with pytest.raises(RunFileError, match=r"yaml:7:5: needs: nothing starts a run"):
        feed(tmp_path, INPUTS + text)
    clock = text.replace("trigger:\n", "trigger:\n  every: 1 min\n")
    assert not feed(tmp_path, INPUTS + clock).rules.inputs[0].drives


def test_a_window_is_dated_by_what_starts_runs(tmp_path):
    """A sounding of the day before makes no doubt about the time of products any smaller."""
    text = "inputs: {frames: '*.nc', air: '*.txt'}\ntrigger: {every: 1 min, needs: {air: {starts: false}}}\n"
    found = feed(tmp_path, text)
    assert list(found.dating) == ["frames"]
    files = {"frames": ("/a-20170329-073000.nc", "/a-20170329-073100.nc"), "air": ("/air_2017032800.txt",)}
    assert times_of(Window(1_490_772_660, 0, files, data=1_490_772_660), found.dating).span == 60
