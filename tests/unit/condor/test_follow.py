"""What logs and reports of a DAG come to in the journal: every attempt once, no failure lost, no damage published."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dynamo.cli.execute import words
from dynamo.worker.limits import RETRIES
from dynamo.worker.returned import Returned

TWO = """
    @workflow
    def flow():
        copy(make(out='a'), out='b')
"""
ONE = ("make", "copy")
THREE = """
    @workflow
    def flow():
        copy(copy(make(out='a'), out='b'), out='c')
        make(out='d')
"""


def test_a_job_that_went_well(pool):
    """Its tasks are done, with their times, machine and logs, its outputs are in the store and published."""
    follower = pool.submit(TWO, ONE)
    job = "make-to-copy"
    pool.log.submitted(job)
    assert follower.catch_up()
    assert pool.attempts() == []
    pool.log.began(job)
    assert follower.catch_up()
    assert pool.attempts() == [("make", 1, "running"), ("copy", 1, "running")]
    pool.send(job, make="ok", copy="ok")
    pool.log.ended(job)
    pool.own.ended()
    assert follower.catch_up()
    assert not follower.catch_up()
    assert follower.ended
    assert not follower.removed
    assert pool.run.over
    assert pool.attempts() == [("make", 1, "ok"), ("copy", 1, "ok")]
    assert {a.worker for a in pool.all_attempts()} == {"slot1@one"}
    assert [a.started for a in pool.all_attempts()] == [pool.log.start + 100, pool.log.start + 101]
    assert pool.summary().ok
    assert {p.name: p.read_text() for p in pool.out.iterdir()} == {"a": "a of make", "b": "b of copy"}
    assert Path(pool.workspace.log("r1", "make", 1)).read_text() == "log 1 of make"
    (pool.folder.job(job).folder / pool.folder.job(job).outputs["a"]).write_text("later")
    assert (pool.out / "a").read_text() == "a of make"


def test_what_failed_by_itself_is_told_with_what_waits_for_it(pool):
    """As the task's own failure, in the words of its report; what comes after is blocked."""
    follower = pool.submit(TWO, ("make",), ("copy",))
    pool.log.submitted("make")
    pool.log.began("make")
    pool.send("make", make="failed")
    pool.log.ended("make", 2)
    pool.own.ended(code=1)
    follower.catch_up()
    assert pool.run.over
    (failure,) = pool.summary().failures
    assert (failure.task, failure.error, failure.infrastructure) == ("make", "make failed", False)
    assert pool.states() == {"make": "failed", "copy": "blocked"}
    assert pool.attempts() == [("make", 1, "failed")]


def lose(pool, job="make-to-copy"):
    """One try of which the first task was lost, and a second that does all."""
    pool.log.submitted(job)
    pool.log.began(job)
    pool.send(job, make="lost", copy="blocked")
    pool.log.ended(job, 3)
    yield
    pool.log.submitted(job)
    pool.log.began(job, "slot1@two")
    yield
    pool.send(job, True, make="ok", copy="ok")
    pool.log.ended(job)
    pool.own.ended()
    yield


def test_what_a_try_says_that_is_under_way_is_not_its_last_word(pool):
    """On a shared disk its report is there while the end of the try before it is read; the task may be tried again."""
    follower = pool.submit(TWO, ONE)
    job = "make-to-copy"
    pool.log.submitted(job)
    pool.log.began(job)
    pool.log.ended(job, 3)
    pool.send(job, make="lost")
    pool.send(job, True, make="failed")
    path = pool.folder.job(job).folder / f"out/{job}.report.json"
    replace(Returned.read(path), began=9.0, ended=3.0).write(path)
    follower.catch_up()
    assert pool.states().get("make") != "failed"
    pool.log.submitted(job)
    pool.log.began(job)
    pool.send(job, True, make="failed")
    pool.log.ended(job, 2)
    follower.catch_up()
    assert pool.states()["make"] == "failed"


def test_what_was_lost_and_then_done_has_two_attempts(pool):
    """Each where it was made."""
    follower = pool.submit(TWO, ONE)
    for _ in lose(pool):
        follower.catch_up()
    assert pool.run.over
    assert pool.summary().ok
    assert pool.attempts() == LOST
    assert {(a.n, a.worker) for a in pool.all_attempts()} == {(1, "slot1@one"), (2, "slot1@two")}


