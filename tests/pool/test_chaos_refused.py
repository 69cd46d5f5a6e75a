"""What a pool cannot do is said at once, in words that say who must act."""

from __future__ import annotations

from textwrap import dedent

import pytest

WORKFLOW = """
from dynamo import Input, Output, task, workflow

@task
def plain(source: Input, out: Output) -> None:
    out.write_text("done")

@task(memory="64 GiB")
def huge(source: Input, out: Output) -> None: ...

@task(cores=9)
def wide(source: Input, out: Output) -> None: ...

@task
def full(source: Input, out: Output) -> None:
    with open("/dev/full", "w") as file:
        file.write("x")

@workflow
def flow(source: Input, which: str) -> None:
    {"plain": plain, "huge": huge, "wide": wide, "full": full}[which](source, out="a.txt")
"""


@pytest.fixture
def dynamo(pool, request):
    """Write a run file, run it in the pool, and return exit code and words; without a traceback of ours in them."""
    folder = pool.folder("".join(c if c.isalnum() else "-" for c in request.node.name))
    (folder / "flow.py").write_text(dedent(WORKFLOW))
    (folder / "source.txt").write_text("x")

    def run(engine="htcondor", which="plain", more="", **environment):
        (folder / "run.yaml").write_text(
            f"workflow: ./flow.py:flow\ninputs: {{source: source.txt}}\nparams: {{which: {which}}}\n"
            f"engine: {engine}\nproducts: products\n{more}\n"
        )
        done = pool.dynamo(folder, "run", "--quiet", "run.yaml", **environment)
        assert "dynamo/condor/" not in done.stderr, done.stderr
        return done.returncode, done.stdout + done.stderr

    run.folder = folder
    return run


def _queued(pool, folder):
    """The jobs in the queue that were submitted in a folder; others may be about to leave it."""
    return [job for job in pool.pool.jobs() if job["Iwd"].startswith(str(folder))]


@pytest.mark.parametrize(
    ("which", "said"), [("huge", "huge needs 1 core and 64 GiB"), ("wide", "wide needs 9 cores")]
)
def test_what_no_slot_has_is_refused_before_anything_is_submitted(pool, dynamo, which, said):
    """It would wait for ever: the message has the task's line, the largest slot, and what to do."""
    code, text = dynamo(which=which)
    assert code == 2
    assert "flow.py:" in text
    assert said in text
    assert "the largest has 1 core and 2 GiB" in text
    assert "declare less" in text
    assert _queued(pool, dynamo.folder) == []


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ('{name: htcondor, pool: "127.0.0.1:9"}', "the pool does not answer"),
        ("{name: htcondor, pool: no-such-host.invalid}", "the pool does not answer"),
        ("{name: htcondor, schedd: nobody}", "the pool has no schedd 'nobody'"),
    ],
)
def test_a_pool_or_schedd_that_is_not_there_is_told(dynamo, engine, said):
    """Not with a traceback, and not by taking another."""
    code, text = dynamo(engine)
    assert code == 3
    assert said in text
    assert "engine: {" in text, "it says where to look"


def test_without_a_token_one_is_to_be_asked_for(dynamo):
    """An empty folder of tokens is named, and who hands them out."""
    (dynamo.folder / "tokens").mkdir(mode=0o700)
    code, text = dynamo(_CONDOR_SEC_TOKEN_DIRECTORY=str(dynamo.folder / "tokens"))
    assert code == 3
    assert f"no token in {dynamo.folder / 'tokens'}" in text
    assert "administrator" in text


def test_a_wrong_token_is_to_be_checked(pool, dynamo):
    """One that another key signed: the folder is named, and that the pool does not know us."""
    tokens = dynamo.folder / "tokens"
    tokens.mkdir(mode=0o700)
    good = (pool.pool.state.tokens / "user").read_text().strip()
    (tokens / "user").write_text(f"{good[:-8]}{'A' * 8}\n")
    (tokens / "user").chmod(0o600)
    code, text = dynamo(_CONDOR_SEC_TOKEN_DIRECTORY=str(tokens))
    assert code == 3
    assert f"check the token in {tokens}" in text
    assert "does not know us" in text


def test_a_disk_that_is_full_on_a_worker_is_the_machines_fault(dynamo):
    """A task that finds no room is tried three times, and the run blamed on the machine."""
    code, text = dynamo(which="full")
    assert code == 3
    assert "No space left on device" in text
    assert "tried 3 times" in text
    assert "its disk is full: make room" in text
    assert "(on slot1@worker-" in text, "which machine is full"
