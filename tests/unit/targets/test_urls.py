"""Which inputs are fetched by URL."""

from __future__ import annotations

from dynamo.graph import Graph
from dynamo.graph.model import Task
from dynamo.graph.needs import Needs
from dynamo.targets.urls import fetched


def graph(image="", **sources):
    """One task that reads all of these."""
    kind = "command" if image else "python"
    task = Task(
        "t", "t", kind, "m:f", {"i": tuple(sources)}, {"o": "out"}, {}, (), Needs(image=image), "", "x:1"
    )
    return Graph("g", {"t": task}, sources)


def test_a_file_below_a_folder_has_its_url_and_others_have_none():
    """A folder that only begins alike is another; what is odd in a name of a folder is quoted."""
    g = graph(a="/data/radar/a.nc", b="/data/radar/x y/b.nc", c="/data/radars/c.nc", d="/data/d.nc")
    assert fetched(g, {"/data/radar": "https://s/r/"}, "") == {
        "a": "https://s/r/a.nc",
        "b": "https://s/r/x%20y/b.nc",
    }


def test_the_longest_folder_counts():
    """Whatever the order."""
    g = graph(a="/data/radar/a.nc")
    urls = {"/data/": "https://all", "/data/radar": "https://radar"}
    assert fetched(g, urls, "") == fetched(g, dict(reversed(urls.items())), "") == {"a": "https://radar/a.nc"}


def test_names_that_would_meet_or_are_not_plain_are_sent():
    """The first keeps its URL; letters' case does not count."""
    g = graph(
        a="/data/1/x.nc",
        b="/data/2/X.nc",
        c="/data/1/y z.nc",
        d="/data/out",
        e="/data/t.spec.json",
        f="/data/Code",
    )
    assert fetched(g, {"/data": "https://s"}, "") == {"a": "https://s/1/x.nc"}


def test_what_a_command_in_its_own_image_reads_is_sent():
    """It knows the file by another name than that of a URL; without containers there is no such command."""
    g = graph(image="radar", a="/data/a.nc")
    assert fetched(g, {"/data": "https://s"}, "docker") == {}
    assert fetched(g, {"/data": "https://s"}, "") == {"a": "https://s/a.nc"}
