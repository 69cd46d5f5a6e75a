"""The run files that come with the chains, and the first of each page: what a watch gives their runs."""

import re
from pathlib import Path

import pytest

from dynamo.triggers.arrival import Seen
from dynamo.triggers.window import Windows
from dynamo.watch.feed import read_feed

CHAINS = Path(__file__).parents[3] / "workflows"
RUN_FILES = ["hail/hail.yaml", "hail/hail_size.yaml", "wind/wind.yaml", "hail/README.md", "wind/README.md"]
TICK = 1_490_772_660.0  # 2017-03-29 07:31:00
SWEEPS = ["addison.tx-20170329-073040.netcdf", "denton.tx-20170329-073040.netcdf", "MLL201703290730.001.nc"]
SOUNDINGS = ["FWD_2017032900.txt", "72357_2017032900.txt"]


@pytest.fixture(params=RUN_FILES)
def feed(request, tmp_path):
    """A watched run file in a folder of its own."""
    text = (CHAINS / request.param).read_text()
    if request.param.endswith(".md"):
        text = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1]
    (tmp_path / "chain.yaml").write_text(text)
    return read_feed(tmp_path / "chain.yaml")


def run(feed, **names):
    """Return the files of the window of a tick, and what became of all."""
    arrivals = [feed.readings[n].arrival(Seen(n, f"/{one}", 1, 0)) for n in names for one in names[n]]
    step = Windows(feed.rules).step(arrivals, 0.0, TICK, [TICK])
    (window,) = step.windows
    return window, {outcome for _, outcome in step.outcomes}


@pytest.mark.parametrize("kind", ["yaml", "md"])
def test_no_chain_writes_over_the_legend_of_another(kind):
    """All are called legend.png, and their run files may lie in one folder, beside the nowcast's."""
    chains = ("nowcast", "hail", "wind")
    files = [CHAINS / name / (f"{name}.yaml" if kind == "yaml" else "README.md") for name in chains]
    folders = [re.search(r'^products: "(.*)"$', file.read_text(), re.MULTILINE)[1] for file in files]
    assert len(set(folders)) == len(chains)


def test_files_of_one_time_are_all_used(feed):
    """Of two radars in the same second, of two stations in the same hour."""
    names = {"sweeps": SWEEPS} | ({"soundings": SOUNDINGS} if "soundings" in feed.globs else {})
    window, outcomes = run(feed, **names)
    assert outcomes == {"kept"}
    assert {name: len(paths) for name, paths in window.files.items()} == {n: len(o) for n, o in names.items()}


def test_nothing_but_a_sweep_is_waited_for(feed):
    """A run comes at its tick without any sounding."""
    window, _ = run(feed, sweeps=SWEEPS[:1])
    assert (window.complete, window.passed) == (True, "")
