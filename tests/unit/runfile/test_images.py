"""The table `images` of a run file, and `container` of its engine."""

from __future__ import annotations

import pytest

from dynamo.errors import WorkflowError
from dynamo.images import Image
from dynamo.runfile import FaultyRunFileError, load, prepare

CHAIN = """\
from dynamo import Input, Output, task, workflow

@task(image="radar")
def copy(frame: Input, out: Output) -> None:
    out.write_bytes(frame.read_bytes())

@task
def plain(frame: Input, out: Output) -> None:
    out.write_bytes(frame.read_bytes())

@workflow
def chain(frame: Input) -> None:
    plain(copy(frame, "a"), "b")
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "chain.py").write_text(CHAIN)
    (tmp_path / "frame").touch()
    return tmp_path


def written(folder, text):
    path = folder / "run.yaml"
    path.write_text(f"workflow: ./chain.py:chain\ninputs: {{frame: frame}}\n{text}")
    return path


def faults(folder, text):
    with pytest.raises(FaultyRunFileError) as caught:
        prepare(written(folder, text))
    return [str(fault).removeprefix(f"{folder}/") for fault in caught.value.faults]


DOCKER = "engine: {container: docker}\n"


def test_a_reference_alone_is_what_docker_knows_it_by(folder):
    """The long form says more; paths for Apptainer start at the run file."""
    text = DOCKER + (
        'images: {default: "a/b:1", radar: {docker: "host:5000/c@sha256:%s", apptainer: c.sif, network: true}}\n'
        % ("0" * 64)
    )
    got = prepare(written(folder, text))
    assert got.engine.container == "docker"
    assert got.images == {
        "default": Image("default", "a/b:1"),
        "radar": Image("radar", "host:5000/c@sha256:" + "0" * 64, str(folder / "c.sif"), network=True),
    }


def test_without_containers_the_table_is_not_used(folder):
    """The same run file runs where there is no Docker once `container` is taken out."""
    assert prepare(written(folder, "images: {other: a}\n")).images == {}


def test_a_name_that_the_table_has_not_is_told_with_the_line_of_the_task(folder):
    """And with the nearest name that it has."""
    with pytest.raises(WorkflowError, match=r"chain\.py:13.* image 'radar'.*did you mean 'rader'\?"):
        prepare(written(folder, DOCKER + "images: {rader: a}\n"))
    with pytest.raises(WorkflowError, match=r"has not; known are default"):
        prepare(written(folder, DOCKER + "images: {default: a}\n"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (DOCKER, "run.yaml:3:21: container: which image?"),
        (
            "engine: {container: apptainer}\nimages: {radar: a}\n",
            "run.yaml:3:21: container: the local engine",
        ),
        (
            DOCKER + "images: {radar: {apptainer: a}}\n",
            "run.yaml:4:17: radar: says not what it is for docker",
        ),
        (DOCKER + "images: {radar: {}}\n", "run.yaml:4:17: radar: says neither"),
        (
            DOCKER + "images: {radar: {dockr: a}}\n",
            "run.yaml:4:18: unknown key 'dockr' (did you mean 'docker'?)",
        ),
        (DOCKER + "images: {radar: {docker: A B}}\n", "run.yaml:4:26: docker: 'A B' does not name an image"),
        (
            DOCKER + "images: {radar: {docker: a, network: 1}}\n",
            "run.yaml:4:38: network: expected true or false",
        ),
    ],
)
def test_faults_are_told_where_they_stand(folder, text, told):
    """With line and column."""
    (only,) = faults(folder, text)
    assert only.startswith(told), only


def test_what_is_right_of_a_table_is_kept(folder):
    """Also where the workflow is not looked at."""
    assert load(written(folder, "images: {radar: a:1}\n")).images["radar"].docker == "a:1"