LOST = [("make", 1, "lost"), ("copy", 1, "blocked"), ("make", 2, "ok"), ("copy", 2, "ok")]


def test_evicted_jobs_begin_again(pool):
    """On the same machine as well: each beginning is an attempt, and what was running is told to be lost."""
    follower = pool.submit(TWO, ONE)
    job = "make-to-copy"
    pool.log.submitted(job)
    for away in (pool.log.evicted, pool.log.lost, pool.log.broke):
        pool.log.began(job)
        follower.catch_up()
        away(job)
        follower.catch_up()
    pool.log.began(job)
    pool.send(job, make="ok", copy="ok")
    pool.log.ended(job)
    follower.catch_up()
    assert [(n, how) for task, n, how in pool.attempts() if task == "copy"] == [
        (1, "lost"), (2, "lost"), (3, "lost"), (4, "ok")
    ]  # fmt: skip
    assert "evicted: the owner came back" in {a.error for a in pool.all_attempts()}
    assert pool.run.over


def test_a_held_job_is_explained_and_its_tasks_do_not_run(pool):
    """Once; when it is removed, that is why it failed."""
    follower = pool.submit(TWO, ONE)
    job = "make-to-copy"
    pool.log.submitted(job)
    pool.log.began(job)
    pool.log.held(job)
    follower.catch_up()
    assert pool.attempts() == [("make", 1, "lost"), ("copy", 1, "lost")]
    assert any("declare more with memory=" in warning for warning in pool.summary().warnings)
    pool.log.removed(job)
    pool.own.ended(code=1)
    follower.catch_up()
    with pool.journal.change():
        follower.give_up(1.0)
    (failure,) = pool.summary().failures
    assert failure.infrastructure
    assert "used more memory or disk" in failure.error
    assert pool.summary().warnings == (), "the failure says the same"
    told = words(pool.summary(), pool.workspace)
    assert told.count("used more memory or disk") == 1
    assert "worker was lost" not in told
    assert pool.states() == {"make": "failed", "copy": "blocked"}


def test_a_hold_that_passed_is_not_why_a_job_failed_later(pool):
    """What happened last is."""
    follower = pool.submit(TWO, ONE)
    job = "make-to-copy"
    pool.log.submitted(job)
    pool.log.held(job, 13, "Transfer input files failure")
    pool.log.released(job)
    pool.log.began(job)
    pool.log.ended(job, 127)
    (pool.folder.job(job).folder / "job.err").write_text("dynamo-worker: not found\n")
    pool.own.ended(code=1)
    follower.catch_up()
    with pool.journal.change():
        follower.give_up(1.0)
    (failure,) = pool.summary().failures
    assert "it sent no report back" in failure.error
    assert "dynamo-worker: not found" in failure.error


def test_a_dag_that_is_removed_leaves_its_tasks_undone(pool):
    """They have not failed: whoever goes on with the run does them."""
    follower = pool.submit(TWO, ONE)
    pool.log.submitted("make-to-copy")
    pool.log.began("make-to-copy")
    follower.catch_up()
    pool.log.removed("make-to-copy")
    pool.own.removed()
    follower.catch_up()
    assert (follower.ended, follower.removed) == (True, True)
    assert pool.summary().failures == ()
    assert pool.attempts() == [("make", 1, "lost"), ("copy", 1, "lost")]
    assert pool.run.ready.open == {"make", "copy"}


@pytest.mark.parametrize("told", [True, False])
def test_a_dag_that_ends_without_its_jobs_has_failed(pool, told):
    """Nothing is left open without a reason, so no run that did nothing ends well."""
    follower = pool.submit(TWO, ("make",), ("copy",))
    if told:
        pool.own.ended(code=1)
    follower.catch_up()
    with pool.journal.change():
        follower.give_up(1.0)
        assert pool.run.ready.open
        follower.abandon(1.0)
    assert pool.run.over
    (failure,) = pool.summary().failures
    assert failure.task == "make"
    assert failure.infrastructure
    assert ("it ended with exit code 1" if told else "it is not in the queue any more") in failure.error
    assert "flow.dag.dagman.out" in failure.error
    assert not pool.summary().ok


