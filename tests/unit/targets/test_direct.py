"""Commands in users' own images: what HTCondor is told of their arguments and files, and what of it is refused."""

from __future__ import annotations

import pytest

from dynamo.errors import UserError
from dynamo.graph.model import Graph, Task
from dynamo.graph.needs import Needs
from dynamo.targets.direct import is_direct, links, variables
from dynamo.targets.jobs import compile_jobs


def compiled(argv, *outputs, image="own"):
    """A graph of one command, as one job."""
    task = Task(
        "say", "say", "command", "m:say", {"frame": "in, put.txt"}, {"out": outputs}, {}, tuple(argv),
        Needs(image=image, retries=2), place="flow.py:3",
    )  # fmt: skip
    found = compile_jobs(Graph("flow", {"say": task}, {"in, put.txt": "/data/in, put.txt"}), [("say",)])
    return found, found.jobs["say"]


def test_only_a_command_that_names_its_image_runs_by_itself():
    """Others run through dynamo-worker, as all do where there are no containers."""
    assert is_direct(*compiled(["x"], "a"), "docker")
    assert not is_direct(*compiled(["x"], "a"), "")
    assert not is_direct(*compiled(["x"], "a", image=""), "docker")


@pytest.mark.parametrize(
    ("argument", "written"),
    [
        ("plain", "plain"),
        ("", "''"),
        ("two words", "'two words'"),
        ("it's", "'it''s'"),
        ('"', "'\\\"\\\"'"),
        ("$HOME", "$(DOLLAR)HOME"),
        ("a\\b", "a\\\\b"),
    ],
)
def test_an_argument_is_quoted_for_each_that_reads_it(argument, written):
    """First for the job's arguments, then for macros, then for VARS."""
    assert variables(*compiled(["run", argument], "a"))["args"] == written


def test_outputs_come_back_under_safe_names():
    """HTCondor calls what it brings back by its last name."""
    found = variables(*compiled(["run"], "a b/c.txt"))
    assert found["outputs"] == "a b/c.txt"
    assert found["remaps"].startswith("c.txt=out/a_b_c-")
    assert found["tries"] == "2"


def test_inputs_lie_under_their_own_names_and_folders_of_outputs_are_there():
    """Also with signs that HTCondor's lists do not carry."""
    found = dict(links(*compiled(["run"], "sub/c.txt")))
    assert found.keys() == {"jobs/say/in/in, put.txt", "jobs/say/in/sub"}
    assert found["jobs/say/in/sub"] == ""


@pytest.mark.parametrize(
    ("argv", "outputs", "named"),
    [
        (["run"], ["a,b.txt"], "a,b.txt"),
        (["run"], ["a;b.txt"], "a;b.txt"),
        (["run"], ["one/x.txt", "two/x.txt"], "two/x.txt"),
        (["run", "two\nlines"], ["x.txt"], "lines"),
    ],
)
def test_what_htcondor_cannot_be_told_is_refused_with_task_and_file(argv, outputs, named):
    """When it is compiled, before anything runs."""
    with pytest.raises(UserError) as refused:
        variables(*compiled(argv, *outputs))
    assert "flow.py:3: say" in str(refused.value)
    assert named in str(refused.value)
