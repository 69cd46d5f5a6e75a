"""``dynamo compile``: what it prints can be run as it stands, and what it cannot do it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dynamo.cli import main

#: What the printed commands call: it says where it is called, and with what.
STUB = '#!/bin/sh\npwd\nfor one in "$@"; do echo "$one"; done\n'


@pytest.fixture
def compile_(chain, capsys):
    """Call ``dynamo compile`` for the chain; returns exit code, and what was printed."""

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["compile", str(chain / "run.yaml"), *map(str, arguments)])
        out = capsys.readouterr()
        return end.value.code, out.out, out.err

    return call


def called(said: str, folder: Path) -> list[str]:
    """Run the command that was printed, with stand-ins for what it submits with; return what these were told."""
    for name in ("condor_submit_dag", "pegasus-plan"):
        (folder / name).write_text(STUB)
        (folder / name).chmod(0o755)
    command = said.splitlines()[0].partition("submit: ")[2]
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.run(
        command, shell=True, check=True, capture_output=True, text=True, cwd="/", env={"PATH": path}
    ).stdout.splitlines()


@pytest.mark.parametrize(
    ("target", "last"),
    [("dagman", ["-batch-name", "chain", "chain.dag"]), ("pegasus", ["--submit", "workflow.yml"])],
)
def test_the_printed_command_can_be_run(compile_, tmp_path, target, last):
    """From anywhere, whatever signs the folder's name has, and without a way there and back."""
    (tmp_path / "there").mkdir()
    code, said, _ = compile_("--target", target, "-o", tmp_path / "there" / ".." / "it's a folder")
    assert code == 0
    where, *arguments = called(said, tmp_path)
    assert where == str(tmp_path / "it's a folder")
    assert "/../" not in said
    assert arguments[-len(last) :] == last


def test_who_names_htcondor_is_told_what_its_target_is(compile_, tmp_path):
    """Other names that are none are told with those there are."""
    code, _, said = compile_("--target", "htcondor", "-o", tmp_path / "dag")
    assert code == 2
    assert "'htcondor' is none: what HTCondor runs is 'dagman'" in said
    assert "'pegasus'" in compile_("--target", "slurm", "-o", tmp_path / "dag")[2]


def test_jobs_tell_how_large_their_inputs_are(compile_, tmp_path):
    """As they are on this disk; of no run, none is due."""
    compile_("--target", "dagman", "-o", tmp_path / "dag")
    dag = (tmp_path / "dag" / "chain.dag").read_text()
    assert 'kind="chain/split" features="bytes=6;tasks=1" due="undefined"' in dag


def test_the_batch_name_tells_the_time_of_the_data(compile_, chain, tmp_path):
    """So that `condor_q` tells one cycle from another."""
    (chain / "scan-20261122-105000.txt").write_text("a\nb\nc\n")
    given = f"scan={chain}/scan-20261122-105000.txt"
    _, said, _ = compile_("--target", "dagman", "-o", tmp_path / "dag", "--input", given)
    assert called(said, tmp_path)[1:3] == ["-batch-name", "chain-20261122T105000Z"]


def test_the_last_node_runs_the_python_of_the_machine_that_submits(compile_, tmp_path):
    """Nothing names the Python that compiled; where none is given, it is said that this one is named."""
    there = "/opt/there/bin/python3"
    code, said, _ = compile_("--target", "dagman", "-o", tmp_path / "dag", "--python", there)
    assert (code, len(said.splitlines())) == (0, 1)
    assert f"executable = {there}\n" in (tmp_path / "dag" / "final.sub").read_text()
    texts = [p.read_text() for p in (tmp_path / "dag").rglob("*") if p.is_file()]
    assert not any(sys.executable in text for text in texts)
    _, said, _ = compile_("--target", "dagman", "-o", tmp_path / "other")
    assert f"the last node runs {sys.executable}, the Python of this machine" in said
    assert "--python PATH" in said


def test_no_run_is_named_where_there_is_none(compile_, tmp_path):
    """An empty id would be that of every DAG that was compiled."""
    compile_("--target", "dagman", "-o", tmp_path / "dag")
    texts = {p.name: p.read_text() for p in (tmp_path / "dag").glob("*.sub")}
    assert {"final.sub", "worker.sub"} <= set(texts)
    assert not any("DynamoRun" in text for text in texts.values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "dagman", "--python", "python3"], "--python python3: HTCondor looks along no PATH"),
        (["--target", "pegasus", "--python", "/p"], "--python is for --target dagman, not for pegasus"),
        (["--target", "wfformat", "--slots", "0"], "--slots is for --target dagman, not for wfformat"),
    ],
)
def test_what_would_have_no_effect_is_refused(compile_, tmp_path, arguments, words):
    """And nothing is written."""
    code, said, error = compile_(*arguments, "-o", tmp_path / "out")
    assert (code, said) == (2, "")
    assert words in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("target", ["dagman", "pegasus"])
def test_a_file_where_the_folder_shall_be_is_told_as_that(compile_, tmp_path, target):
    """And left alone."""
    (tmp_path / "out").write_text("mine")
    code, _, error = compile_("--target", target, "-o", tmp_path / "out")
    assert code == 2
    assert f"{tmp_path}/out is a file, not a folder: name a folder, or remove the file" in error
    assert (tmp_path / "out").read_text() == "mine"
