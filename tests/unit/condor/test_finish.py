"""The last node of a DAG: what it publishes, what it says, and with which code it ends."""

from __future__ import annotations

import os

import orjson
import pytest

from dynamo.condor.finish import main

FLOW = """
    @workflow
    def flow():
        copy(make(out='a'), out='sub/b')
        make(out='c')
"""
JOB = "make-0-to-copy"


@pytest.fixture
def made(pool):
    """A DAG of two jobs."""
    pool.submit(FLOW, ("make-0", "copy"), ("make-1",))
    return pool


def published(pool):
    return {str(p.relative_to(pool.out)): p.read_text() for p in pool.out.rglob("*") if p.is_file()}


def said(pool, capsys) -> str:
    text = (pool.path / "report.txt").read_text()
    assert capsys.readouterr().out == text
    return text


def test_all_that_was_made_is_published(made, capsys):
    """It can be called again; what is published shares no file with what jobs left."""
    made.send(JOB, make_0="ok", copy="ok")
    made.send("make-1", make_1="ok")
    for _ in range(2):
        assert main([str(made.path)]) == 0
        assert "3 of 3 tasks done in 2 jobs\ndone; published in " in said(made, capsys)
        assert published(made) == {
            "a": "a of make-0",
            "sub/b": "b of copy".replace("b", "sub/b", 1),
            "c": "c of make-1",
        }
    folder = made.folder.job("make-1").folder
    (left,) = (p for p in (folder / "out").iterdir() if p.name.startswith("c"))
    assert left.stat().st_ino != (made.out / "c").stat().st_ino
    assert left.stat().st_nlink == 1
    left.write_text("later")
    assert (made.out / "c").read_text() == "c of make-1"


def test_what_is_missing_is_named_and_the_rest_published(made, capsys):
    """Each task with how it ended, each job with why it could not run."""
    made.send(JOB, make_0="ok", copy="failed")
    assert main([str(made.path)]) == 2
    text = said(made, capsys)
    assert "copy: failed: copy failed" in text
    assert "make-1: it sent no report back" in text
    assert "1 of 3 tasks done in 2 jobs\nFAILED" in text
    assert published(made) == {"a": "a of make-0"}


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_output_is_not_published(made, capsys, damage):
    """What stood in its place stays."""
    made.out.mkdir()
    (made.out / "c").write_text("of yesterday")
    made.send(JOB, make_0="ok", copy="ok")
    made.send("make-1", False, "", ("c",), make_1="ok")
    if damage == "gone":
        job = made.folder.job("make-1")
        (job.folder / job.outputs["c"]).unlink()
    assert main([str(made.path)]) == 2
    assert {"cut": "'c' came back damaged", "gone": "'c' cannot be published"}[damage] in said(made, capsys)
    assert published(made)["c"] == "of yesterday"
    assert len(published(made)) == 3


def test_only_what_is_asked_for_is_published(made):
    """By pattern of its name."""
    (made.path / "products.json").write_bytes(orjson.dumps({"folder": str(made.out), "only": ["sub/*"]}))
    made.send(JOB, make_0="ok", copy="ok")
    made.send("make-1", make_1="ok")
    assert main([str(made.path)]) == 0
    assert set(published(made)) == {"sub/b"}


def test_what_a_run_time_workflow_described_is_no_product(pool):
    """It is dynamo's own."""
    pool.submit(
        """
        @workflow(runtime=True)
        def more(source: Input, outs: list[Output]):
            for out in outs:
                copy(source, out=out)

        @workflow
        def flow():
            more(make(out='a'), outs=['b'])
        """,
        ("make",),
        ("more",),
    )
    pool.send("make", make="ok")
    pool.send("more", more="ok")
    assert main([str(pool.path)]) == 0
    assert published(pool) == {"a": "a of make"}


@pytest.mark.parametrize("damage", ["{", '{"only": []}', None])
def test_a_folder_that_is_damaged_is_told(made, capsys, damage):
    """In words, in the report too."""
    made.send(JOB, make_0="ok", copy="ok")
    path = made.path / "products.json"
    path.unlink() if damage is None else path.write_text(damage)
    assert main([str(made.path)]) == 2
    assert said(made, capsys).startswith("error: ")


def test_products_that_cannot_be_written_are_told(made, capsys):
    """Whatever stands in their way."""
    made.out.write_text("a file")
    made.send(JOB, make_0="ok", copy="ok")
    made.send("make-1", make_1="ok")
    assert main([str(made.path)]) == 2
    assert "'a' cannot be published" in said(made, capsys)
    assert not [name for _, _, files in os.walk(made.path) for name in files if name.endswith(".part")]