def test_a_damaged_output_is_not_taken_for_what_was_made(pool):
    """Its task is lost, though its job ended well, and says why; the others are done."""
    follower = pool.submit(TWO, ONE)
    job = "make-to-copy"
    pool.log.submitted(job)
    pool.log.began(job)
    pool.send(job, False, "", ("b",), make="ok", copy="ok")
    pool.log.ended(job)
    pool.own.ended()
    follower.catch_up()
    assert pool.attempts() == [("make", 1, "ok"), ("copy", 1, "lost")]
    assert follower.spoilt, "a rescue DAG would not run it again"
    _run_out_of_tries(pool, follower, "copy")
    with pool.journal.change():
        follower.give_up(1.0)
    (failure,) = pool.summary().failures
    assert failure.task == "copy"
    assert "its output 'b' came back damaged" in failure.error
    assert failure.error.endswith("(on slot1@one)")
    assert "worker was lost" in words(pool.summary(), pool.workspace)
    assert [p.name for p in pool.out.iterdir()] == ["a"]


def _run_out_of_tries(pool, follower, *tasks):
    """Have these tasks have ended as often, in other DAGs before, as they may."""
    for _ in range(RETRIES):
        assert follower.again() >= set(tasks)
        pool.run.undone.update(tasks)
    assert follower.again() == set()


def test_a_job_that_ended_well_without_a_word_is_run_again_with_what_waits_for_it(pool):
    """A schedd that was killed may lose what its job made; but what fails by itself for another reason has failed."""
    follower = pool.submit(THREE, ("make-0",), ("copy-0",), ("make-1",), ("copy-1",))
    for job in ("make-0", "make-1", "copy-0"):
        pool.log.submitted(job)
        pool.log.began(job)
    pool.log.ended("make-0")
    pool.send("make-1", make_1="failed")
    pool.log.ended("make-1", 2)
    pool.log.held("copy-0", 13, "Transfer input files failure: no such file")
    pool.log.removed("copy-0")
    pool.own.ended("", 1)
    follower.catch_up()
    with pool.journal.change():
        follower.give_up(1.0)
    assert follower.again() == {"make-0", "copy-0", "copy-1"} == pool.run.ready.open
    assert [failure.task for failure in pool.summary().failures] == ["make-1"]
    _run_out_of_tries(pool, follower, "make-0")
    with pool.journal.change():
        follower.give_up(2.0)
    told = {failure.task: failure.error for failure in pool.summary().failures}
    assert "it sent no report back" in told["make-0"]
    assert not pool.run.ready.open


def test_a_report_that_tells_of_what_was_not_asked_for_is_no_crash(pool):
    """It is another's, or damaged."""
    follower = pool.submit(TWO, ("make",), ("copy",))
    pool.log.submitted("make")
    pool.log.began("make")
    pool.send("make", make="ok")
    path = pool.folder.job("make").folder / "out/make.report.json"
    path.write_text(path.read_text().replace('"a": {', '"other": {'))
    pool.log.ended("make")
    follower.catch_up()
    assert pool.attempts() == [("make", 1, "lost")]
    assert "'other'" in pool.all_attempts()[0].error


def test_a_job_that_sent_no_report_back_is_told_so(pool):
    """With its exit code, or its signal; what failed by itself before is known from an earlier report."""
    follower = pool.submit(TWO, ONE)
    pool.log.submitted("make-to-copy")
    pool.log.began("make-to-copy")
    pool.log.ended("make-to-copy", -9)
    follower.catch_up()
    assert pool.attempts() == [("make", 1, "lost"), ("copy", 1, "lost")]
    assert "it sent no report back" in pool.all_attempts()[0].error


def test_what_failed_by_itself_beside_what_was_lost_is_not_run_twice(pool):
    """The next try of its job does only what was lost; nothing stays as if it ran."""
    follower = pool.submit(
        """
        @workflow
        def flow():
            make(out='a')
            make(out='b')
        """,
        ("make-0", "make-1"),
    )
    job = "make-0-to-make-1"
    pool.log.submitted(job)
    pool.log.began(job)
    pool.send(job, make_0="failed", make_1="lost")
    pool.log.ended(job, 3)
    follower.catch_up()
    pool.log.submitted(job)
    pool.log.began(job)
    follower.catch_up()
    pool.send(job, True, make_1="ok")
    pool.log.ended(job, 2)
    follower.catch_up()
    assert pool.attempts() == [("make-0", 1, "failed"), ("make-1", 1, "lost"), ("make-1", 2, "ok")]
    assert pool.run.over
    assert [f.task for f in pool.summary().failures] == ["make-0"]


# Followed again


@pytest.mark.parametrize("each", [True, False])
def test_whoever_follows_again_records_no_attempt_twice(pool, each):
    """After every event, or once all is over: the journal is the same."""
    pool.submit(TWO, ONE)
    for _ in lose(pool):
        if each:
            pool.attach()
            pool.attach()
    pool.attach()
    assert pool.attempts() == LOST
    assert set(pool.states().values()) <= {"done", "reused"}
    assert pool.run.over
    assert pool.summary().ok
    assert {p.name for p in pool.out.iterdir()} == {"a", "b"}


def test_evictions_are_recorded_once_by_whoever_follows_again(pool):
    """On the same machine too, where one beginning looks like another."""
    pool.submit(TWO, ONE)
    job = "make-to-copy"
    pool.log.submitted(job)
    for _ in range(3):
        pool.log.began(job)
        pool.attach()
        pool.log.evicted(job)
        pool.attach()
    pool.log.began(job)
    pool.attach()
    pool.send(job, make="ok", copy="ok")
    pool.log.ended(job)
    pool.attach()
    assert [(n, how) for task, n, how in pool.attempts() if task == "make"] == [
        (1, "lost"), (2, "lost"), (3, "lost"), (4, "ok")
    ]  # fmt: skip
    assert pool.run.over


def test_a_failure_that_is_known_is_told_again_while_its_dag_goes_on(pool):
    """And not where the run is taken up to try it again."""
    pool.submit(TWO, ("make",), ("copy",))
    pool.log.submitted("make")
    pool.log.began("make")
    pool.send("make", make="failed")
    pool.log.ended("make", 2)
    pool.attach()
    assert [f.task for f in pool.summary().failures] == ["make"]
    pool.attach()
    assert [f.task for f in pool.summary().failures] == ["make"]
    assert pool.run.over
    pool.attach(failing=False)
    assert pool.run.ready.open == {"make", "copy"}
    assert pool.attempts() == [("make", 1, "failed")]


def test_what_ran_when_its_dag_vanished_is_lost(pool):
    """Where the run is taken up, nothing counts as running."""
    follower = pool.submit(TWO, ONE)
    pool.log.submitted("make-to-copy")
    pool.log.began("make-to-copy")
    follower.catch_up()
    pool.attach(failing=False)
    assert pool.attempts() == [("make", 1, "lost"), ("copy", 1, "lost")]
    assert not pool.run.running


def test_a_dag_submitted_once_more_is_followed_by_its_new_logs(pool):
    """Its events are new, also on the machines of before; attempts are counted on."""
    pool.submit(TWO, ONE)
    job = "make-to-copy"
    pool.log.submitted(job)
    pool.log.began(job)
    pool.send(job, make="ok", copy="failed")
    pool.log.ended(job, 2)
    pool.own.ended(code=1)
    pool.attach()
    pool.attach(failing=False)
    assert pool.run.ready.open == {"copy"}
    pool.folder.renew_logs()
    pool.own.submitted()
    pool.log.submitted(job)
    follower = pool.followed(pool.run)
    pool.log.began(job)
    follower.catch_up()
    assert not follower.ended
    pool.attach()
    pool.send(job, True, copy="ok")
    pool.log.ended(job)
    pool.own.ended()
    follower = pool.attach()
    assert follower.ended
    assert pool.attempts() == [("make", 1, "ok"), ("copy", 1, "failed"), ("copy", 2, "ok")]
    assert pool.run.over
    assert pool.summary().ok


def test_what_the_store_has_lost_is_brought_home_again(pool):
    """An attempt that is known is not recorded again, but its outputs are still there."""
    pool.submit(TWO, ONE)
    for _ in lose(pool):
        pass
    pool.attach()
    shutil.rmtree(pool.workspace.store)
    pool.workspace.store.mkdir()
    pool.attach()
    assert pool.run.over
    assert pool.attempts() == LOST
